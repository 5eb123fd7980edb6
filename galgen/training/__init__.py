"""Training: `train` does everything from data files to exported weights."""

from galgen.training.intrinsic import train_intrinsic
from galgen.training.job import Trained, train
from galgen.training.loop import Progress

__all__ = ["Progress", "Trained", "train", "train_intrinsic"]
