"""What acme-jpeg offers. Read on discovery: names and places, nothing heavy."""

from slimcore import Offer, hookimpl


@hookimpl
def slim_decoders():
    return {"image/jpeg": Offer("acme_jpeg.decoder:decode", "JPEG, upright, by Pillow")}
