"""Carried columns of every type that FITS has, as they are in the file and what they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from galgen.catalog import write_catalog
from galgen.columns import Column
from tests.catalog.synthetic import make_batch, run_info

NULL = None  # in `Case.values`


@dataclass(frozen=True)
class Case:
    """Three rows of a column.

    Attributes
    ----------
    column : Column
        Its cards.
    stored : list
        What the bytes of the file are as NumPy numbers, or the bytes.
    values : list
        What they stand for.
    dtype : str
        Type of the values.
    """

    column: Column
    stored: list[object]
    values: list[object]
    dtype: str

    @property
    def raw(self) -> np.ndarray:
        """Rows as in the file."""
        return np.array([(row,) for row in self.stored], [("x", self.column.dtype)])["x"]

    @property
    def wanted(self) -> np.ma.MaskedArray:
        """Rows as they have to be read."""
        rows = np.array(self.values, object)
        null = np.equal(rows, NULL)
        rows[null] = False if self.dtype == "bool" else 0
        return np.ma.MaskedArray(rows.astype(self.dtype), null)


def _case(name: str, form: str, stored: list, values: list, dtype: str, **cards: object) -> Case:
    column = Column(name, form, "", f"about {name}", tuple(cards.items()))
    return Case(column, stored, values, dtype)


_NAN = float("nan")
_TOP = 2**63
CASES = (
    _case("plain byte", "B", [0, 127, 255], [0, 127, 255], "u1"),
    _case("short", "I", [-(2**15), 0, 2**15 - 1], [-(2**15), 0, 2**15 - 1], "i2"),
    _case("long", "J", [-(2**31), 5, 2**31 - 1], [-(2**31), 5, 2**31 - 1], "i4"),
    _case("id", "K", [-_TOP, 2**53 + 1, _TOP - 1], [-_TOP, 2**53 + 1, _TOP - 1], "i8"),
    _case("float", "E", [1.5, _NAN, -np.inf], [1.5, _NAN, -np.inf], "f4"),
    _case("double", "D", [1e300, _NAN, np.inf], [1e300, _NAN, np.inf], "f8"),
    _case("signed byte", "B", [0, 128, 255], [-128, 0, 127], "i1", TZERO=-128),
    _case("u16", "I", [-(2**15), 0, 2**15 - 1], [0, 2**15, 2**16 - 1], "u2", TZERO=2**15),
    _case("u32", "J", [-(2**31), 0, 2**31 - 1], [0, 2**31, 2**32 - 1], "u4", TZERO=2**31),
    _case("u64", "K", [-_TOP, -1, _TOP - 1], [0, _TOP - 1, 2 * _TOP - 1], "u8", TZERO=_TOP),
    _case("u64 as others write it", "K", [-_TOP, 0, 1], [0, _TOP, _TOP + 1], "u8", TZERO=2.0**63),
    # TNULL is a stored number, whatever the scale.
    _case("null", "J", [1, -99, 3], [1, NULL, 3], "i4", TNULL=-99),
    _case("null byte", "B", [63, 255, 0], [63, NULL, 0], "u1", TNULL=255),
    _case("null id", "K", [-_TOP, 2**53 + 1, 0], [NULL, 2**53 + 1, 0], "i8", TNULL=-_TOP),
    _case("u16 with null", "I", [-1, 5, 2**15 - 1],
        [NULL, 32773, 65535], "u2", TNULL=-1, TZERO=2**15),
    _case("scaled", "I", [50, 0, -50], [20.5, 20, 19.5], "f8", TSCAL=0.01, TZERO=20.0),
    _case("scaled null", "I", [50, -1, -50],
        [20.5, _NAN, 19.5], "f8", TSCAL=0.01, TZERO=20.0, TNULL=-1),
    _case("offset", "J", [1, 2, 3], [11, 12, 13], "f8", TZERO=10),
    _case("scaled float", "E", [1, 2, _NAN], [12, 14, _NAN], "f8", TSCAL=2.0, TZERO=10.0),
    _case("complex", "C", [1 + 2j, 0, -1j], [1 + 2j, 0, -1j], "c8"),
    _case("scaled complex", "M", [1 + 2j, 0, 1j], [12 + 4j, 10, 10 + 2j], "c16", TSCAL=2, TZERO=10),
    _case("logical", "L", [ord("T"), ord("F"), ord("T")], [True, False, True], "bool"),
    _case("logical null", "L", [ord("T"), 0, ord("F")], [True, NULL, False], "bool"),
    _case("logicals", "2L", [[84, 70], [70, 0], [84, 84]],
        [[True, False], [False, NULL], [True, True]], "bool"),
    _case("bit", "1X", [[128], [0], [128]], [[True], [False], [True]], "bool"),
    _case("bits", "10X", [[129, 64], [0, 0], [255, 192]], [
        [True, *[False] * 6, True, False, True], [False] * 10, [True] * 10], "bool"),
    _case("bit matrix", "4X", [[160], [0], [240]], [
        [[True, False], [True, False]], [[False] * 2] * 2, [[True] * 2] * 2], "bool", TDIM="(2,2)"),
    _case("vector", "3J", [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
        [[1, 2, 3], [4, 5, 6], [7, 8, 9]], "i4"),
    _case("null in vector", "2I", [[1, -1], [-1, 2], [3, 4]],
        [[1, NULL], [NULL, 2], [3, 4]], "i2", TNULL=-1),
    _case("u16 vector", "2I", [[0, 1], [2, 3], [4, 5]], [
        [32768, 32769], [32770, 32771], [32772, 32773]], "u2", TZERO=2**15),
    _case("matrix", "6E", [range(6), range(6, 12), range(6)], [
        [[0, 1], [2, 3], [4, 5]], [[6, 7], [8, 9], [10, 11]],
        [[0, 1], [2, 3], [4, 5]]], "f4", TDIM="(2,3)"),
    _case("vector of complex", "2C", [[1, 2j], [3, 4j], [0, 0]], [[1, 2j], [3, 4j], [0, 0]], "c8"),
    _case("text", "5A", [b"ab", b"  c d", b""], ["ab", "  c d", ""], "U5"),
    _case("padded text", "5A", [b"ab   ", b"c\0zzz", b"     "], ["ab", "c", ""], "U5"),
    _case("UTF-8", "6A", ["Größe"[:4].encode(), "å".encode(), b"a"], ["Größ", "å", "a"], "U4"),
    _case("Latin-1", "5A", ["Größe".encode("latin-1"), b"\xe5", b"a"], ["Größe", "å", "a"], "U5"),
    _case("texts", "6A", [b"abc de", b"x", b"  z"], [["abc", " de"],
        ["x", ""], ["  z", ""]], "U3", TDIM="(3,2)"),
    _case("Latin-1 texts", "4A", [b"\xe9 ab", b"", b"a"],
        [["é", "ab"], ["", ""], ["a", ""]], "U2", TDIM="(2,2)"),
    _case("S/N", "E", [1, 2, 3], [1, 2, 3], "f4"),  # a slash is a group in HDF5
)  # fmt: skip


def write_cases(path: Path, *more: Case) -> Path:
    """Write a catalogue of three galaxies that carries all cases."""
    cases = (*CASES, *more)
    info = run_info(
        3, ("r",), 2, 2, like="a.fits", like_rows=3, carried=tuple(c.column for c in cases)
    )
    batch = make_batch(info)
    batch.carried.update({case.column.name: case.raw for case in cases})
    return write_catalog(path, [batch], info)
