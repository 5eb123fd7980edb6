"""What the README promises, with the shipped weights and real processes."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import fitsio
import numpy as np
import pytest
import torch
from astropy.io import fits

import galgen
from galgen.data import open_stamps
from galgen.pixels.space import lupton_preset
from galgen.weights import SHIPPED_WEIGHTS

N = 17  # not a multiple of any micro-batch used here


def mass(out: Path, *arguments: object, category: str = "spiral", n: int = N) -> Path:
    """Run ``galgen mass`` in a process of its own."""
    command = [sys.executable, "-m", "galgen", "mass", "--quiet", "--out", out, "--n", n]
    command += ["--category", category, *arguments]
    subprocess.run([str(word) for word in command], check=True, timeout=500)
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("end-to-end")


@pytest.fixture(scope="module")
def spirals(folder) -> Path:
    """The README's first command, with fewer galaxies."""
    return mass(folder / "spirals.fits", "--batch", 8)


def test_every_reader_accepts_the_file(spirals):
    with fits.open(spirals, checksum=True) as hdus:
        hdus.verify("exception")
        assert len(hdus["CATALOG"].data) == N
    with fitsio.FITS(spirals) as hdus:
        for hdu in hdus:
            checked = hdu.verify_checksum()
            assert checked is None or all(checked.values())
        assert hdus["STAMPS_R"].read().shape == (N, 64, 64)
    fitsverify = shutil.which("fitsverify")
    if fitsverify is None:
        assert not os.environ.get("CI"), "CI has to install Debian's fitsverify"
        pytest.skip("fitsverify is not installed")
    subprocess.run([fitsverify, "-q", spirals], check=True)


def test_galaxies_are_galaxies(spirals):
    """Measured, centred, of plausible size: what noise or a blank stamp is not."""
    with galgen.CatalogFile(spirals) as catalog:
        table, stamps_nbhw = catalog.table, catalog.stamps()
    assert np.isfinite(table["HALF_LIGHT_RADIUS"]).all()
    assert np.median(np.abs(table["X_CENTROID"].value - 31.5)) < 2
    assert 2 < np.median(table["HALF_LIGHT_RADIUS"].value) < 10
    assert stamps_nbhw.std(axis=(1, 2, 3)).min() > 0


def test_micro_batch_changes_last_bits_only(spirals, folder):
    other = mass(folder / "batch5.fits", "--batch", 5)
    with galgen.CatalogFile(spirals) as a, galgen.CatalogFile(other) as b:
        np.testing.assert_array_equal(a.column("CATEGORY"), b.column("CATEGORY"))
        first, second = a.stamps(), b.stamps()
    peak = np.abs(first).max(axis=(1, 2, 3), keepdims=True)
    assert (np.abs(first - second) / peak).max() < 1e-4


def test_fewer_galaxies_are_the_first_ones(spirals, folder):
    fewer = mass(folder / "fewer.fits", "--batch", 8, n=10)
    with fits.open(spirals) as a, fits.open(fewer) as b:
        for name in ("STAMPS_G", "STAMPS_R", "STAMPS_I"):
            np.testing.assert_array_equal(a[name].data[:10], b[name].data)
        for name in a["CATALOG"].columns.names:
            np.testing.assert_array_equal(a["CATALOG"].data[name][:10], b["CATALOG"].data[name])


def test_the_same_run_gives_the_same_bytes(spirals, folder):
    again = mass(folder / "again.fits", "--batch", 8)
    assert again.read_bytes() == spirals.read_bytes()


def test_exported_images_give_the_stamps_back(spirals, folder):
    count = galgen.export_imagefolder(spirals, folder / "images.zip")
    back = open_stamps(folder / "images.zip")
    with galgen.CatalogFile(spirals) as catalog:
        stamps_nbhw, info = catalog.stamps(), catalog.info
    assert count == len(back) == N
    assert back.bands == info.bands
    stretch = lupton_preset(info.lupton, info.bands)
    order = np.argsort([int(name.rpartition("-")[2]) for name in back.ids])  # seed-galaxy
    display = stretch.to_display(torch.from_numpy(stamps_nbhw.transpose(0, 2, 3, 1).copy()))
    difference = back.pixels[order].astype(float) - 255 * display.numpy()
    assert np.abs(difference).max() <= 1


def test_categories_differ_as_they_should(folder):
    """Round galaxies are rounder than edge-on ones, and redder than spirals."""
    path = mass(folder / "mixed.fits", "--batch", 12, category="round:1,edge-on:1,spiral:1", n=36)
    with galgen.CatalogFile(path) as catalog:
        table = catalog.table
    names = np.array([str(name).strip() for name in table["CATEGORY_NAME"]])

    def median(column: str, category: str) -> float:
        return float(np.nanmedian(table[column].value[names == category]))

    assert set(names) == {"round-smooth", "edge-on", "spiral"}
    assert median("AXIS_RATIO", "round-smooth") > median("AXIS_RATIO", "edge-on") + 0.2
    assert median("COLOR_G_R", "round-smooth") > median("COLOR_G_R", "spiral") + 0.1


def peak_memory(weights: Path, out: Path, n: int) -> int:
    """Peak resident memory in kB of a ``galgen mass`` of n galaxies."""
    mass(out, "--weights", weights, "--steps", 1, "--batch", 64, n=n)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def test_memory_does_not_grow_with_the_number_of_galaxies(tiny_weights, tmp_path):
    """The peak of all children so far is what the system reports: so small runs come first."""
    code = (
        "import sys; from pathlib import Path; from tests.test_end_to_end import peak_memory\n"
        "weights, out = map(Path, sys.argv[1:])\n"
        "print(peak_memory(weights, out / 'a.fits', 500), end=' ')\n"
        "print(peak_memory(weights, out / 'b.fits', 5000))\n"
    )
    command = [sys.executable, "-c", code, str(tiny_weights), str(tmp_path)]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, timeout=500)
    few, many = map(int, shown.stdout.split())
    assert many <= 1.05 * few  # 4,500 stamps of 12 kB would be 1.16 times as much


def test_shipped_weights_fit_a_package():
    """An index takes 100 MB a file; a clone brings all that was ever shipped."""
    size = sum(path.stat().st_size for path in SHIPPED_WEIGHTS.iterdir())
    assert size <= 42 * 2**20
    assert all(path.stat().st_size <= 16 * 2**20 for path in SHIPPED_WEIGHTS.iterdir())
