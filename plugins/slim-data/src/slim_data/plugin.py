"""What slim-data offers. Read on discovery: names and places, nothing heavy."""

from slimcore import Offer, hookimpl


def _dataset(place: str, summary: str, classes: int | None = None, **splits: int) -> Offer:
    details = {"splits": splits, "classes": classes} if splits else {}
    return Offer(f"slim_data.{place}", summary, details)


@hookimpl
def slim_datasets():
    return {
        "cifar10": _dataset(
            "_datasets:cifar10", "32x32 colour, 10 classes", 10, train=50000, test=10000
        ),
        "cifar100": _dataset(
            "_datasets:cifar100", "32x32 colour, 100 classes", 100, train=50000, test=10000
        ),
        "converted": _dataset("_datasets:converted", "whatever slim data convert wrote"),
        "digits": _dataset(
            "_datasets:digits",
            "UCI handwritten digits, 8x8 grey, bundled",
            10,
            train=1442,
            test=355,
        ),
        "fashion_mnist": _dataset(
            "_datasets:fashion_mnist", "28x28 grey garments", 10, train=60000, test=10000
        ),
        "flowers": _dataset(
            "_datasets:flowers", "photographs of 5 kinds", 5, train=3320, validation=350
        ),
        "image_folder": _dataset(
            "_image_folder:image_folder", "your pictures, a folder for each class"
        ),
        "imagenet": _dataset(
            "_datasets:imagenet", "ILSVRC 2012", 1001, train=1281167, validation=50000
        ),
        "mnist": _dataset(
            "_datasets:mnist", "28x28 grey handwritten digits", 10, train=60000, test=10000
        ),
        "visualwakewords": _dataset(
            "_datasets:visualwakewords", "person or no person", 2, train=82783, val=40504
        ),
    }


@hookimpl
def slim_decoders():
    return {
        "image/bmp": Offer("slim_data._codecs:decode_bmp", "BMP to pixels"),
        "image/gif": Offer("slim_data._codecs:decode_gif", "first frame of a GIF to pixels"),
        "image/jpeg": Offer("slim_data._codecs:decode_jpeg", "JPEG to pixels"),
        "image/png": Offer("slim_data._codecs:decode_png", "PNG to pixels"),
        "image/raw": Offer("slim_data._codecs:decode_raw", "bytes to numbers"),
        "image/webp": Offer("slim_data._codecs:decode_webp", "first frame of a WebP to pixels"),
        "tfexample": Offer(
            "slim_data.tfexample_decoder:TFExampleDecoder", "tf.train.Example to items"
        ),
    }


@hookimpl
def slim_preprocessing():
    return {
        "cifarnet": Offer("slim_data._preprocessing:cifarnet", "crop, flip, standardize"),
        "inception": Offer("slim_data._preprocessing:inception", "crop, flip, colour, [-1, 1]"),
        "lenet": Offer("slim_data._preprocessing:lenet", "resize, scale to [-1, 1)"),
        "vgg": Offer("slim_data._preprocessing:vgg", "scale, crop, flip, subtract means"),
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


@hookimpl
def slim_commands():
    return {"data": Offer("slim_data._commands:data", "convert pictures, look at datasets")}
