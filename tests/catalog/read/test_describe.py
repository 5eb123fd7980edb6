from __future__ import annotations

import csv
import io
import json
import re
import warnings
from pathlib import Path

import pytest
from astropy import units
from astropy.io import fits
from astropy.table import QTable, Table

from galgen.catalog import CatalogFile, write_catalog
from galgen.catalog.convert.compress import compress_catalog
from galgen.catalog.convert.concat import concatenate_catalogs
from galgen.catalog.format.schema import catalog_columns
from galgen.catalog.read.describe import describe_bands, describe_file, render, sections
from galgen.errors import CatalogError, DataError, InvalidValueError
from galgen.measure import truth_columns
from tests.catalog.synthetic import make_batch, run_info
from tests.real import FIXTURE

LINEAR = {"flux_unit": "nJy", "zero_point": 31.4, "pixel_scale": 0.2, "flux_calibration": "LINEAR"}


def write(path: Path, info) -> Path:
    return write_catalog(path, [make_batch(info)], info)


@pytest.fixture
def every(tmp_path: Path) -> list[Path]:
    """Files with all kinds of cards: long texts, parts, quantised stamps."""
    one = write(tmp_path / "a.fits", run_info(**LINEAR))
    two = write(tmp_path / "b.fits", run_info(seed=8, **LINEAR))
    concatenate_catalogs([one, two], tmp_path / "c.fits")
    return [one, tmp_path / "c.fits", compress_catalog(one).path]


def family(card: str) -> str:
    return re.sub(
        r"(?<=^CAT)\d+|(?<=^DEP...)\d+|(?<=^T[TFUC]...)\d+|(?<=^TUNIT)\d+|(?<=^TUCD)\d+", "n", card
    )


def test_every_card_of_every_file_has_a_meaning(every):
    entries = describe_bands("gri", "nJy")
    known = {family(e.name.replace("nnn", "n").replace("nn", "n")) for e in entries}
    for path in every:
        with CatalogFile(path) as file:
            for hdu in file.hdus:
                for card in hdu.header:
                    if card not in ("COMMENT", "HISTORY", "") and hdu.name != "PARTS":
                        assert family(card) in known, (path, hdu.name, card)
        for entry in describe_file(path):
            assert entry.meaning, (path, entry)


def test_columns_are_those_of_the_schema():
    entries = describe_bands(("u", "g"), "nJy")
    found = [e for e in entries if (e.hdu, e.kind) == ("CATALOG", "column")]
    wanted = [*catalog_columns(("u", "g"), "nJy"), *truth_columns(("u", "g"), "nJy")]
    assert [(e.name, e.unit, e.meaning) for e in found] == [
        (c.name, c.unit, c.description) for c in wanted
    ]
    types = {e.name: e.type for e in found}
    assert types["GALAXY_ID"] == "int64"
    assert types["CATEGORY"] == "int16"
    assert types["CATEGORY_NAME"] == "text (18)"
    assert types["COLOR_U_G"] == "float32"


def test_units_and_values_of_cards(every):
    cards = {e.name: e for e in describe_file(every[0]) if (e.hdu, e.kind) == ("PRIMARY", "card")}
    assert (cards["PIXSCALE"].unit, cards["PIXSCALE"].type) == ("arcsec", "float")
    assert (cards["PIXSCALE"].meaning, cards["PIXSCALE"].value) == ("pixel side", "0.2")
    assert cards["WTSHA256"].meaning == "SHA-256 of the weights"
    assert cards["CAT007"].value == "barred-spiral"
    assert cards["CREDIT"].value == run_info().credit


def test_a_file_has_what_was_added_to_it(every, tmp_path):
    with fits.open(every[0]) as hdus:
        redshift = fits.Column("REDSHIFT", "D", unit="km/s", array=range(7))
        shear = fits.Column("SHEAR", "2E", array=[[0, 1]] * 7)
        columns = hdus[1].columns + redshift + shear
        table = fits.BinTableHDU.from_columns(columns, hdus[1].header)
        table.header["TCOMM19"] = "carried over"
        hdus[1] = table
        hdus.writeto(tmp_path / "more.fits")
    entries = {e.name: e for e in describe_file(tmp_path / "more.fits") if e.kind == "column"}
    entry = entries["REDSHIFT"]
    assert (entry.type, entry.unit, entry.meaning) == ("float64", "km/s", "carried over")
    assert entries["SHEAR"].type == "float32 (2)"


def test_formats_hold_the_same(every):
    entries = describe_file(every[1])
    assert [vars(e) for e in entries] == json.loads(render(entries, "json"))
    assert [vars(e) for e in entries] == list(csv.DictReader(io.StringIO(render(entries, "csv"))))
    markdown = render(entries, "md")
    assert sum(line.startswith("| ") for line in markdown.splitlines()) == (
        len(entries) + 2 * len(list(sections(entries)))
    )
    assert "| SEED | int64 |  | seed of the run; with GALAXY_ID, one galaxy |" in markdown
    assert "### PARTS: columns" in markdown


def test_what_is_refused(tmp_path):
    with pytest.raises(InvalidValueError, match="json, csv, md"):
        render([], "yaml")
    for bands in (["g", "G"], [""], ["a b"], []):
        with pytest.raises(InvalidValueError, match="band"):
            describe_bands(bands, "adu")
    with pytest.raises(DataError):
        describe_file(tmp_path / "missing.fits")
    with pytest.raises(CatalogError):
        describe_file(FIXTURE)


@pytest.mark.parametrize("unit", ["adu", "ct", "nJy", "nanomaggy"])
def test_astropy_warns_of_nothing_but_nanomaggies(tmp_path, unit):
    """The FITS standard has no name for them, and by it astropy reads units of FITS files."""
    path = write(tmp_path / "a.fits", run_info(**{**LINEAR, "flux_unit": unit}))
    fluxes = [c for c in catalog_columns(run_info().bands, unit, 22.5) if c.unit == unit]
    for read in (Table.read, QTable.read):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            read(path, hdu="CATALOG")
        assert len(said) == (len(fluxes) if unit == "nanomaggy" else 0)
        assert all("'nanomaggy' did not parse" in str(one.message) for one in said)
        assert str(read(path, hdu="CATALOG", unit_parse_strict="silent")["FLUX_G"].unit) == unit
    with fits.open(path) as hdus:
        hdus.verify("exception")
    with CatalogFile(path) as file:
        unit_here = file.table["FLUX_G"].unit
    assert unit_here == units.Unit(unit)
    assert not isinstance(unit_here, units.UnrecognizedUnit)


@pytest.mark.parametrize("unit", ["adu", "nJy", "nanomaggy"])
def test_units_and_descriptions_survive_astropy(tmp_path, unit):
    """astropy does not know TCOMMn, but keeps the descriptions of a table that it writes itself."""
    path = write(tmp_path / "a.fits", run_info(**{**LINEAR, "flux_unit": unit}))
    with CatalogFile(path) as file:
        table = file.table
    with warnings.catch_warnings():
        # In astropy but not in the FITS standard, which astropy says when it writes and reads.
        warnings.filterwarnings("ignore" if unit == "nanomaggy" else "error", ".*nmgy|.*nanomaggy")
        table.write(tmp_path / "b.fits")
        tables = [QTable.read(path, hdu="CATALOG"), QTable.read(tmp_path / "b.fits")]
    for column in catalog_columns(run_info().bands, unit, LINEAR["zero_point"]):
        for found in tables:
            if column.unit != "nanomaggy":
                assert (found[column.name].unit or units.one) == units.Unit(column.unit or 1)
        assert table[column.name].info.description == column.description
        assert tables[1][column.name].info.description == column.description
