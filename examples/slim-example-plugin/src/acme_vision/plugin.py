"""What acme-vision offers. Read on discovery: names and places, nothing heavy."""

from slimcore import Offer, hookimpl


@hookimpl
def slim_layers():
    return {"blur_pool": Offer("acme_vision.pooling:blur_pool", "Blurs, then subsamples.")}


@hookimpl
def slim_decoders():
    return {"image/png": Offer("acme_vision.png:decode", "PNG, by Pillow.")}
