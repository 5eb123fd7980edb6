"""Columns of every kind: what readers get of a catalogue is what was in the table."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path

import fitsio
import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning
from astropy.io.votable import from_table
from astropy.table import MaskedColumn, Table
from astropy.utils.exceptions import AstropyUserWarning
from pyarrow import parquet

from galgen.catalog import verify, write_catalog
from galgen.generate import GalaxyModel, load_model
from galgen.generate.sampling import Sampling
from galgen.produce.recipe import Recipe
from galgen.request.table import InputTable
from galgen.runinfo import RunInfo
from tests.catalog.synthetic import accept

N = 5
KINDS = ("b", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16", "U")
SHAPES = ((), (3,), (2, 2))
DEEP = ("ecsv", "fits")  # forms with vectors that are easily written
MASKED_HAS_NOT = ("f2",)  # NumPy itself warns of its fill value
HAS_NOT = {
    "ecsv": (),
    "fits": ("i1", "f2"),
    "vot": ("b", "i1", "f2", "u2", "u4", "u8"),  # logicals are bits, without a null, to astropy
    "parquet": ("c8", "c16"),
    "csv": ("b", "c8", "c16", "U"),
}


def values_of(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Values of a type, its extremes among them."""
    size = (N, *shape)
    if kind == "b":
        values = rng.random(size) < 0.5
    elif kind[0] in "iu":
        limits = np.iinfo(kind)
        values = rng.integers(limits.min, limits.max, size, kind, endpoint=True)
        values.flat[:3] = limits.min, limits.max, 0
    elif kind[0] == "f":
        values = rng.normal(0, 100, size).astype(kind)
        values.flat[:3] = np.finfo(kind).max, np.finfo(kind).tiny, -0.0
    elif kind[0] == "c":
        values = (rng.normal(0, 1, size) + 1j * rng.normal(0, 1, size)).astype(kind)
    else:
        texts = ["", "a", "c d", "~e_{f}'\"", "0", "NULL", "nan"]
        values = rng.choice(np.array(texts), size)
    return values


def table_of(form: str, *, masked: bool) -> Table:
    """A column of every type that a form of file holds, as scalars and as vectors."""
    rng = np.random.default_rng(5)
    table = Table({"category": np.resize(["spiral", "round", "edge-on"], N)})
    has_not = {*HAS_NOT[form], *(MASKED_HAS_NOT if masked else ())}
    for kind, shape in itertools.product(KINDS, SHAPES if form in DEEP else SHAPES[:1]):
        if kind in has_not or (form == "ecsv" and shape and kind[0] == "c"):
            continue
        values = values_of(kind, shape, rng)
        mask = rng.random(values.shape) < 0.4
        table[f"{kind}_{len(shape)}"] = MaskedColumn(values, mask=mask) if masked else values
    return table


def write(path: Path, table: Table) -> None:
    """Write a table in the form that the name of a file says."""
    if path.suffix == ".vot":
        from_table(table).to_xml(str(path))
    elif path.suffix == ".parquet":
        columns = {
            name: pa.array(np.ma.getdata(table[name]), mask=np.ma.getmaskarray(table[name]))
            for name in table.colnames
        }
        parquet.write_table(pa.table(columns), path)
    else:
        table.write(path)


def made(model: GalaxyModel, path: Path) -> Path:
    """The catalogue of a table, by the road of the command line."""
    run = model.like(path, sampling=Sampling("ipndm", steps=1, micro_batch=N))
    assert RunInfo.from_json(run.info.to_json()) == run.info  # what the ledger keeps
    assert Recipe.from_json(Recipe(None, None, like=str(path)).to_json()).like == str(path)
    out = write_catalog(path.with_suffix(".made.fits"), run, run.info)
    assert verify(out).ok, verify(out)
    accept(out)
    return out


def same(got: np.ndarray, want: np.ndarray) -> bool:
    """Equality of values, and of their signs."""
    if "S" in (got.dtype.kind, want.dtype.kind) or want.dtype.kind == "U":
        # Unsigned numbers with a null that no signed ones hold are digits.
        got, want = (np.char.rstrip(np.asarray(values, str)) for values in (got, want))
        return np.array_equal(got, want)
    wide = object if "u" in (got.dtype.kind, want.dtype.kind) else None
    return np.array_equal(
        np.asarray(got, wide), np.asarray(want, wide), equal_nan=want.dtype.kind in "fc"
    )


def check(out: Path, table: Table) -> None:
    """Compare all columns of a catalogue with those of a table, as astropy and fitsio read them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (VerifyWarning, AstropyUserWarning))
        by_astropy = Table.read(out, hdu="CATALOG", unit_parse_strict="silent")
        raw = fits.getdata(out, "CATALOG")
    by_fitsio = fitsio.read(str(out), ext="CATALOG")
    header = fits.getheader(out, "CATALOG")
    for name in table.colnames[1:]:
        want = np.ma.getdata(table[name]).view(np.ndarray)
        mask = np.ma.getmaskarray(table[name])
        mask = mask | (want != want) if want.dtype.kind in "fc" else mask
        here = by_astropy[name]
        none = np.ma.getmaskarray(here)
        filled = np.ma.getdata(here).view(np.ndarray)
        if want.dtype.kind == "f":
            none = none | np.isnan(filled)
        if filled.dtype.kind in "US":
            blank = np.char.rstrip(np.asarray(want, str)) == ""
            mask = mask | blank
            none = np.char.rstrip(np.asarray(filled, str)) == ""
        if want.dtype.kind == "b":
            stored = np.asarray(raw.view(np.ndarray)[name]).view("i1").reshape(want.shape)
            none = stored == 0
        np.testing.assert_array_equal(none, mask, err_msg=name)
        assert same(filled[~mask], want[~mask]), (name, filled, want)
        theirs = np.asarray(by_fitsio[name])
        theirs = (theirs.astype("S") if theirs.dtype.kind == "U" else theirs).reshape(want.shape)
        assert same(theirs[~mask], want[~mask]), (name, theirs, want)
        if (null := header.get(f"TNULL{list(raw.names).index(name) + 1}")) is not None:
            assert not (want[~mask].astype(object) == null).any(), name


@pytest.fixture(scope="module")
def model() -> GalaxyModel:
    return load_model(device="cpu")


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("form", list(HAS_NOT))
def test_every_kind_of_column(tmp_path: Path, model: GalaxyModel, form: str, masked: bool):
    if form == "fits" and masked:
        pytest.skip("carried over bit for bit, whatever stands for no value")
    table = table_of(form, masked=masked)
    write(tmp_path / f"a.{form}", table)
    check(made(model, tmp_path / f"a.{form}"), table)


def test_a_null_of_a_full_column(tmp_path: Path):
    """All numbers of a byte are taken: the column needs another type, or another number."""
    for kind in ("u1", "i2"):
        limits = np.iinfo(kind)
        every = np.arange(limits.min, limits.max + 1).astype(kind)
        every = every if kind == "u1" else np.delete(every, 70)
        values = np.append(every, every[:2])
        mask = np.arange(len(values)) >= len(every)
        Table({"x": MaskedColumn(values, mask=mask)}).write(tmp_path / f"{kind}.ecsv")
        got = InputTable(tmp_path / f"{kind}.ecsv")
        numbers = got.plain("x")
        np.testing.assert_array_equal(np.isnan(numbers), mask)
        np.testing.assert_array_equal(numbers[~mask], every)
        assert got.column("x").form == "I"
        assert dict(got.column("x").cards)["TNULL"] == (-32768 if kind == "u1" else every[69] + 1)


def test_dates_and_lists_of_parquet(tmp_path: Path):
    columns = {
        "day": pa.array(["2020-01-02", None], pa.date32().__class__ and pa.string()),
        "when": pa.array(np.array(["2020-01-02T03:04:05", "NaT"], "M8[ms]")),
        "span": pa.array(np.array([1500, "NaT"], "m8[ms]")),
        "kind": pa.array(["spiral", None]).dictionary_encode(),
        "list": pa.array([[1, 2], [3, 4]]),
        "few": pa.array([[1.5, 2.5], None], pa.list_(pa.float64(), 2)),
        "sum": pa.array([1, None], pa.decimal128(10, 2)),
        "none": pa.array([None, None]),
    }
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    got = InputTable(tmp_path / "a.parquet")
    assert got.labels("when") == ["2020-01-02T03:04:05.000", None]
    np.testing.assert_array_equal(got.plain("span"), [1.5, np.nan])
    assert got.labels("kind") == ["spiral", None]
    assert got.raw("list").tolist() == [[1, 2], [3, 4]]
    np.testing.assert_array_equal(got.raw("few"), [[1.5, 2.5], [np.nan, np.nan]])
    np.testing.assert_array_equal(got.plain("sum"), [1, np.nan])
    assert got.labels("none") == [None, None]
