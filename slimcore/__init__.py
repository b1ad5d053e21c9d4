"""TensorFlow-Slim for today's TensorFlow: `import slimcore as slim`.

The names of the core are below. All others, such as `slim.conv2d`, `slim.losses` or
`slim.learning`, come from the plugins that are installed. Every name is imported when it is first
used; importing this package imports neither TensorFlow nor a plugin.
"""

import importlib
import os
from typing import Any

__version__ = "0.1.0"

# Where each name of the core is.
_PLACES = {
    "Component": "_component",
    "Module": "module",
    "Offer": "hooks",
    "Scope": "_arg_scope",
    "SlimError": "errors",
    "VariableDeviceChooser": "devices",
    "add_arg_scope": "_arg_scope",
    "add_model_variable": "variables",
    "add_to_collections": "collections",
    "arg_scope": "_arg_scope",
    "arg_scope_func_key": "_arg_scope",
    "arg_scoped_arguments": "_arg_scope",
    "assert_global_step": "global_step",
    "assert_or_get_global_step": "global_step",
    "assign_from_checkpoint": "_assign",
    "assign_from_checkpoint_fn": "_assign",
    "assign_from_values": "_assign",
    "assign_from_values_fn": "_assign",
    "collecting": "collections",
    "component": "registry",
    "components": "registry",
    "create_global_step": "global_step",
    "current_arg_scope": "_arg_scope",
    "debug_checks": "debugging",
    "disable": "registry",
    "explain": "_arg_scope",
    "filter_variables": "_assign",
    "get_collection": "collections",
    "get_global_step": "global_step",
    "get_local_variables": "variables",
    "get_model_variables": "variables",
    "get_or_create_global_step": "global_step",
    "get_trainable_variables": "variables",
    "get_unique_variable": "variables",
    "get_variable_full_name": "variables",
    "get_variables": "variables",
    "get_variables_by_name": "variables",
    "get_variables_by_suffix": "variables",
    "get_variables_to_restore": "_assign",
    "global_variable": "variables",
    "has_arg_scope": "_arg_scope",
    "hookimpl": "hooks",
    "local_variable": "variables",
    "lookup": "registry",
    "model_variable": "variables",
    "precision": "precisions",
    "prefer": "registry",
    "variable": "variables",
}

_SUBMODULES = frozenset(name.partition(".")[0] for name in os.listdir(__path__[0]))


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        value = getattr(importlib.import_module(f"slimcore.{_PLACES[name]}"), name)
        globals()[name] = value
        return value
    if name.startswith("__"):  # what the interpreter and its tools probe for
        raise AttributeError(f"module 'slimcore' has no attribute {name!r}")
    if name in _SUBMODULES:
        return importlib.import_module(f"slimcore.{name}")
    if name.startswith("register_"):
        from slimcore.registry import decorator

        return decorator(name.removeprefix("register_"))
    from slimcore._namespace import ROOT

    return ROOT.find(name)


def __dir__() -> list[str]:
    from slimcore._discovery import HOOK_OF_KIND
    from slimcore._namespace import ROOT

    registers = (f"register_{kind}" for kind in HOOK_OF_KIND)
    return sorted({*_PLACES, *registers, *ROOT.names(), "__version__"})
