# Written by tools/stubs.py.
from slim_data import data_decoder as data_decoder
from slim_data import dataset as dataset
from slim_data import tfexample_decoder as tfexample_decoder
from slim_data.pipeline import *
