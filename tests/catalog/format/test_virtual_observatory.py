"""What astropy's Table and tools of the Virtual Observatory show of a catalogue's columns."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from astropy.io import fits
from astropy.io.votable import ucd
from astropy.table import Table

from galgen.catalog import CatalogFile, write_catalog
from galgen.catalog.convert.concat import concatenate_catalogs
from galgen.columns import Column
from tests.catalog.synthetic import accept, make_batch, run_info

LONG = "a description " * 8 + 'that is long, "quoted": {\\} \u00e9 \ufb01' + 60 * "a\u0301"
INFO = run_info(carried=(Column("x", "J", "", LONG), Column("n", "B")))


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("vo") / "a.fits", INFO)


def write(path: Path, info) -> Path:
    batch = make_batch(info)
    batch.carried.update(x=batch.galaxy_id_n.astype(">i4"), n=batch.galaxy_id_n.astype("u1"))
    return write_catalog(path, [batch], info)


def test_every_column_of_ours_has_a_ucd(path):
    header = fits.getheader(path, "CATALOG")
    with CatalogFile(path) as file:
        for i, column in enumerate(file.columns, 1):
            if column.name in ("x", "n"):
                assert f"TUCD{i}" not in header
            else:
                assert ucd.check_ucd(header[f"TUCD{i}"], check_controlled_vocabulary=True)


def test_plain_astropy_shows_descriptions(path):
    with CatalogFile(path) as file:
        wanted = {column.name: column.description for column in file.columns}
    table = Table.read(path, hdu="CATALOG")
    assert {name: table[name].info.description or "" for name in table.colnames} == wanted
    assert type(table["SNR"]).__name__ in ("Column", "MaskedColumn")
    assert str(table["HALF_LIGHT_RADIUS"].unit) == "pix"


def test_catalogues_from_before_go_together_with_new_ones(path, tmp_path):
    """Those had neither UCDs nor comments."""
    old = tmp_path / "old.fits"
    write(old, replace(INFO, seed=5))
    with fits.open(old) as hdus, warnings.catch_warnings():
        header = hdus["CATALOG"].header
        for key in [key for key in header if key.startswith("TUCD")]:
            del header[key]
        header.remove("COMMENT", remove_all=True)
        hdus.writeto(tmp_path / "before.fits", checksum=True)
    for order in ((path, tmp_path / "before.fits"), (tmp_path / "before.fits", path)):
        concatenate_catalogs(order, tmp_path / "both.fits", overwrite=True)
        accept(tmp_path / "both.fits")
