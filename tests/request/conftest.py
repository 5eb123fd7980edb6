"""The model of tests after tables, a table, and what is made after it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galgen.catalog import write_catalog
from galgen.generate import GalaxyModel, load_model
from tests.request.tractor import columns, like, tractor


@pytest.fixture(scope="module")
def model() -> GalaxyModel:
    """The shipped weights: what random ones make cannot be measured."""
    return load_model(device="cpu")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("survey") / "tractor.fits"
    hdu = fits.table_to_hdu(tractor())
    for i, name in enumerate(hdu.columns.names, 1):
        if name.startswith("FLUX_"):
            hdu.header[f"TUNIT{i}"] = "nanomaggy"
        if name == "SHAPE_R":
            hdu.header[f"TCOMM{i}"] = "half-light radius of galaxy model"
    hdu.writeto(path)
    return path


@pytest.fixture(scope="module")
def mock(model: GalaxyModel, path: Path) -> Path:
    """The catalogue of the Tractor table."""
    run = like(model, path)
    return write_catalog(path.with_name("mock.fits"), run, run.info)


@pytest.fixture(scope="module")
def whole(model: GalaxyModel, path: Path) -> dict[str, np.ndarray]:
    """The same galaxies as arrays."""
    return columns(like(model, path))
