# Written by tools/stubs.py.
from slim_nets.factory import *
from slim_nets.lenet import lenet as lenet
