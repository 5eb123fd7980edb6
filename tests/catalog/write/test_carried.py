"""Columns carried over from an input table, in the file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galgen.batch import IDENTITY, GalaxyBatch
from galgen.catalog import CatalogFile, CatalogWriter, finish, verify, write_catalog
from galgen.catalog.format import layout
from galgen.catalog.format.layout import plan
from galgen.catalog.format.schema import catalog_columns, row_dtype, run_columns
from galgen.columns import Column
from galgen.errors import InvalidValueError
from galgen.runinfo import RunInfo
from tests.catalog.synthetic import accept, make_batch, run_info

COLUMNS = (
    Column("redshift", "D", "", "not measured where NaN"),
    Column("Name", "5A", "", ""),
    Column("FLAGS", "11X"),
    Column("PDF", "3E", "1 / mag", "a vector", (("TDIM", "(3)"), ("TDISP", "F7.3"))),
    Column("MASK", "L"),
    Column("ID", "J", "", "unsigned", (("TZERO", 2**31),)),
    Column("MAG", "I", "mag", "scaled", (("TNULL", -1), ("TSCAL", 0.001), ("TZERO", 20.0))),
    Column("Z", "M"),
)


@pytest.fixture
def info() -> RunInfo:
    return run_info(like="survey.fits", like_sha256="0" * 64, like_rows=9, carried=COLUMNS)


def carrying(info: RunInfo, start: int = 0, stop: int | None = None) -> GalaxyBatch:
    """The synthetic galaxies with random bytes in every column that may hold any."""
    batch = make_batch(info, start, stop)
    carried = {}
    for column in COLUMNS:
        rows = [
            np.random.default_rng(int(i)).bytes(column.dtype.itemsize) for i in batch.galaxy_id_n
        ]
        carried[column.name] = np.array(
            [np.frombuffer(row, column.dtype.base) for row in rows], column.dtype.base
        )
        if not column.dtype.shape:
            carried[column.name] = carried[column.name][:, 0]
    carried["FLAGS"][:, 1] &= 0b11100000  # bits beyond the eleventh must be 0
    carried["redshift"] = np.where(batch.galaxy_id_n % 2, np.nan, 0.5).astype(">f8")
    carried["Name"] = np.array([f"g{i}" for i in batch.galaxy_id_n], "S5")
    carried["MASK"] = np.where(batch.galaxy_id_n % 3, ord("T"), ord("F")).astype("i1")
    carried["MAG"] = np.where(batch.galaxy_id_n % 3, 1500, -1).astype(">i2")
    return replace(batch, carried=carried)


def test_every_type_comes_back(tmp_path: Path, info: RunInfo):
    batch = carrying(info)
    path = write_catalog(tmp_path / "a.fits", [carrying(info, 3), carrying(info, 0, 3)], info)
    accept(path)
    assert verify(path).ok
    with fits.open(path) as hdus:
        assert hdus["CATALOG"].header["NAXIS1"] % 4 == 0
        raw = hdus["CATALOG"].data.view(np.ndarray)
        for name, column in batch.carried.items():
            assert raw[name].tobytes() == column.tobytes(), name
    with CatalogFile(path) as file:
        assert file.info.carried == COLUMNS
        assert vars(file.info) == vars(info)
        assert file.column("MAG")[1] == pytest.approx(21.5)
        assert file.column("Name").tolist() == [f"g{i}" for i in range(7)]
        assert file.column("ID").dtype == np.uint32
        assert file.column("MASK").dtype == bool
        assert file.table["PDF"].unit == "1 / mag"
        assert file.table["PDF"].shape == (7, 3)
        copy = write_catalog(tmp_path / "copy.fits", file.batches(2), file.info)
    assert copy.read_bytes() == path.read_bytes()


def test_rows_are_whole_words(info: RunInfo):
    for count in range(len(COLUMNS) + 1):
        columns = run_columns(replace(info, carried=COLUMNS[:count]))
        assert row_dtype(columns).itemsize % 4 == 0
        spare = [column.name for column in columns].count("SPARE")
        assert spare == (sum(c.dtype.itemsize for c in COLUMNS[:count]) % 4 > 0)


def test_no_value_of_theirs_is_no_fault_of_ours(tmp_path: Path, info: RunInfo):
    report = verify(write_catalog(tmp_path / "a.fits", [carrying(info)], info))
    assert set(report.not_measured) == {"SNR"}


def test_an_interrupted_run_keeps_them(tmp_path: Path, info: RunInfo):
    with pytest.raises(KeyboardInterrupt), CatalogWriter(tmp_path / "a.fits", info) as writer:  # noqa: PT012
        writer.write(carrying(info, 0, 3))
        raise KeyboardInterrupt
    assert finish(tmp_path / "a.fits", partial=True) == 3
    accept(tmp_path / "a.fits")
    with CatalogFile(tmp_path / "a.fits") as file:
        assert file.column("Name").tolist() == ["g0", "g1", "g2"]
        assert file.info.carried == COLUMNS


def test_what_does_not_fit(tmp_path: Path, info: RunInfo):
    good = carrying(info)
    less = {name: column for name, column in good.carried.items() if name != "PDF"}
    with CatalogWriter(tmp_path / "a.fits", info) as writer:
        for wrong in (less, good.carried | {"MORE": good.carried["ID"]}):
            with pytest.raises(InvalidValueError, match="columns"):
                writer.write(replace(good, carried=wrong))
        writer.write(good)
    with pytest.raises(InvalidValueError, match="ID shape"):
        replace(good, carried={"ID": good.carried["ID"][:3]})
    for name in ("redshift", "snr", "Seed"):
        twice = replace(info, carried=(*COLUMNS, Column(name, "J")))
        with pytest.raises(InvalidValueError, match=rf"carried columns.*{name.upper()}"):
            write_catalog(tmp_path / "b.fits", [], twice)


def test_identity_is_what_comes_first():
    assert tuple(c.name for c in catalog_columns(("g",), "adu"))[:4] == IDENTITY


def test_columns_are_kept_in_json_under_these_names():
    """Ledgers of unfinished catalogues have them."""
    text = """{"name": "MAG", "form": "I", "unit": "mag", "description": "scaled",
    "cards": [["TNULL", -1], ["TSCAL", 0.001], ["TZERO", 20.0]]}"""
    column = next(column for column in COLUMNS if column.name == "MAG")
    info = run_info(carried=(column,))
    assert info.to_json()["carried"] == [json.loads(text)]
    assert RunInfo.from_json(info.to_json() | {"carried": [json.loads(text)]}) == info


def test_more_columns_than_fits_has_are_refused():
    """A table with more is one that CFITSIO does not open."""
    many = tuple(Column(f"C{i}", "J") for i in range(1000))
    ours = len(run_columns(run_info()))
    assert plan(run_info(carried=many[: 999 - ours])).hdus[1].header["TFIELDS"] == 999
    with pytest.raises(InvalidValueError, match=f"is {1000 - ours}; allowed: {999 - ours} or less"):
        plan(run_info(carried=many[: 1000 - ours]))


@pytest.mark.filterwarnings("ignore:.*HIERARCH")
def test_more_columns_than_fits_has_are_found(tmp_path: Path, monkeypatch):
    """In files that were written before that was refused."""
    monkeypatch.setattr(layout, "MOST_COLUMNS", 2000)
    info = run_info(carried=tuple(Column(f"C{i}", "J") for i in range(1000)))
    batch = make_batch(info)
    batch = replace(batch, carried={c.name: np.zeros(len(batch), ">i4") for c in info.carried})
    report = verify(write_catalog(tmp_path / "cat.fits", [batch], info))
    assert "a FITS table has 999 at most" in str(report)
