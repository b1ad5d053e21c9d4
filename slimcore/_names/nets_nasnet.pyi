# Written by tools/stubs.py.
from slim_nets.nasnet import nasnet as nasnet
from slim_nets.nasnet import nasnet_utils as nasnet_utils
from slim_nets.nasnet import pnasnet as pnasnet
