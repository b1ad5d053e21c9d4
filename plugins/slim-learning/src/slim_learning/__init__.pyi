from .task import Task as Task
from .task import require as require
