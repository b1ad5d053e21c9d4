# Written by tools/stubs.py.
from slim_learning import diagnosis as diagnosis
from slim_learning.learning import *
