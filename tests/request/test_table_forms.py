"""Tables in the forms that people have them: encodings, delimiters, containers, several in one."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.io.votable.tree import Resource, VOTableFile
from astropy.table import MaskedColumn, QTable, Table
from astropy.time import Time
from pyarrow import parquet

from galgen.errors import DataError, InvalidValueError
from galgen.request.table import InputTable

TEXT = "category,r50_pix,ba,note\nspiral,3.5,0.7,a b\nround,4,,c\n"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),  # Excel's "CSV UTF-8"
        TEXT.encode("utf-16"),  # Excel's "Unicode text", with a byte order mark
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),  # of a Mac that was
        TEXT.replace(",", ";").encode(),
        TEXT.replace(".", "@").replace(",", ";").replace("@", ",").encode(),  # decimal commas
        TEXT.replace(",", "\t").encode(),
        TEXT.replace(",", "|").encode(),
        b"sep=;\n" + TEXT.replace(",", ";").encode(),
        b"#Table1\n" + TEXT.encode(),  # SkyServer
        b"\n# made by hand, 2024\n#\n" + TEXT.encode(),
        b"# " + TEXT.encode(),
        TEXT.replace("a b", '"a b"').encode().rstrip(b"\n"),
        b'"category","r50_pix","ba","note"\nspiral,3.5,"0.7",a b\n"round",4,NULL,c\n',
        b"category,r50_pix,ba,note\nspiral,3.5,0.7,a b\nround,4,N/A,c\n",
        b"# category r50_pix ba note\nspiral 3.5 0.7 'a b'\nround 4 nan c\n".replace(b"'", b'"'),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".txt", ".csv.gz"])
def test_text(tmp_path: Path, data: bytes, suffix: str):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    got = InputTable(path)
    assert got.names == ("category", "r50_pix", "ba", "note")
    assert got.labels("category") == ["spiral", "round"]
    assert got.numbers("half_light_radius_pix", unit="pix").tolist() == [3.5, 4]
    np.testing.assert_array_equal(got.numbers("axis_ratio", unit=""), [0.7, np.nan])
    assert got.labels("note") == ["a b", "c"]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-8-sig", "utf-16", "cp1252"])
def test_text_that_fits_has_not(tmp_path: Path, encoding: str):
    """The column is named when it is wanted, and only then."""
    path = tmp_path / "a.csv"
    path.write_bytes("ra,observer,Größe\n1,Zürich,2\n2,Bern,3\n".encode(encoding))
    got = InputTable(path)
    assert got.names == ("ra", "observer", "Größe")
    assert got.numbers("ra", unit="deg").tolist() == [1, 2]
    with pytest.raises(DataError, match=r"column observer is 'Zürich'.*`drop`"):
        got.column("observer")
    with pytest.raises(DataError, match="name of a column is 'Größe'"):
        got.column("Größe")


@pytest.mark.parametrize(
    ("digits", "kind", "values"),
    [
        (["1", "", "3"], "i", [1, None, 3]),
        (["18446744073709551615", "0", "5"], "u", [2**64 - 1, 0, 5]),
        (["9007199254740993", "", "-5"], "i", [2**53 + 1, None, -5]),
        (["9223372036854775807", "NULL", "-9223372036854775808"], "i", [2**63 - 1, None, -(2**63)]),
        (["18446744073709551616", "7", "8"], "S", ["18446744073709551616", "7", "8"]),
        (["1237668296598749280", "n/a", "2"], "i", [1237668296598749280, None, 2]),
        (["1_0", "2", "3"], "S", ["1_0", "2", "3"]),
    ],
)
def test_whole_numbers_keep_every_digit(tmp_path: Path, digits, kind, values):
    path = tmp_path / "a.csv"
    path.write_text("id,x\n" + "".join(f"{text},1\n" for text in digits))
    column, raw = (got := InputTable(path)).column("id"), got.raw("id")
    cards = dict(column.cards)
    assert (raw.dtype.kind if "TZERO" not in cards else "u") == kind
    if kind == "S":
        assert [text.decode() for text in raw.tolist()] == values
        return
    whole = [int(v) + int(cards.get("TZERO", 0)) for v in raw]
    null = cards.get("TNULL")
    assert [None if v == null else v for v in whole] == values


def catalogue() -> Table:
    table = Table(
        {
            "objid": MaskedColumn([2**62, 1, 2], mask=[False, True, False]),
            "category": ["spiral", "", "round"],
            "r50_pix": np.array([1.5, 2, 3], np.float32),
            "good": MaskedColumn([True, False, True], mask=[False, False, True]),
        }
    )
    table["r50_pix"].description = "half-light radius"
    table["r50_pix"].unit = "pix"
    return table


def as_votable(path: Path, table: Table) -> None:
    from_table(table).to_xml(str(path))


def as_parquet(path: Path, table: Table) -> None:
    columns = {}
    for name in table.colnames:
        columns[name] = pa.array([None if v is np.ma.masked else v for v in table[name].tolist()])
    parquet.write_table(pa.table(columns), path)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.ecsv", lambda p, t: t.write(p)),
        ("a.vot", as_votable),
        ("a.xml", as_votable),
        ("a.parquet", as_parquet),
        ("a.fits", lambda p, t: t.write(p)),
    ],
)
def test_containers(tmp_path: Path, name: str, write):
    write(tmp_path / name, catalogue())
    got = InputTable(tmp_path / name)
    assert got.find("objid") is None  # of no name that is known
    assert got.labels("objid") == [2**62, None, 2]
    assert got.labels("category") == ["spiral", None, "round"]
    assert got.numbers("half_light_radius_pix", unit="pix").tolist() == [1.5, 2, 3]
    if name in ("a.ecsv", "a.vot"):
        assert got.column("r50_pix").description == "half-light radius"
        assert got.column("r50_pix").unit == "pix"
        assert got.raw("good").tolist() == [ord("T"), ord("F"), 0]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("name", ["a.fits", "a.vot", "a.ecsv"])
def test_packed(tmp_path: Path, name: str, pack):
    path = tmp_path / name
    as_votable(path, catalogue()) if name == "a.vot" else catalogue().write(path)
    packed = tmp_path / f"{name}.packed"
    packed.write_bytes(pack(path.read_bytes()))
    a, b = InputTable(path), InputTable(packed)
    assert a.names == b.names
    for column in a.names:
        assert a.column(column) == b.column(column)
        assert a.raw(column).tobytes() == b.raw(column).tobytes()


def test_mixins_are_plain_columns(tmp_path: Path):
    table = QTable(
        {
            "t": Time([58000.5, 59000.25], format="mjd"),
            "night": Time(["2020-01-01T00:00:00", "2021-02-03T04:05:06"], scale="utc"),
            "pos": SkyCoord([150.0, 151.0] * u.deg, [2.0, -3.0] * u.deg),
            "gal": SkyCoord([1.0, 2.0] * u.deg, [3.0, 4.0] * u.deg, frame="galactic"),
            "r50": [1.0, 2.0] * u.arcmin,
            "category": ["spiral", "round"],
        }
    )
    table.write(tmp_path / "a.ecsv")
    got = InputTable(tmp_path / "a.ecsv")
    assert set(got.names) == {"t", "night", "ra", "dec", "l", "b", "r50", "category"}
    assert got.plain("t").tolist() == [58000.5, 59000.25]
    assert got.labels("night") == ["2020-01-01T00:00:00.000", "2021-02-03T04:05:06.000"]
    assert got.numbers("ra", unit="deg").tolist() == [150, 151]
    assert got.numbers("dec", unit="deg").tolist() == [2, -3]
    assert got.numbers("half_light_radius", unit="arcsec").tolist() == [60, 120]
    table["ra"] = [1.0, 2.0]
    table.write(tmp_path / "b.ecsv")
    assert {"ra", "pos_ra", "dec"} <= set(InputTable(tmp_path / "b.ecsv").names)


def of_several(path: Path) -> Path:
    tables = [Table({name: [1.0]}) for name in ("x", "y", "z")]
    if path.suffix == ".fits":
        hdus = [fits.PrimaryHDU(), *(fits.table_to_hdu(table) for table in tables)]
        for hdu, name in zip(hdus[1:], ("FIRST", "SECOND", ""), strict=True):
            hdu.name = name
        fits.HDUList(hdus).writeto(path)
    else:
        file, resource = VOTableFile(), Resource()
        file.resources.append(resource)
        for table, name in zip(tables, ("FIRST", "SECOND", None), strict=True):
            one = from_table(table).resources[0].tables[0]
            one.name = name
            resource.tables.append(one)
        file.to_xml(str(path))
    return path


@pytest.mark.parametrize("suffix", [".fits", ".vot"])
def test_several_tables(tmp_path: Path, suffix: str):
    path = of_several(tmp_path / f"a{suffix}")
    first = InputTable(path)
    assert (first.names, first.others) == (("x",), ("2 SECOND", "3"))
    for which, name in (("FIRST", "x"), ("second", "y"), ("2", "y"), (3, "z")):
        assert InputTable(path, table=which).names == (name,)
    for wrong in ("THIRD", "0", 4, "-1"):
        with pytest.raises(InvalidValueError, match=r"`table` is .*1 FIRST, 2 SECOND, 3"):
            InputTable(path, table=wrong)


def test_one_table_only(tmp_path: Path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    with pytest.raises(InvalidValueError, match=r"`table` is 2.*one table only"):
        InputTable(tmp_path / "a.csv", table=2)


def test_an_ascii_table_of_fits(tmp_path: Path):
    columns = [
        fits.Column("ra", "F8.3", array=np.array([10.5, 11.25])),
        fits.Column("name", "A6", array=np.array(["spiral", "round"])),
    ]
    fits.TableHDU.from_columns(columns).writeto(tmp_path / "a.fits")
    got = InputTable(tmp_path / "a.fits", {"category": "name"})
    assert got.numbers("ra", unit="deg").tolist() == [10.5, 11.25]
    assert got.labels("name") == ["spiral", "round"]


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.xlsx", b"PK\x03\x04" + bytes(100), "Excel"),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        ("a.fits", b"ra,dec\n1,2\n", "no FITS file, though called so"),
        ("a.parquet", b"PAR1" + bytes(100), "cannot be read as a table"),
        ("a.vot", b"<?xml version='1.0'?><VOTABLE>", "a.vot"),
        ("a.csv", gzip.compress(bytes(1 << 29)), "unpacked"),
        ("a.csv", b"\n\n", "has no columns"),
        ("a.csv", b"# only a comment", "has no columns"),
        ("a.ecsv", b"# %ECSV 1.0\n# ---\n", "cannot be read as a table"),
    ],
)
def test_what_is_no_table(tmp_path: Path, name: str, data: bytes, says: str):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=says) as error:
        InputTable(tmp_path / name)
    assert "\n" not in str(error.value)
