from . import nasnet as nasnet
from . import nasnet_utils as nasnet_utils
from . import pnasnet as pnasnet
