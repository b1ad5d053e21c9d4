# Written by tools/stubs.py.
from slim_losses.classification import softmax_cross_entropy as softmax_cross_entropy
from slim_losses.classification import sparse_softmax_cross_entropy as sparse_softmax_cross_entropy
from slim_losses.collection import *
from slim_losses.weighting import compute_weighted_loss as compute_weighted_loss
