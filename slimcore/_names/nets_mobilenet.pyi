# Written by tools/stubs.py.
from slim_nets.mobilenet import conv_blocks as conv_blocks
from slim_nets.mobilenet import mobilenet as mobilenet
from slim_nets.mobilenet import mobilenet_v2 as mobilenet_v2
from slim_nets.mobilenet import mobilenet_v3 as mobilenet_v3
