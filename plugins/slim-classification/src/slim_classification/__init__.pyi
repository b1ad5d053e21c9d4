from ._classification import Classification as Classification
from ._multilabel import Multilabel as Multilabel
