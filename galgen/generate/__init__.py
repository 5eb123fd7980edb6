"""From a request to batches of galaxies."""

from galgen.generate.model import GalaxyModel, load_model
from galgen.generate.run import Run

__all__ = ["GalaxyModel", "Run", "load_model"]
