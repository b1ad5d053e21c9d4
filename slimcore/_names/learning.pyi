# Written by tools/stubs.py.
from slim_learning.commands import run_doctor as diagnosis
from slim_learning.learning import *
