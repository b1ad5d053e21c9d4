# Written by tools/stubs.py.
from typing import Any
from slimcore.collections import add_to_collections as add_to_collections
from slimcore.collections import collecting as collecting
from slimcore.collections import get_collection as get_collection
from slimcore.devices import VariableDeviceChooser as VariableDeviceChooser
from slimcore.errors import SlimError as SlimError
from slimcore.hooks import Offer as Offer
from slimcore.hooks import hookimpl as hookimpl
from slimcore.module import Module as Module
from slimcore.registry import Component as Component
from slimcore.registry import component as component
from slimcore.registry import components as components
from slimcore.registry import disable as disable
from slimcore.registry import lookup as lookup
from slimcore.registry import prefer as prefer
from slimcore.scoping import add_arg_scope as add_arg_scope
from slimcore.scoping import arg_scope as arg_scope
from slimcore.scoping import arg_scope_func_key as arg_scope_func_key
from slimcore.scoping import arg_scoped_arguments as arg_scoped_arguments
from slimcore.scoping import current_arg_scope as current_arg_scope
from slimcore.scoping import explain as explain
from slimcore.scoping import has_arg_scope as has_arg_scope
from slimcore.variables import add_model_variable as add_model_variable
from slimcore.variables import get_model_variables as get_model_variables
from slimcore.variables import get_trainable_variables as get_trainable_variables
from slimcore.variables import get_variables as get_variables
from slimcore.variables import local_variable as local_variable
from slimcore.variables import model_variable as model_variable
from slimcore.variables import variable as variable
from slimcore._names import losses as losses
from slimcore._names import metrics as metrics
from slimcore._names import nets as nets

def register_layer(target: Any) -> Any: ...
def register_regularizer(target: Any) -> Any: ...
def register_initializer(target: Any) -> Any: ...
def register_loss(target: Any) -> Any: ...
def register_metric(target: Any) -> Any: ...
def register_net(target: Any) -> Any: ...
def register_data_provider(target: Any) -> Any: ...
def register_dataset(target: Any) -> Any: ...
def register_decoder(target: Any) -> Any: ...
def register_preprocessing(target: Any) -> Any: ...
def register_namespace(target: Any) -> Any: ...
def register_command(target: Any) -> Any: ...
__version__: str
