"""HATS catalogues, read by the packages hats and lsdb where installed, and by pyarrow."""

from __future__ import annotations

import builtins
import csv
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits

from galgen.catalog import CatalogFile, write_catalog
from galgen.catalog.convert.concat import concatenate_catalogs
from galgen.errors import CatalogError, InvalidValueError, MissingPackageError, OutputError
from galgen.export import hats
from galgen.export.hats import export_hats
from galgen.export.partition import partition_pixels
from tests.catalog.synthetic import make_batch, run_info

pq = pytest.importorskip("pyarrow.parquet")
healpix = pytest.importorskip("astropy_healpix")

INFO = run_info(300, ("r",), height=2, width=2)
SKY = {"ra": (350.0, 370.0), "dec": (-10.0, 30.0)}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("hats") / "catalog.fits"
    return write_catalog(path, [make_batch(INFO)], INFO)


def with_positions(path: Path, out: Path, ra: np.ndarray, dec: np.ndarray) -> Path:
    """The catalogue with positions of its own, and a column of vectors."""
    with fits.open(path) as hdus:
        more = [
            fits.Column("ra", "D", unit="deg", array=ra),
            fits.Column("Dec", "E", unit="deg", array=dec),
            fits.Column("SHEAR", "2E", array=np.arange(2 * len(ra)).reshape(-1, 2)),
        ]
        columns = hdus[1].columns + fits.ColDefs(more)
        hdus[1] = fits.BinTableHDU.from_columns(columns, hdus[1].header)
        hdus.writeto(out, checksum=True)
    return out


def read(folder: Path) -> dict[str, np.ndarray]:
    """All rows, in the order of the catalogue."""
    paths = sorted((folder / "dataset").rglob("Npix=*.parquet"))
    # One file at a time: read as a data set, the names of folders would be columns.
    tables = [pq.ParquetFile(path).read() for path in paths]
    columns = {
        name: np.concatenate([np.array(table[name].to_pylist()) for table in tables])
        for name in tables[0].column_names
    }
    order = np.lexsort((columns["GALAXY_ID"], columns["SEED"]))
    return {name: values[order] for name, values in columns.items()}


@pytest.mark.parametrize("rows", [3, 25, 300])
def test_every_row_is_in_its_pixel(catalog, tmp_path, rows):
    out = tmp_path / "out"
    assert export_hats(catalog, out, **SKY, rows=rows) == 300
    total = 0
    with (out / "partition_info.csv").open() as file:
        partitions = list(csv.DictReader(file))
    for line in partitions:
        order, pixel = int(line["Norder"]), int(line["Npix"])
        folder = f"Norder={order}/Dir={pixel // 10000 * 10000}"
        table = pq.ParquetFile(out / "dataset" / folder / f"Npix={pixel}.parquet").read()
        assert 1 <= len(table) <= rows
        index = table["_healpix_29"].to_numpy()
        assert (np.diff(index) >= 0).all()
        assert set(index >> 2 * (29 - order)) == {pixel}
        lon, lat = (table[name].to_numpy() * units.deg for name in ("RA", "DEC"))
        found = healpix.lonlat_to_healpix(lon, lat, 2**order, order="nested")
        assert set(found) == {pixel}
        total += len(table)
    assert total == 300
    assert len(list((out / "dataset").rglob("Npix=*"))) == len(partitions)
    assert (len(partitions) == 1) is (rows == 300)
    assert not list(out.glob(".*"))
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_values_units_and_descriptions(catalog, tmp_path):
    export_hats(catalog, tmp_path / "out", **SKY, rows=50)
    found = read(tmp_path / "out")
    with CatalogFile(catalog) as wanted:
        for name in wanted.rows.dtype.names:
            np.testing.assert_array_equal(found[name], wanted.column(name), err_msg=name)
        schema = pq.read_schema(tmp_path / "out" / "dataset" / "_common_metadata")
        assert [*schema.names] == ["_healpix_29", *wanted.rows.dtype.names, "RA", "DEC"]
        about = schema.field("HALF_LIGHT_RADIUS").metadata
    assert about[b"unit"] == b"pix"
    assert about[b"description"] == b"circularised radius holding half of the flux"
    metadata = pq.read_metadata(tmp_path / "out" / "dataset" / "_metadata")
    assert metadata.num_rows == 300


def test_drawn_positions_are_uniform_on_the_sky(tmp_path):
    info = run_info(4000, ("r",), height=1, width=1)
    path = write_catalog(tmp_path / "a.fits", [make_batch(info)], info)
    export_hats(path, tmp_path / "out", ra=(300, 400), dec=(-90, 60))
    found = read(tmp_path / "out")
    ra = np.where(found["RA"] < 300, found["RA"] + 360, found["RA"])
    sine = np.sin(np.radians(found["DEC"]))
    top = np.sin(np.radians(60))
    for values, low, high in ((ra, 300, 400), (sine, -1, top)):
        u = (values - low) / (high - low)
        assert u.min() >= 0
        assert u.max() < 1
        # Kolmogorov-Smirnov at 0.1 %.
        assert np.abs(np.sort(u) - (np.arange(4000) + 0.5) / 4000).max() < 1.95 / 4000**0.5
    assert abs(np.corrcoef(ra, sine)[0, 1]) < 0.06
    assert (found["RA"] < 360).all()


def test_a_galaxy_has_its_place_whatever_the_number(tmp_path):
    few = write_catalog(tmp_path / "few.fits", [make_batch(INFO, 0, 40)], replace(INFO, n=40))
    export_hats(few, tmp_path / "few", **SKY)
    many = write_catalog(tmp_path / "many.fits", [make_batch(INFO)], INFO)
    export_hats(many, tmp_path / "many", **SKY, rows=20)
    np.testing.assert_array_equal(read(tmp_path / "few")["RA"], read(tmp_path / "many")["RA"][:40])
    other = run_info(40, ("r",), height=2, width=2, seed=3, weights_sha256="e" * 64)
    twin = replace(other, weights_sha256="d" * 64)
    paths = [tmp_path / "1.fits", tmp_path / "2.fits"]
    for path, info in zip(paths, (other, twin), strict=True):
        write_catalog(path, [make_batch(info)], info)
    concatenate_catalogs(paths, tmp_path / "both.fits")
    export_hats(tmp_path / "both.fits", tmp_path / "both", **SKY)
    assert len(set(read(tmp_path / "both")["RA"])) == 80  # the same seed, but other galaxies


def test_positions_of_the_catalogue(catalog, tmp_path):
    rng = np.random.default_rng(0)
    ra, dec = rng.uniform(-180, 180, 300), rng.uniform(-90, 90, 300)
    path = with_positions(catalog, tmp_path / "placed.fits", ra, dec)
    export_hats(path, tmp_path / "out", rows=100)
    found = read(tmp_path / "out")
    np.testing.assert_array_equal(found["ra"], ra)  # as it was given
    np.testing.assert_array_equal(found["SHEAR"], np.arange(600).reshape(-1, 2))
    sky = SkyCoord(ra * units.deg, found["Dec"] * units.deg)
    centre = healpix.HEALPix(2**29, order="nested", frame="icrs").healpix_to_skycoord(
        found["_healpix_29"]
    )
    assert sky.separation(centre).arcsec.max() < 1e-3
    text = (tmp_path / "out" / "properties").read_text()
    assert "hats_col_ra=ra\n" in text
    assert "hats_col_dec=Dec\n" in text


def test_the_hats_package_reads_it(catalog, tmp_path):
    package = pytest.importorskip("hats")
    validation = pytest.importorskip("hats.io.validation")
    export_hats(catalog, tmp_path / "out", **SKY, rows=40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert validation.is_valid_catalog(tmp_path / "out", strict=True)
        found = package.read_hats(tmp_path / "out")
    assert found.catalog_info.total_rows == 300
    assert found.catalog_info.ra_column == "RA"
    assert len(found.get_healpix_pixels()) == len(
        (tmp_path / "out" / "partition_info.csv").read_text().splitlines()[1:]
    )


def test_lsdb_searches_it(catalog, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lsdb = pytest.importorskip("lsdb")
        export_hats(catalog, tmp_path / "out", **SKY, rows=40)
        found = lsdb.open_catalog(tmp_path / "out")
        rows = found.cone_search(ra=359, dec=5, radius_arcsec=5 * 3600).compute()
    wanted = read(tmp_path / "out")
    sky = SkyCoord(wanted["RA"] * units.deg, wanted["DEC"] * units.deg)
    inside = sky.separation(SkyCoord(359 * units.deg, 5 * units.deg)).deg <= 5
    assert 5 < inside.sum() < 100
    assert sorted(rows["GALAXY_ID"]) == wanted["GALAXY_ID"][inside].tolist()


# Pieces of one row, and several that do not divide the rows.
@pytest.mark.parametrize("chunk", [1, 7])
def test_bytes_do_not_depend_on_the_pieces(catalog, tmp_path, monkeypatch, chunk):
    export_hats(catalog, tmp_path / "cat", **SKY, rows=40)
    (tmp_path / "cat").rename(tmp_path / "whole")
    monkeypatch.setattr(hats, "_CHUNK", chunk)
    done = []
    export_hats(catalog, tmp_path / "cat", **SKY, rows=40, progress=done.append)
    assert done == [*range(chunk, 300, chunk), 300]
    for path in (tmp_path / "whole").rglob("*"):
        if path.is_file():
            other = tmp_path / "cat" / path.relative_to(tmp_path / "whole")
            assert other.read_bytes() == path.read_bytes(), path


def test_partitions_are_the_largest_that_hold():
    """Against a search from the top, on counts with empty quarters and crowded pixels."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(3, 12 * 4**4) * (rng.random(12 * 4**4) < 0.3)
    counts[100:140] = 20
    found, owner = partition_pixels(counts, 64)
    wanted = []

    def search(order: int, pixel: int) -> None:
        first, width = pixel * 4 ** (4 - order), 4 ** (4 - order)
        total = counts[first : first + width].sum()
        if 0 < total <= 64:
            wanted.append((order, pixel, total))
        elif total:
            for child in range(4 * pixel, 4 * pixel + 4):
                search(order + 1, child)

    for base in range(12):
        search(0, base)
    assert [(p.order, p.pixel, p.n) for p in found] == wanted
    assert [p.start for p in found] == [0, *np.cumsum([p.n for p in found])[:-1]]
    for number, part in enumerate(found):
        mine = np.flatnonzero(owner == number)
        assert set(mine >> 2 * (4 - part.order)) == {part.pixel}
        assert counts[mine].sum() == part.n
    with pytest.raises(InvalidValueError, match=r"order 4 is 20; allowed: at most 19"):
        partition_pixels(counts, 19)


@pytest.mark.parametrize(
    ("sky", "match"),
    [
        ({}, "columns RA and DEC.*`ra="),
        ({"ra": (0, 1)}, "dec is None"),
        ({"dec": (0, 1)}, "ra is None"),
        ({"ra": (0, 361), "dec": (0, 1)}, "ra is"),
        ({"ra": (2, 1), "dec": (0, 1)}, "ra is"),
        ({"ra": (0, 1), "dec": (-91, 0)}, "dec is"),
        ({"ra": (0, float("nan")), "dec": (0, 1)}, "ra is"),
        (
            {"ra": (10, 10.000001), "dec": (20, 20.000001), "rows": 10},
            "one HEALPix pixel of order 10 is 300",
        ),
        (SKY | {"rows": 0}, "rows is 0"),
    ],
)
def test_what_is_refused(catalog, tmp_path, sky, match):
    with pytest.raises(InvalidValueError, match=match):
        export_hats(catalog, tmp_path / "out", **sky)
    assert list(tmp_path.iterdir()) == []


def test_bad_positions(catalog, tmp_path):
    ra, dec = np.zeros(300), np.zeros(300)
    dec[7] = 90.5
    path = with_positions(catalog, tmp_path / "a.fits", ra, dec)
    with pytest.raises(CatalogError, match=r"row 7 is at RA 0\.0, DEC 90\.5"):
        export_hats(path, tmp_path / "out")
    with pytest.raises(InvalidValueError, match="given twice"):
        export_hats(path, tmp_path / "out", **SKY)
    assert [p.name for p in tmp_path.iterdir()] == ["a.fits"]


def test_only_exports_are_overwritten(catalog, tmp_path):
    export_hats(catalog, tmp_path / "out", **SKY)
    with pytest.raises(OutputError, match="exists"):
        export_hats(catalog, tmp_path / "out", **SKY)
    export_hats(catalog, tmp_path / "out", **SKY, rows=40, overwrite=True)
    assert len(list((tmp_path / "out").rglob("Npix=*"))) > 1
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "properties").write_text("obs_collection=mine\n")
    with pytest.raises(OutputError, match="exported before"):
        export_hats(catalog, tmp_path / "mine", **SKY, overwrite=True)


def test_without_pyarrow(catalog, tmp_path, monkeypatch):
    real = builtins.__import__

    def fail(name: str, *arguments: object) -> object:
        if name.startswith("pyarrow"):
            raise ImportError("No module named 'pyarrow'")
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(MissingPackageError, match=r"galgen-astro\[hats\]"):
        export_hats(catalog, tmp_path / "out", **SKY)
    assert list(tmp_path.iterdir()) == []
