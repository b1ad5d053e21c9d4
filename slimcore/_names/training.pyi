# Written by tools/stubs.py.
from slim_learning import training as training
from slim_learning.evaluate import hooked_evaluation as evaluation
from slim_learning.training import *
