"""What readers get of a carried column is the value that was put in, whatever its type."""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits

from galgen.catalog import CatalogFile
from galgen.columns import Column
from galgen.errors import CatalogError, InvalidValueError
from galgen.export.hats import export_hats
from galgen.export.hdf5 import export_hdf5
from tests.export.columns import CASES, Case, write_cases

EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: case.column.name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A catalogue with a column of every type, and its exports."""
    folder = tmp_path_factory.mktemp("values")
    write_cases(folder / "a.fits")
    export_hdf5(folder / "a.fits", folder / "a.h5")
    return folder


@pytest.fixture(scope="module")
def parquet(folder):
    pq = pytest.importorskip("pyarrow.parquet")
    pytest.importorskip("astropy_healpix")
    export_hats(folder / "a.fits", folder / "hats", ra=(1, 2), dec=(1, 2))
    (path,) = (folder / "hats").rglob("Npix=*.parquet")
    return pq.ParquetFile(path).read().sort_by("GALAXY_ID")


def same(found: np.ndarray, wanted: np.ndarray) -> None:
    """Compare values, which are null, and types."""
    np.testing.assert_array_equal(np.ma.getmaskarray(found), np.ma.getmaskarray(wanted))
    found, wanted = (np.ma.filled(values, values.dtype.type()) for values in (found, wanted))
    np.testing.assert_array_equal(found, wanted)
    assert found.dtype.kind == wanted.dtype.kind


@EACH
def test_the_library(folder, case: Case):
    name = case.column.name
    same(case.column.values(case.raw), case.wanted)
    with CatalogFile(folder / "a.fits") as file:
        found = file.column(name)
        same(found, case.wanted)
        assert found.dtype.isnative
        assert found.shape == (3, *case.column.shape)
        same(file.column(name, slice(1, 2)), case.wanted[1:2])
        same(file.column(name, np.array([2, 0])), case.wanted[[2, 0]])
        assert file.table[name].info.description == f"about {name}"


def test_the_file_is_fits(tmp_path):
    # astropy checks neither bits of two dimensions nor text that is not ASCII.
    path = write_cases(tmp_path / "a.fits")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert fits.open(path, checksum=True)
    with CatalogFile(path) as file:
        for number, column in enumerate(file.columns):
            case = next((case for case in CASES if case.column == column), None)
            assert case is None or file.stored[f"{number}"].tobytes() == case.raw.tobytes()


@EACH
def test_astropy_agrees(folder, case: Case):
    """Where it reads the type: it has no nulls, and stumbles over what is named here."""
    refused = {"scaled complex", "bit matrix", "padded text", "UTF-8", "Latin-1", "Latin-1 texts"}
    if case.column.name in refused:
        pytest.skip("astropy cannot read it, drops imaginary parts, or goes on behind a NUL")
    with fits.open(folder / "a.fits") as hdus, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of logicals that are null
        found = np.asarray(hdus["CATALOG"].data[case.column.name])
    if found.dtype.kind == "U":
        found = np.strings.rstrip(found)
    null = np.ma.getmaskarray(case.wanted)
    if case.wanted.dtype.kind == "f" and "TNULL" in dict(case.column.cards):
        null = null | np.isnan(case.wanted)
    np.testing.assert_array_equal(found[~null], case.wanted.data[~null])
    assert found.shape == case.wanted.shape


@EACH
def test_hdf5(folder, case: Case):
    name = case.column.name.replace("/", "_")
    with h5py.File(folder / "a.h5") as file:
        data = file["catalog"][name]
        found = data.asstr()[:] if case.wanted.dtype.kind == "U" else data[:]
        null = file[data.attrs["null"]][:] if "null" in data.attrs else False
        assert ("null" in file and name in file["null"]) is bool(case.wanted.mask.any())
        assert data.attrs.get("name", name) == case.column.name
    found = found.astype(str) if found.dtype.kind == "O" else found
    same(np.ma.MaskedArray(found, null), case.wanted)
    if case.wanted.dtype.kind != "U":
        assert found.dtype == case.wanted.dtype


@EACH
def test_hats(parquet, case: Case):
    found = parquet[case.column.name].to_pylist()
    wanted = case.wanted
    if wanted.dtype.kind == "c":
        wanted = np.stack([wanted.data.real, wanted.data.imag], -1)
    # NaN is no null, and equals itself here.
    np.testing.assert_equal(found, wanted.tolist())


def test_lsdb_reads_every_type(folder, parquet):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lsdb = pytest.importorskip("lsdb")
        found = lsdb.open_catalog(folder / "hats").compute().sort_values("GALAXY_ID")
    assert found["u64"].tolist() == [0, 2**63 - 1, 2**64 - 1]
    assert found["logical"].tolist() == [True, False, True]
    assert found["null"].isna().tolist() == [False, True, False]
    assert found["Latin-1"].tolist() == ["Größe", "å", "a"]


@EACH
def test_galsim(folder, case: Case):
    pytest.importorskip("galsim")
    from galgen.galsim import GalgenCatalog

    galaxies = GalgenCatalog(folder / "a.fits")
    name, wanted = case.column.name, case.wanted
    if wanted[0].size != 1 or wanted.dtype.kind == "c":
        with pytest.raises(InvalidValueError, match="one number or text per galaxy"):
            galaxies.value(name, 0)
        return
    found = [galaxies.value(name, row) for row in range(3)]
    assert all(isinstance(value, bool | int | float | str) for value in found)
    flat = wanted.reshape(3)
    filled = [float("nan") if flat[i] is np.ma.masked else flat[i].item() for i in range(3)]
    np.testing.assert_equal(found, filled)


def test_rows_of_their_own_length():
    with pytest.raises(InvalidValueError, match="rows of one length"):
        Column("x", "PE(3)").values(np.zeros(2, "V8"))


def test_no_such_column(folder):
    with (
        CatalogFile(folder / "a.fits") as file,
        pytest.raises(InvalidValueError, match="column is 'y'"),
    ):
        file.column("y")


def place(tmp_path: Path, ra: Case, dec: Case) -> Path:
    return write_cases(tmp_path / "placed.fits", ra, dec)


def angle(name: str, form: str, unit: str, stored: list, **cards: object) -> Case:
    return Case(Column(name, form, unit, "", tuple(cards.items())), stored, stored, "O")


RIGHT = [150.0, 359.5, 0.25]
UP = [2.5, -60.0, 89.0]


@pytest.mark.parametrize(
    ("ra", "dec"),
    [
        pytest.param(
            angle("RA", "D", "rad", np.radians(RIGHT).tolist()),
            angle("DEC", "D", "rad", np.radians(UP).tolist()),
            id="radians",
        ),
        pytest.param(
            angle("ra", "D", "hourangle", [ra / 15 for ra in RIGHT]),
            angle("Dec", "D", "deg", UP),
            id="hours of angle",
        ),
        pytest.param(
            angle("RA", "D", "h", [ra / 15 for ra in RIGHT]),
            angle("DEC", "D", "arcsec", [3600 * dec for dec in UP]),
            id="hours of time",
        ),
        pytest.param(
            angle("RA", "11A", "", [b"10:00:00", b"23 58 00", b"00h01m00s"]),
            angle("DEC", "11A", "", [b"+02:30:00", b"-60 00 00", b"+89d00m00s"]),
            id="sexagesimal",
        ),
        pytest.param(
            angle("RA", "11A", "hh:mm:ss", [b"10:00:00", b"23:58:00", b"00:01:00"]),
            angle("DEC", "11A", '"d:m:s"', [b"+02:30:00", b"-60:00:00", b"89:00:00"]),
            id="units of texts",
        ),
        pytest.param(
            angle("RA", "D", "Hour Angle", [ra / 15 for ra in RIGHT]),
            angle("DEC", "D", "arcmins", [60 * dec for dec in UP]),
            id="units as tables spell them",
        ),
        pytest.param(
            angle("RA", "11A", "deg", [b"150:00:00", b"359 30 00", b"0.25"]),
            angle("DEC", "11A", "deg", [b"2.5", b"-60", b"89 00 00"]),
            id="text in degrees",
        ),
        pytest.param(
            angle("RA", "J", "deg", [1500000, 3595000, 2500], TSCAL=1e-4),
            angle("DEC", "J", "deg", [25000, -600000, 890000], TSCAL=1e-4),
            id="scaled",
        ),
    ],
)
def test_positions_in_any_unit(tmp_path, ra: Case, dec: Case):
    pq = pytest.importorskip("pyarrow.parquet")
    healpix = pytest.importorskip("astropy_healpix")
    path = place(tmp_path, ra, dec)
    export_hats(path, tmp_path / "out", rows=1)
    text = (tmp_path / "out" / "hats.properties").read_text()
    names = [line.split("=")[1] for line in text.splitlines() if line.startswith("hats_col_")][:2]
    tables = [pq.ParquetFile(p).read() for p in (tmp_path / "out").rglob("Npix=*.parquet")]
    assert len(tables) == 3
    for table in tables:
        i = table["GALAXY_ID"][0].as_py()
        assert table[names[0]][0].as_py() == pytest.approx(RIGHT[i], abs=1e-9)
        assert table[names[1]][0].as_py() == pytest.approx(UP[i], abs=1e-9)
        centre = healpix.HEALPix(2**29, order="nested").healpix_to_lonlat(
            table["_healpix_29"][0].as_py()
        )
        assert centre[0].deg == pytest.approx(RIGHT[i], abs=1e-4)
        assert centre[1].deg == pytest.approx(UP[i], abs=1e-6)


@pytest.mark.parametrize(
    ("ra", "match"),
    [
        (angle("RA", "D", "mag", RIGHT), "column RA is in mag, which is no unit of angles"),
        (angle("RA", "2D", "deg", [[1, 2]] * 3), "column RA has type 2D"),
        (angle("RA", "M", "deg", [1, 2, 3]), "column RA has type M"),
        (angle("RA", "L", "", [84, 84, 84]), "column RA has type L"),
        (angle("RA", "5A", "", [b"1", b"north", b"2"]), "row 1 is at RA north"),
        (angle("RA", "J", "deg", [1, 2, -1], TNULL=-1), "row 2 is at RA --"),
    ],
)
def test_positions_that_are_none(tmp_path, ra: Case, match: str):
    pytest.importorskip("astropy_healpix")
    path = place(tmp_path, ra, angle("DEC", "D", "deg", UP))
    with pytest.raises(CatalogError, match=match):
        export_hats(path, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["placed.fits"]


@pytest.mark.parametrize("unit", ["h", "hr", "hours"])
def test_hours_of_declination_are_no_angle(tmp_path: Path, unit: str):
    pytest.importorskip("astropy_healpix")
    path = place(tmp_path, angle("RA", "D", unit, [1, 2, 3]), angle("DEC", "D", unit, [1, 2, 3]))
    with pytest.raises(CatalogError, match=f"column DEC is in {unit}, which is no unit of angles"):
        export_hats(path, tmp_path / "out")
