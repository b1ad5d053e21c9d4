"""What slim-data offers. Read on discovery: names and places, nothing heavy."""

from slimcore import Offer, hookimpl


@hookimpl
def slim_datasets():
    return {
        "digits": Offer(
            "slim_data.datasets:digits",
            "UCI handwritten digits, 8x8 grey, bundled",
            {"splits": {"train": 1442, "test": 355}, "classes": 10},
        ),
    }


@hookimpl
def slim_decoders():
    return {
        "image/bmp": Offer("slim_data.codecs:decode_bmp", "BMP to pixels"),
        "image/gif": Offer("slim_data.codecs:decode_gif", "first frame of a GIF to pixels"),
        "image/jpeg": Offer("slim_data.codecs:decode_jpeg", "JPEG to pixels"),
        "image/png": Offer("slim_data.codecs:decode_png", "PNG to pixels"),
        "image/raw": Offer("slim_data.codecs:decode_raw", "bytes to numbers"),
        "image/webp": Offer("slim_data.codecs:decode_webp", "WebP to pixels"),
        "tfexample": Offer(
            "slim_data.tfexample_decoder:TFExampleDecoder", "tf.train.Example to items"
        ),
    }


@hookimpl
def slim_preprocessing():
    return {
        "lenet": Offer("slim_data.preprocessing:lenet", "resize, scale to [-1, 1)"),
    }


@hookimpl
def slim_data_providers():
    return {
        "DatasetDataProvider": Offer(
            "slim_data.dataset_data_provider:DatasetDataProvider",
            "examples of a dataset in a graph, through queues",
        ),
    }


@hookimpl
def slim_namespaces():
    modules = (
        "data_decoder",
        "data_provider",
        "dataset",
        "dataset_data_provider",
        "parallel_reader",
        "prefetch_queue",
        "tfexample_decoder",
    )
    # As in tf-slim, each is there twice: slim.dataset and slim.data.dataset.
    return {
        "data": "slim_data.pipeline",
        **{name: f"slim_data.{name}" for name in modules},
        **{f"data.{name}": f"slim_data.{name}" for name in modules},
    }
