"""Writing catalogues: galgen, astropy and fitsio against a plain ``os.pwrite`` of as many bytes.

    pytest bench/bench_fits.py --benchmark-only

Every round writes plainly first and then with the writer in question, both to an fsync, so that
ratios hold on a disk that others use too. Galaxies are 1024 random ones, again and again.
``GALGEN_BENCH_GALAXIES`` (16384, of 0.8 GB) and ``GALGEN_BENCH_SIZE`` (64 pixels) say how many and
how large.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter

import fitsio
import numpy as np
import pytest
from astropy.io import fits

from galgen.batch import GalaxyBatch
from galgen.catalog import write_catalog
from galgen.catalog.format.layout import plan
from galgen.catalog.format.schema import catalog_columns, pack_rows, row_dtype
from galgen.measure.columns import measured_columns
from galgen.runinfo import RunInfo

GALAXIES = int(os.environ.get("GALGEN_BENCH_GALAXIES", 16384))
SIZE = int(os.environ.get("GALGEN_BENCH_SIZE", 64))
BATCH = min(GALAXIES, 1024)
BANDS = ("g", "r", "i")
ROUNDS = 7

INFO = RunInfo(
    n=GALAXIES // BATCH * BATCH,
    seed=0,
    bands=BANDS,
    height=SIZE,
    width=SIZE,
    request="galaxy",
    flux_unit="nJy",
    flux_calibration="LINEAR",
    lupton=None,
    zero_point=31.4,
    pixel_scale=0.2,
    model="none",
    model_version="0",
    weights_sha256="0" * 64,
    sampler="none",
    steps=1,
    guidance=1.0,
    micro_batch=BATCH,
    dtype="float32",
    kernels="reference",
    device="cpu",
    training_set="random numbers",
    credit="nobody",
)
LAYOUT = plan(INFO)
STARTS = range(0, INFO.n, BATCH)


@dataclass(frozen=True)
class Galaxies:
    """One batch, as generation hands it over and as the other writers want it."""

    batch: GalaxyBatch
    rows: np.ndarray
    cubes_bnhw: np.ndarray  # contiguous, which spares the other writers a copy


@pytest.fixture(scope="module")
def galaxies() -> Galaxies:
    """Make the galaxies once."""
    return make_galaxies()


def make_galaxies() -> Galaxies:
    """Random ones."""
    generator = np.random.default_rng(0)
    names = [column.name for column in measured_columns(BANDS)]
    stamps_nbhw = generator.normal(size=(BATCH, len(BANDS), SIZE, SIZE)).astype(np.float32)
    batch = GalaxyBatch(
        galaxy_id_n=np.arange(BATCH),
        category_n=np.full(BATCH, 6, np.int16),
        stamps_nbhw=stamps_nbhw,
        measured={name: generator.normal(size=BATCH).astype(np.float32) for name in names},
        bands=BANDS,
        seed=INFO.seed,
    )
    rows = pack_rows(batch, row_dtype(catalog_columns(BANDS, INFO.flux_unit)))
    return Galaxies(batch, rows, np.ascontiguousarray(stamps_nbhw.swapaxes(0, 1)))


def with_galgen(path: Path, galaxies: Galaxies) -> None:
    """Write them as galgen does."""
    ids = galaxies.batch.galaxy_id_n
    write_catalog(path, (replace(galaxies.batch, galaxy_id_n=ids + s) for s in STARTS), INFO)


def with_pwrite(path: Path, galaxies: Galaxies) -> None:
    """Write the same bytes to the same places, but for byte order and headers."""
    _, *places = LAYOUT.hdus
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    os.posix_fallocate(fd, 0, LAYOUT.total_bytes)
    for start in STARTS:
        for place, data in zip(places, [galaxies.rows, *galaxies.cubes_bnhw], strict=True):
            os.pwrite(fd, data.view(np.uint8), place.data_start + start * place.stride)
    os.fsync(fd)
    os.close(fd)


def with_fitsio(path: Path, galaxies: Galaxies, checksums: bool = False) -> None:
    """Write them with fitsio."""
    with fitsio.FITS(path, "rw") as file:
        file.write(galaxies.rows, extname="CATALOG")
        for _ in STARTS[1:]:
            file["CATALOG"].append(galaxies.rows)
        for band, cube in zip(BANDS, galaxies.cubes_bnhw, strict=True):
            file.create_image_hdu(dims=(INFO.n, SIZE, SIZE), dtype="f4", extname=f"STAMPS_{band}")
            for start in STARTS:
                file[-1].write(cube, start=(start, 0, 0))
        if checksums:
            for hdu in file:
                hdu.write_checksum()
    sync(path)


def with_fitsio_checksums(path: Path, galaxies: Galaxies) -> None:
    """Write them with fitsio, checksums included."""
    with_fitsio(path, galaxies, checksums=True)


def with_astropy(path: Path, galaxies: Galaxies) -> None:
    """All in memory, as astropy wants it; without checksums."""
    repeats = len(STARTS)
    hdus = [fits.PrimaryHDU(), fits.BinTableHDU(np.tile(galaxies.rows, repeats), name="CATALOG")]
    for band, cube in zip(BANDS, galaxies.cubes_bnhw, strict=True):
        hdus.append(fits.ImageHDU(np.tile(cube, (repeats, 1, 1)), name=f"STAMPS_{band}"))
    fits.HDUList(hdus).writeto(path)
    sync(path)


def with_astropy_table(path: Path, galaxies: Galaxies) -> None:
    """All in one BinTableHDU, stamps as vectors; a table of `BATCH` galaxies again and again."""
    columns = [
        fits.Column(name, rows_format(galaxies.rows.dtype[name]), array=galaxies.rows[name])
        for name in galaxies.rows.dtype.names
    ]
    columns += [
        fits.Column(f"STAMPS_{band}", f"{SIZE * SIZE}E", dim=f"({SIZE},{SIZE})", array=cube)
        for band, cube in zip(BANDS, galaxies.cubes_bnhw, strict=True)
    ]
    table = fits.BinTableHDU.from_columns(columns)
    fits.HDUList([fits.PrimaryHDU(), *(table.copy() for _ in STARTS)]).writeto(path)
    sync(path)


def rows_format(dtype: np.dtype) -> str:
    """FITS type of a column of the table."""
    return (
        f"{dtype.itemsize}A"
        if dtype.kind == "S"
        else {"i8": "K", "i2": "I", "f4": "E"}[dtype.str[1:]]
    )


def sync(path: Path) -> None:
    """Wait until the file is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file)


@pytest.mark.parametrize(
    "writer",
    [with_galgen, with_fitsio, with_fitsio_checksums, with_astropy, with_astropy_table],
)
def test_write(
    benchmark,
    galaxies: Galaxies,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    writer: Callable[[Path, Galaxies], None],
):
    """Time one way to write."""
    path = tmp_path / "cat.fits"
    plain_seconds: list[float] = []

    def plain() -> tuple:
        path.unlink(missing_ok=True)
        start = perf_counter()
        with_pwrite(path, galaxies)
        plain_seconds.append(perf_counter() - start)
        path.unlink()
        return (path, galaxies), {}

    benchmark.pedantic(writer, setup=plain, rounds=ROUNDS, warmup_rounds=1)
    megabytes = LAYOUT.total_bytes / 1e6
    assert path.stat().st_size == pytest.approx(megabytes * 1e6, rel=0.01)
    seconds, plain_second = benchmark.stats.stats.median, median(plain_seconds[1:])
    benchmark.extra_info["megabytes_per_second"] = megabytes / seconds
    benchmark.extra_info["of_plain_pwrite"] = plain_second / seconds
    with capsys.disabled():
        print(
            f"\n{writer.__name__}: {megabytes / seconds:.0f} MB/s, "
            f"{plain_second / seconds:.0%} of plain pwrite ({megabytes / plain_second:.0f} MB/s)"
        )
