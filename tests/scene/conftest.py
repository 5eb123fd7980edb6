"""Catalogues to draw from, and a command to draw with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from galgen.data import StampSet
from galgen.request.table import InputTable
from galgen.scene import CatalogGalaxies, Field, Imaging, make_scene, read_sources
from tests.real import fixture_stamps, population, write_real

CLEAN = Imaging(psf=("none",), depth=(np.inf,))


@pytest.fixture(scope="session")
def real_catalog(tmp_path_factory) -> Path:
    """32 real galaxies with their sky, noise and neighbours; no two alike."""
    path = tmp_path_factory.mktemp("real") / "cat.fits"
    return write_real(path, population(32, seed=1))


def one_galaxy(path: Path, image_hw: np.ndarray) -> Path:
    """A catalogue of one galaxy, three times as bright in the last band as in the first."""
    image_hw = image_hw.astype(np.float32)
    stamps = StampSet(
        pixels=np.stack([image_hw, 2 * image_hw, 3 * image_hw], -1)[None],
        native="flux",
        bands=fixture_stamps().bands,
        category=np.zeros(1, np.int16),
        ids=np.array(["formula"]),
        lupton="sdss",
        source="formula",
    )
    return write_real(path, stamps)


def _gaussian(path: Path, along: float, across: float) -> Path:
    """One galaxy: an elliptical Gaussian of some widths along +x and +y, in pixels."""
    x = np.arange(64) - 30.3  # off the centre of the stamp, and between pixels
    y = np.arange(64)[:, None] - 32.6
    return one_galaxy(path, np.exp(-0.5 * (x**2 / along**2 + y**2 / across**2)))


@pytest.fixture(scope="session")
def ellipse_catalog(tmp_path_factory) -> Path:
    """One galaxy with its major axis along +x."""
    return _gaussian(tmp_path_factory.mktemp("ellipse") / "cat.fits", 6, 3)


@pytest.fixture(scope="session")
def round_catalog(tmp_path_factory) -> Path:
    """One round galaxy."""
    return _gaussian(tmp_path_factory.mktemp("round") / "cat.fits", 4, 4)


@pytest.fixture
def draw(tmp_path) -> Callable[..., fits.HDUList]:
    """Draw listed galaxies of a catalogue; columns as arrays, the file as it is read back."""

    def call(
        catalog: Path, field: Field, imaging: Imaging = CLEAN, seed=0, lens=(), **columns: object
    ):
        listed, out = tmp_path / "listed.ecsv", tmp_path / "scene.fits"
        columns = {"mag": 18.0, "half_light_radius": 1.0} | columns
        n = len(np.atleast_1d(columns["ra"]))
        columns = {name: np.broadcast_to(values, n) for name, values in columns.items()}
        Table(columns).write(listed, overwrite=True)
        galaxies = CatalogGalaxies(catalog, seed)
        margin = imaging.margin(galaxies.bands, field.pixel_scale)
        sources = read_sources(
            InputTable(listed), field, galaxies.bands, margin=margin, seed=seed, lens=lens
        )
        make_scene(out, galaxies, sources, field, imaging, seed=seed, overwrite=True)
        with fits.open(out, memmap=False) as hdus:
            for hdu in hdus:
                hdu.data  # noqa: B018  read before the file is closed
        return hdus

    return call
