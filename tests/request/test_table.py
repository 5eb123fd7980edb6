"""Tables that users bring, in the forms and under the names that surveys use."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from galgen.errors import DataError, InvalidValueError
from galgen.request.labels import MISSING, category_codes
from galgen.request.names import parse_map
from galgen.request.table import InputTable


def written(path: Path, table: Table) -> Path:
    form = {".fits": "fits", ".csv": "ascii.csv", ".ecsv": "ascii.ecsv"}[path.suffix]
    table.write(path, format=form)
    return path


@pytest.fixture
def table() -> Table:
    table = Table(
        {
            "RA": [10.0, 11.0, 12.0],
            "TYPE": ["spiral", "", "round"],
            "SHAPE_R": np.array([1.5, 0.0, 2.0], np.float32),
            "N": [1, 2, 3],
        }
    )
    table["SHAPE_R"].unit = "arcsec"
    table["SHAPE_R"].description = "half-light radius"
    return table


@pytest.mark.parametrize("suffix", [".fits", ".csv", ".ecsv"])
def test_forms_of_file(tmp_path: Path, table: Table, suffix: str):
    path = written(tmp_path / f"a{suffix}", table)
    got = InputTable(path, {"category": "TYPE"})
    assert len(got) == 3
    assert got.numbers("ra", unit="deg").tolist() == [10, 11, 12]
    np.testing.assert_allclose(got.numbers("half_light_radius", unit="arcsec"), [1.5, 0, 2])
    assert got.find("category") == "TYPE"
    assert got.labels("TYPE") == ["spiral", None, "round"]
    assert got.labels("TYPE", np.array([2, 0, 0])) == ["round", "spiral", "spiral"]
    assert got.numbers("ra", unit="deg", rows=slice(1, 3)).tolist() == [11, 12]
    assert np.isnan(got.numbers("dec", unit="deg", rows=slice(1, 3))).tolist() == [True] * 2
    assert got.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    if suffix != ".csv":
        column = got.column("SHAPE_R")
        assert (column.unit, column.form.lstrip("1")) == ("arcsec", "E")
    if suffix == ".ecsv":
        assert column.description == "half-light radius"


@pytest.mark.parametrize("suffix", [".fits", ".csv", ".ecsv"])
def test_no_rows(tmp_path: Path, table: Table, suffix: str):
    """A field may well be empty."""
    got = InputTable(written(tmp_path / f"a{suffix}", table[:0]))
    assert len(got) == 0
    assert category_codes(got).tolist() == []
    assert len(got.numbers("dec", unit="deg")) == 0
    assert suffix == ".csv" or len(got.numbers("ra", unit="deg", required=True)) == 0


def test_fits_is_mapped_not_read(tmp_path: Path, table: Table):
    raw = InputTable(written(tmp_path / "a.fits", table)).raw("N")
    while raw.base is not None and not isinstance(raw, np.memmap):
        raw = raw.base
    assert isinstance(raw, np.memmap)


def test_a_worker_gets_the_same_table(tmp_path: Path, table: Table):
    got = InputTable(written(tmp_path / "a.fits", table), {"mag_r": "RA"})
    copy = pickle.loads(pickle.dumps(got))
    assert copy.find("mag_r") == "RA"
    assert copy.raw("TYPE").tolist() == got.raw("TYPE").tolist()


@pytest.mark.parametrize("suffix", [".fits", ".csv", ".ecsv"])
def test_no_value(tmp_path: Path, suffix: str):
    mask = [False, True]
    table = Table(
        {
            "category": MaskedColumn([3, 4], mask=mask),
            "ra": MaskedColumn([999999.0, 2.0], mask=mask),
            "morphology": MaskedColumn(["N/A", "x"], mask=mask),
            "dec": MaskedColumn([999999, 4], mask=mask),  # astropy's own stand-in, as a value
        }
    )
    if suffix == ".fits":
        for name, fill in (("category", -7), ("dec", -7), ("morphology", "")):
            table[name].fill_value = fill
    got = InputTable(written(tmp_path / f"a{suffix}", table), {"mag": "dec"})
    assert got.labels("category") == [3, None]
    assert category_codes(got).tolist() == [3, MISSING]
    np.testing.assert_array_equal(got.numbers("ra", unit="deg"), [999999, np.nan])
    np.testing.assert_array_equal(got.numbers("mag", unit="mag"), [999999, np.nan])
    assert got.labels("morphology") == ["N/A", None]


def test_scaled_and_unsigned_columns(tmp_path: Path):
    columns = [
        fits.Column("mag", "I", array=np.array([50, 125], np.int16)),
        fits.Column("ra", "J", bzero=2**31, array=np.array([5, 2**31 + 7], np.uint32)),
    ]
    hdu = fits.BinTableHDU.from_columns(columns)
    hdu.header["TSCAL1"], hdu.header["TZERO1"] = 0.01, 20.0
    hdu.writeto(tmp_path / "a.fits")
    got = InputTable(tmp_path / "a.fits")
    np.testing.assert_allclose(got.numbers("mag", unit="mag"), [20.5, 21.25])
    assert got.numbers("ra", unit="deg").tolist() == [5, 2**31 + 7]
    assert got.raw("ra").tolist() == [5 - 2**31, 7]


def test_units(tmp_path: Path, table: Table):
    table["RA"].unit = units.hourangle
    table["SHAPE_R"].unit = units.arcmin
    got = InputTable(written(tmp_path / "a.ecsv", table))
    np.testing.assert_allclose(got.numbers("ra", unit="deg"), [150, 165, 180])
    np.testing.assert_allclose(got.numbers("half_light_radius", unit="arcsec"), [90, 0, 120])
    with pytest.raises(DataError, match="SHAPE_R is in arcmin, not in mag"):
        InputTable(got.path, {"mag": "SHAPE_R"}).numbers("mag", unit="mag")


def test_the_first_name_wins_whatever_its_case(tmp_path: Path):
    table = Table({"BA": [0.1], "Axis_Ratio": [0.2], "mag_R": [20.0]})
    got = InputTable(written(tmp_path / "a.fits", table))
    assert got.find("axis_ratio") == "Axis_Ratio"
    assert got.find("mag_r", "mag_r") == "mag_R"
    assert got.find("redshift") is None


def test_description_from_a_comment(tmp_path: Path):
    """Where many surveys put it, which is not where CFITSIO puts its boilerplate."""
    hdu = fits.BinTableHDU(Table({"a": [1], "b": [2]}).as_array())
    hdu.header.comments["TTYPE1"] = "a number"
    hdu.header.comments["TTYPE2"] = "label for field   2"
    hdu.writeto(tmp_path / "a.fits")
    got = InputTable(tmp_path / "a.fits")
    assert [got.column(name).description for name in got.names] == ["a number", ""]


def test_what_cannot_be_read(tmp_path: Path, table: Table):
    (tmp_path / "a.bin").write_bytes(bytes(range(256)))
    (tmp_path / "bad.fits").write_text("ra,dec\n1,2\n")
    (tmp_path / "empty.csv").write_text("")
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "image.fits")
    whole = written(tmp_path / "whole.fits", Table({"x": np.arange(5000)})).read_bytes()
    (tmp_path / "cut.fits").write_bytes(whole[:20000])
    for name, match in (
        ("a.bin", "is no table that is known"),
        ("bad.fits", "cannot be read as a table"),
        ("missing.fits", "cannot be read as a table"),
        ("empty.csv", "has no columns"),
        ("image.fits", "has no binary table"),
        ("cut.fits", "ends before its 5000 rows"),
    ):
        with pytest.raises(DataError, match=match):
            InputTable(tmp_path / name)
    path = written(tmp_path / "b.fits", table)
    with pytest.raises(DataError, match="no column 'MAG'; it has RA, TYPE"):
        InputTable(path, {"mag": "MAG"})
    with pytest.raises(InvalidValueError, match="column to map is 'colour'"):
        InputTable(path, {"colour": "RA"})
    with pytest.raises(DataError, match=r"no column for dec .*Name it with dec=COLUMN"):
        InputTable(path).numbers("dec", unit="deg", required=True)
    with pytest.raises(DataError, match="TYPE holds no numbers"):
        InputTable(path, {"mag": "TYPE"}).numbers("mag", unit="mag")


def test_vectors_are_no_numbers(tmp_path: Path):
    path = written(tmp_path / "a.fits", Table({"mag": np.zeros((2, 3))}))
    with pytest.raises(DataError, match=r"mag holds no numbers.*'3D'"):
        InputTable(path).numbers("mag", unit="mag")


def test_parse_map():
    assert parse_map(["mag = MAG_AUTO", "ra=X=Y"]) == {"mag": "MAG_AUTO", "ra": "X=Y"}
    for wrong in ("mag", "=MAG", "mag="):
        with pytest.raises(InvalidValueError, match="ours=theirs"):
            parse_map([wrong])
