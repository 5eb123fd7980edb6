"""galgen: realistic, category-labelled galaxy images by the million, straight to FITS.

Examples
--------
>>> import galgen
>>> model = galgen.load_model()
>>> run = model.generate("spiral", 16, seed=1)
>>> galgen.write_catalog("spirals.fits", run, run.info)  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import Any

import galgen.system.forks  # noqa: F401  # from now on, forked processes do not wait for threads

__version__ = "0.1.0"

# Where public names are; `__init__.pyi` tells type checkers the same.
_PUBLIC = {
    "GalaxyBatch": "galgen.batch",
    "RunInfo": "galgen.runinfo",
    "CatalogFile": "galgen.catalog",
    "write_catalog": "galgen.catalog",
    "Recipe": "galgen.produce.recipe",
    "evaluate": "galgen.evaluation",
    "export_hats": "galgen.export.hats",
    "export_hdf5": "galgen.export.hdf5",
    "export_imagefolder": "galgen.export.imagefolder",
    "export_imsim": "galgen.export.imsim",
    "export_meds": "galgen.export.meds",
    "export_realgalaxy": "galgen.export.realgalaxy",
    "Observing": "galgen.generate.observe",
    "Sampling": "galgen.generate.sampling",
    "load_model": "galgen.generate",
    "make_scene": "galgen.scene",
    "preview": "galgen.pictures.sheet",
    "train": "galgen.training",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    """Import public names on first use, so that ``galgen --help`` answers at once."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'galgen' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
