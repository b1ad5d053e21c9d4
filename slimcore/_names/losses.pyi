# Written by tools/stubs.py.
from slim_losses import absolute_difference as absolute_difference
from slim_losses import cluster_loss as cluster_loss
from slim_losses import compute_weighted_loss as compute_weighted_loss
from slim_losses import contrastive_loss as contrastive_loss
from slim_losses import cosine_distance as cosine_distance
from slim_losses import dice_loss as dice_loss
from slim_losses import focal_loss as focal_loss
from slim_losses import hinge_loss as hinge_loss
from slim_losses import huber_loss as huber_loss
from slim_losses import lifted_struct_loss as lifted_struct_loss
from slim_losses import log_loss as log_loss
from slim_losses import mean_pairwise_squared_error as mean_pairwise_squared_error
from slim_losses import mean_squared_error as mean_squared_error
from slim_losses import metric_learning as metric_learning
from slim_losses import npairs_loss as npairs_loss
from slim_losses import npairs_loss_multilabel as npairs_loss_multilabel
from slim_losses import sigmoid_cross_entropy as sigmoid_cross_entropy
from slim_losses import softmax_cross_entropy as softmax_cross_entropy
from slim_losses import sparse_softmax_cross_entropy as sparse_softmax_cross_entropy
from slim_losses import sum_of_squares as sum_of_squares
from slim_losses import triplet_semihard_loss as triplet_semihard_loss
from slim_losses.collection import *
