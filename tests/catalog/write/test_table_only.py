"""Catalogues without stamps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from galgen.catalog import CatalogFile, verify, write_catalog
from galgen.catalog.convert.compress import compress_catalog
from galgen.catalog.convert.concat import concatenate_catalogs
from galgen.catalog.read.describe import describe_file
from galgen.catalog.write.writer import CatalogWriter
from galgen.data.flux import read_flux_fits
from galgen.errors import DataError, InvalidValueError
from galgen.export.hdf5 import export_hdf5
from galgen.export.imagefolder import export_imagefolder
from galgen.export.meds import export_meds
from galgen.pictures.sheet import preview
from galgen.runinfo import RunInfo
from galgen.scene.galaxies import CatalogGalaxies
from tests.catalog.synthetic import accept, make_batch, run_info


def write(path: Path, info: RunInfo) -> Path:
    return write_catalog(path, [make_batch(info)], info)


@pytest.fixture
def table_only(tmp_path: Path) -> Path:
    return write(tmp_path / "cat.fits", run_info(stamps="none"))


def test_a_table_without_stamps_is_a_catalogue(tmp_path: Path, table_only: Path):
    accept(table_only)
    assert verify(table_only).ok
    info = run_info(stamps="none")
    full = write(tmp_path / "full.fits", run_info())
    with CatalogFile(table_only) as file, CatalogFile(full) as other:
        assert [hdu.name for hdu in file.hdus] == ["PRIMARY", "CATALOG"]
        assert replace(file.info, request="") == replace(info, request="")
        assert file.rows.tobytes() == other.rows.tobytes()
        assert file.table["FLUX_R"].unit == "adu"
    assert {entry.hdu for entry in describe_file(table_only)} == {"PRIMARY", "CATALOG"}
    more = write(tmp_path / "more.fits", run_info(3, seed=8, stamps="none"))
    assert concatenate_catalogs([table_only, more], tmp_path / "both.fits") == 10
    accept(tmp_path / "both.fits")
    assert verify(tmp_path / "both.fits").ok


def test_a_stopped_table_and_several_files(tmp_path: Path):
    info = run_info(7, stamps="none", per_file=4)
    writer = CatalogWriter(tmp_path / "cat.fits", info)
    writer.write(make_batch(info, 0, 5))
    writer.close()
    with CatalogWriter(tmp_path / "cat.fits", info, resume=True) as writer:
        assert writer.missing == ((5, 7),)
        writer.write(make_batch(info, 5, 7))
    for number, n in ((0, 4), (1, 3)):
        path = tmp_path / f"cat.000{number}.fits"
        accept(path)
        assert verify(path).galaxies == n


def _open_and(path: Path, use: Callable[[CatalogFile], object]) -> None:
    with CatalogFile(path) as file:
        use(file)


NEEDS_STAMPS: dict[str, Callable[[Path, Path], object]] = {
    "stamps": lambda path, out: _open_and(path, lambda file: file.stamps()),
    "batches": lambda path, out: _open_and(path, lambda file: next(file.batches())),
    "preview": lambda path, out: preview(path, out / "x.png"),
    "compress": lambda path, out: compress_catalog(path, out / "x.fz"),
    "hdf5": lambda path, out: export_hdf5(path, out / "x.h5"),
    "zip": lambda path, out: export_imagefolder(path, out / "x.zip"),
    "folder": lambda path, out: export_imagefolder(path, out / "x"),
    "scene": lambda path, out: CatalogGalaxies(path),
}


@pytest.mark.parametrize("use", NEEDS_STAMPS.values(), ids=NEEDS_STAMPS)
def test_what_needs_stamps_says_so_and_writes_nothing(tmp_path: Path, table_only: Path, use):
    (tmp_path / "out").mkdir()
    with pytest.raises(InvalidValueError, match="stamps='none'"):
        use(table_only, tmp_path / "out")
    assert not any((tmp_path / "out").iterdir())


def test_a_table_needs_no_stamps_for_hats(tmp_path: Path, table_only: Path):
    pytest.importorskip("hats")
    from galgen.export.hats import export_hats

    export_hats(table_only, tmp_path / "sky", ra=(150, 152), dec=(1, 3))
    assert list((tmp_path / "sky").rglob("*.parquet"))


def test_galsim_needs_stamps(table_only: Path):
    pytest.importorskip("galsim")
    from galgen.galsim import GalgenCatalog

    with pytest.raises(InvalidValueError, match="stamps='none'"):
        GalgenCatalog(table_only)


def test_meds_need_stamps(tmp_path: Path):
    path = write(tmp_path / "cat.fits", run_info(height=6, stamps="none"))
    with pytest.raises(InvalidValueError, match="stamps='none'"):
        export_meds(path, tmp_path / "x.fits")
    assert [p.name for p in tmp_path.iterdir()] == ["cat.fits"]


def test_training_needs_stamps(table_only: Path):
    with pytest.raises(DataError, match="no stamps found"):
        read_flux_fits(table_only)
