"""What slim-data offers. Read on discovery: names and places, nothing heavy."""

from slimcore import Offer, hookimpl


def _dataset(name: str, summary: str, classes: int | None = None, **splits: int) -> Offer:
    details = {"splits": splits, "classes": classes} if splits else {}
    return Offer(f"slim_data.datasets:{name}", summary, details)


@hookimpl
def slim_datasets() -> dict[str, Offer]:
    return {
        "cifar10": _dataset("cifar10", "32x32 colour, 10 classes", 10, train=50000, test=10000),
        "cifar100": _dataset("cifar100", "32x32 colour, 100 classes", 100, train=50000, test=10000),
        "converted": _dataset("converted", "whatever slim data convert wrote"),
        "digits": _dataset(
            "digits",
            "UCI handwritten digits, 8x8 grey, bundled",
            10,
            train=1442,
            test=355,
        ),
        "fashion_mnist": _dataset(
            "fashion_mnist", "28x28 grey garments", 10, train=60000, test=10000
        ),
        "flowers": _dataset("flowers", "photographs of 5 kinds", 5, train=3320, validation=350),
        "image_folder": _dataset("image_folder", "your images, one folder for each class"),
        "imagenet": _dataset("imagenet", "ILSVRC 2012", 1001, train=1281167, validation=50000),
        "mnist": _dataset("mnist", "28x28 grey handwritten digits", 10, train=60000, test=10000),
        "visualwakewords": _dataset(
            "visualwakewords", "with and without a person", 2, train=82783, val=40504
        ),
    }


@hookimpl
def slim_decoders() -> dict[str, Offer]:
    return {
        "image/bmp": Offer("slim_data.decoders:decode_bmp", "BMP to pixels"),
        "image/gif": Offer("slim_data.decoders:decode_gif", "first frame of a GIF to pixels"),
        "image/jpeg": Offer("slim_data.decoders:decode_jpeg", "JPEG to pixels"),
        "image/png": Offer("slim_data.decoders:decode_png", "PNG to pixels"),
        "image/raw": Offer("slim_data.decoders:decode_raw", "bytes to numbers"),
        "image/webp": Offer("slim_data.decoders:decode_webp", "first frame of a WebP to pixels"),
        "tfexample": Offer("slim_data:TFExampleDecoder", "tf.train.Example to items"),
    }


@hookimpl
def slim_preprocessing() -> dict[str, Offer]:
    return {
        "cifarnet": Offer("slim_data.preprocessing:cifarnet", "crop, flip, standardize"),
        "inception": Offer("slim_data.preprocessing:inception", "crop, flip, colour, [-1, 1]"),
        "lenet": Offer("slim_data.preprocessing:lenet", "resize, scale to [-1, 1)"),
        "vgg": Offer("slim_data.preprocessing:vgg", "scale, crop, flip, subtract means"),
    }


@hookimpl
def slim_data_providers() -> dict[str, Offer]:
    return {
        "DatasetDataProvider": Offer(
            "slim_data:DatasetDataProvider",
            "examples of a dataset in a graph, through queues",
        ),
    }


@hookimpl
def slim_namespaces() -> dict[str, str]:
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
        "data": "slim_data",
        **{name: f"slim_data.{name}" for name in modules},
        **{f"data.{name}": f"slim_data.{name}" for name in modules},
    }


@hookimpl
def slim_commands() -> dict[str, Offer]:
    return {
        "data": Offer("slim_data._commands:data", "convert images to TFRecords, look at datasets")
    }
