"""FITS columns: what their bytes are, and what numbers they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from galgen.columns import Column, numbered_dtype, read_columns
from galgen.errors import InvalidValueError


@pytest.mark.parametrize(
    "form", ["L", "B", "1I", "J", "3K", "E", "2D", "C", "4M", "7A", "1X", "8X", "19X", "20A5"]
)
def test_types_are_those_of_astropy(form: str):
    """Also of vectors, bits and arrays of texts."""
    hdu = fits.BinTableHDU.from_columns([fits.Column("x", form)], nrows=2)
    column = Column("x", form)
    assert numbered_dtype([column]).itemsize == hdu.header["NAXIS1"]
    ours, theirs = column.dtype, hdu.data.view(np.ndarray).dtype["x"]
    assert ours.base.kind in (theirs.base.kind, "S", "u")
    if ours.base.itemsize > 1 and ours.kind != "S":
        assert ours.base.byteorder == ">"
    assert not column.variable


@pytest.mark.parametrize(("form", "size"), [("PD(9)", 8), ("1QE(3)", 16), ("0PJ", 0)])
def test_variable_length(form: str, size: int):
    column = Column("x", form)
    assert column.variable
    assert column.dtype.itemsize == size


def test_numbers():
    raw = np.array([1, -99, 3], ">i2")
    cards = (("TNULL", -99), ("TSCAL", 0.5), ("TZERO", 10.0))
    np.testing.assert_array_equal(Column("x", "I", cards=cards).numbers(raw), [10.5, np.nan, 11.5])
    assert Column("x", "I").numbers(raw).tolist() == [1, -99, 3]
    for form in ("A", "2I", "L", "X", "C", "PI"):
        with pytest.raises(InvalidValueError, match="type of column x"):
            Column("x", form).numbers(raw)


@pytest.mark.parametrize("form", ["", "W", "3", "e"])
def test_no_type(form: str):
    with pytest.raises(InvalidValueError, match="TFORM of column x"):
        Column("x", form).dtype  # noqa: B018


def test_cards():
    hdu = fits.BinTableHDU.from_columns(
        [fits.Column("a", "J", unit="mag", null=-1, disp="I5"), fits.Column("b", "6E", dim="(2,3)")]
    )
    hdu.header["TCOMM1"] = "a magnitude"
    a, b = read_columns(hdu.header)
    assert a == Column("a", "J", "mag", "a magnitude", (("TNULL", -1), ("TDISP", "I5")))
    assert b == Column("b", "6E", cards=(("TDIM", "(2,3)"),))
