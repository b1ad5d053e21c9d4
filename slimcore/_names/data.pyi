# Written by tools/stubs.py.
from slim_data import *
from slim_data import data_decoder as data_decoder
from slim_data import data_provider as data_provider
from slim_data import dataset as dataset
from slim_data import dataset_data_provider as dataset_data_provider
from slim_data import parallel_reader as parallel_reader
from slim_data import prefetch_queue as prefetch_queue
from slim_data import tfexample_decoder as tfexample_decoder
