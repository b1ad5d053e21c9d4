"""Every public name of research/slim's networks, with its parameters and defaults."""

import ast
import functools
import importlib
import inspect
import json
from pathlib import Path

import pytest

import slimcore as slim

FOLDER = Path(__file__).with_name("reference")
API = json.loads((FOLDER / "_api.json").read_text(encoding="utf-8"))
FACTORY = json.loads((FOLDER / "_factory.json").read_text(encoding="utf-8"))["networks"]
NAMES = [
    (module, name, facts)
    for module, names in API.items()
    if module != "read_me"
    for name, facts in names.items()
]
# Parameters whose default is an object that prints itself in its own way.
OBJECTS = {"expansion_size"}


def find(path):
    module, _, name = path.rpartition(".")
    module = {"nets_factory": "factory"}.get(module, module)
    return getattr(importlib.import_module(f"slim_nets.{module}"), name)


def plain(function):
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__name__", function)


@pytest.mark.parametrize("module, name, facts", NAMES, ids=[f"{m}.{n}" for m, n, _ in NAMES])
def test_each_name_is_there_with_its_parameters_and_defaults(module, name, facts):
    thing = find(f"{module}.{name}")
    if "alias_of" in facts:
        assert thing is find(facts["alias_of"])
    elif facts.get("kind") == "partial":
        for argument, value in facts["bound"].items():
            if not value.startswith("<") and value != "bound":
                bound = thing.keywords[argument]
                assert str(bound) == value or plain(bound) == value
    elif facts.get("kind") == "class":
        assert list(facts.get("fields", [])) == list(getattr(thing, "_fields", []))
        if facts.get("init"):
            check_parameters(thing.__init__, facts["init"])
    elif "params" in facts:
        check_parameters(thing, facts["params"])
        assert slim.has_arg_scope(thing) == facts["arg_scope"]
        if "default_image_size" in facts:
            assert thing.default_image_size == facts["default_image_size"]


def check_parameters(function, expected):
    parameters = list(inspect.signature(function).parameters.values())
    given = parameters[: len(expected)]
    assert [str(p).partition(":")[0].partition("=")[0] for p in given] == [p[0] for p in expected]
    for parameter, (_, *default) in zip(given, expected, strict=True):
        if not default or parameter.name in OBJECTS:
            continue
        try:
            value = ast.literal_eval(default[0])
        except ValueError:
            assert plain(parameter.default) in (default[0], ALIASES.get(default[0]))
        else:
            assert parameter.default == value, parameter
    # What we add comes by name only, or is optional.
    for parameter in parameters[len(expected) :]:
        assert parameter.kind == parameter.KEYWORD_ONLY


# The long name of a layer, and TensorFlow's older name of a pool.
ALIASES = {"separable_convolution2d": "separable_conv2d", "avg_pool": "avg_pool2d"}


@pytest.mark.parametrize("name", FACTORY)
def test_the_factory_finds_each_network_with_its_arg_scope_and_image_size(name):
    facts = FACTORY[name]
    function = slim.nets.get_network_fn(name, num_classes=10)
    assert function.__name__ == name
    assert function.default_image_size == facts["default_image_size"]
    scope = find(facts["arg_scope"])
    assert function.arg_scope in (scope, find("mobilenet.mobilenet_v2.training_scope"))


def test_a_network_is_one_object_by_all_its_names():
    assert slim.nets.vgg.vgg_16 is slim.nets.vgg_16
    assert slim.nets.inception.inception_v3 is slim.nets.inception_v3
    assert slim.nets.resnet_v1.resnet_v1_50 is slim.nets.resnet_v1_50
    assert slim.nets.mobilenet.mobilenet_v2.mobilenet is slim.nets.mobilenet_v2
    assert slim.nets.nasnet.pnasnet.build_pnasnet_large is slim.nets.pnasnet_large


OFFERED = [c for c in slim.components("net") if c.distribution == "slim-nets"]


@pytest.mark.parametrize("component", OFFERED, ids=[c.name for c in OFFERED])
def test_each_network_offered_is_a_function_of_images_with_the_size_that_is_listed(component):
    net = slim.lookup("net", component.name)
    module, _, name = component.target.partition(":")
    assert net is getattr(importlib.import_module(module), name)
    parameters = inspect.signature(net).parameters
    first = next(iter(parameters))
    assert first in ("images", "inputs", "input_tensor", "net")
    if component.details.get("classes"):
        assert {"num_classes", "is_training"} <= {*parameters, *component_kwargs(net)}
        with slim.arg_scope(net.arg_scope(weight_decay=0.0)):
            pass
    if "image_size" in component.details and not module.endswith("dcgan"):
        assert net.default_image_size == component.details["image_size"]


def component_kwargs(net):
    """Returns what a MobileNet takes by `**kwargs`."""
    kinds = {p.kind for p in inspect.signature(net).parameters.values()}
    return {"is_training"} if inspect.Parameter.VAR_KEYWORD in kinds else set()
