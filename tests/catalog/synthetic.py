"""Random galaxies for catalogues, and the FITS checkers that every file here must pass."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fitsio
import numpy as np
from astropy.io import fits

from galgen.batch import GalaxyBatch
from galgen.categories import CATEGORIES
from galgen.measure.columns import measured_columns
from galgen.runinfo import RunInfo

SEED = 2**53 + 1  # no float holds it


def run_info(n=7, bands=("g", "r", "i"), height=5, width=6, **changed) -> RunInfo:
    """Provenance whose texts include long ones and quotes; 5 x 6 pixels are not square."""
    values = {
        "n": n,
        "seed": SEED,
        "bands": bands,
        "height": height,
        "width": width,
        "request": "spiral:0.6,smooth:0.4",
        "flux_unit": "adu",
        "flux_calibration": "RGBINV",
        "lupton": "sdss",
        "zero_point": None,
        "pixel_scale": None,
        "model": "fast",
        "model_version": "0.1.0",
        "weights_sha256": "0123456789abcdef" * 4,  # fills a card to its last column but four
        "sampler": "dpmpp-2m",
        "steps": 16,
        "guidance": 1.1,
        "micro_batch": 32,
        "dtype": "float32",
        "kernels": "reference",
        "device": "cpu",
        "training_set": "galaxies64, '64 x 64' pixels",
        "credit": "SDSS; Galaxy Zoo's volunteers " + 20 * "'" + " & many others" * 6,
        "versions": {"galgen": "0.1.0", "numpy": "2.4.6", "torch": "2.13.0+cpu"},
    }
    return RunInfo(**values | changed)


def make_batch(info: RunInfo, start: int = 0, stop: int | None = None) -> GalaxyBatch:
    """Galaxies `start` to `stop` of a run, the same ones however they are cut into batches."""
    ids = np.arange(start, info.n if stop is None else stop)
    shape = (len(info.bands), info.height, info.width)
    stamps = [np.random.default_rng(i).normal(size=shape) for i in ids]
    names = [column.name for column in measured_columns(info.bands)]
    columns = [np.random.default_rng(10**6 + i).normal(size=len(names)) for i in ids]
    columns = np.array(columns).reshape(len(ids), len(names))
    columns[ids % 3 == 1, -1] = np.nan  # SNR was not measured
    return GalaxyBatch(
        galaxy_id_n=ids,
        category_n=(ids % len(CATEGORIES)).astype(np.int16),
        stamps_nbhw=np.array(stamps, dtype=np.float32).reshape(-1, *shape),
        measured=dict(zip(names, columns.T.astype(np.float32), strict=True)),
        bands=info.bands,
        seed=info.seed,
    )


def accept(path: Path) -> None:
    """Fail unless astropy, fitsio and (where installed; always in CI) fitsverify accept a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(path, checksum=True) as hdus:
            hdus.verify("exception")
            for hdu in hdus:
                assert {"CHECKSUM", "DATASUM"} <= set(hdu.header)
                hdu.data  # noqa: B018  read, and checked then
    with fitsio.FITS(path) as file:
        for hdu in file:
            assert hdu.verify_checksum() is None
    if shutil.which("fitsverify") or os.environ.get("CI") == "true":
        result = subprocess.run(["fitsverify", "-q", path], capture_output=True, text=True)
        assert "verification OK" in result.stdout, result.stdout


def sha256(path: Path) -> str:
    """Digest of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """The kernel refuses bytes beyond `size` in any file, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
