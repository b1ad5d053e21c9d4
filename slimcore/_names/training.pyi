# Written by tools/stubs.py.
from slim_learning import training as training
from slim_learning.graph import repeated_evaluation as evaluation
from slim_learning.training import *
