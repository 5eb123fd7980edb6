"""From a request to batches of galaxies."""

from galgen.generate.model import GalaxyModel, Run, load_model

__all__ = ["GalaxyModel", "Run", "load_model"]
