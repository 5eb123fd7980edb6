"""What is to be drawn: drawn at random, or read from tables of all kinds."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from galgen.categories import DEFAULT
from galgen.errors import DataError, GalgenWarning, InvalidValueError
from galgen.request.table import InputTable
from galgen.scene import Field, explain_sources, random_sources, read_sources
from galgen.scene.counts import density
from galgen.scene.sources import reference_band

BANDS = ("g", "r", "i")
FIELD = Field(150.0, 2.0, 600, 400)


@pytest.fixture
def read(tmp_path):
    """Write columns as a table, and read the sources of a field from it."""

    def call(field=FIELD, suffix=".fits", renamed=None, band=None, margin=0.0, **columns):
        path: Path = tmp_path / f"in{suffix}"
        Table(columns).write(path, overwrite=True)
        return read_sources(InputTable(path, renamed), field, BANDS, band=band, margin=margin)

    return call


def test_random_sources_fill_the_field():
    sources = random_sources(FIELD, BANDS, limits=(19, 25))
    assert len(sources) == round(density(19, 25) * 600 * 400 * (0.2 / 60) ** 2) > 100
    assert np.array(FIELD.pixels(sources.ra, sources.dec)) == pytest.approx(
        np.array([sources.x, sources.y]), abs=1e-6
    )
    for positions, side in ((sources.x, 600), (sources.y, 400)):
        assert -0.5 <= positions.min() < 0.1 * side < 0.9 * side < positions.max() < side - 0.5
    assert np.isnan(sources.mag_nb[:, :2]).all()  # magnitudes are in i
    assert ((sources.mag_nb[:, 2] >= 19) & (sources.mag_nb[:, 2] <= 25)).all()


def test_a_source_does_not_depend_on_the_others():
    many, few = (random_sources(FIELD, BANDS, n=n, seed=3) for n in (50, 7))
    for name, values in vars(few).items():
        np.testing.assert_array_equal(values, getattr(many[:7], name))
    assert (random_sources(FIELD, BANDS, n=7, seed=4).x != few.x).all()


def test_no_sources():
    assert len(random_sources(FIELD, BANDS, n=0)) == 0


def test_a_full_table(read):
    sources = read(
        ra=[150.0, 149.99] * u.deg,
        dec=[2.0, 2.01] * u.deg,
        mag_i=[20.0, 21.0],
        half_light_radius=[0.01, 0.02] * u.arcmin,
        position_angle=[-30.0, 200.0],
        category=["spiral", "disk/edge-on"],
    )
    assert sources.id.tolist() == [0, 1]
    assert sources.mag_nb[:, 2].tolist() == [20, 21]
    assert sources.radius == pytest.approx([0.6, 1.2])
    assert sources.position_angle == pytest.approx([150, 20])
    assert (sources.category > 0).all()
    assert (sources.x[0], sources.y[0]) == pytest.approx((299.5, 199.5))


@pytest.mark.parametrize("suffix", [".fits", ".csv", ".ecsv"])
def test_what_is_missing_is_drawn(read, suffix):
    sources = read(
        suffix=suffix,
        RA=np.full(50, 150.0),
        DEC=np.full(50, 2.0),
        MAG=np.full(50, 21.0),
        half_light_radius=np.where(np.arange(50) < 2, 3.0, np.nan),
    )
    assert sources.radius[:2].tolist() == [3, 3]
    assert len(set(sources.radius[2:])) == len(set(sources.position_angle[2:])) == 48
    assert np.median(sources.radius) == pytest.approx(0.9, abs=0.3)
    assert (sources.category == 0).all()


def test_words_for_categories_are_understood_once(read):
    words = ["elliptical", "spiral", "S0", "elliptical", ""]
    place = {"ra": np.full(5, 150.0), "dec": np.full(5, 2.0), "mag": np.full(5, 21.0)}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        sources = read(category=words, **place)
    smooth, spiral = (DEFAULT.get(name).code for name in ("smooth", "spiral"))
    assert sources.category.tolist() == [smooth, spiral, smooth, smooth, 0]
    assert sorted(str(one.message).split()[0] for one in said) == ["'S0'", "'elliptical'"]
    assert {one.category for one in said} == {GalgenWarning}


def test_other_names(read):
    sources = read(renamed={"mag": "MODEL_I", "ra": "lon"}, lon=[150.0], dec=[2.0], MODEL_I=[20.5])
    assert sources.mag_nb[0, 2] == 20.5


@pytest.mark.parametrize(
    ("ra", "dec"),
    [
        (np.radians([150.0, 149.99]) * u.rad, np.radians([2.0, 2.01]) * u.rad),
        ([10.0, 149.99 / 15] * u.hourangle, [120.0, 120.6] * u.arcmin),
        (["10:00:00", "09:59:57.6"], ["+02:00:00", "+02:00:36"]),
        (["10h00m00s", "9h59m57.6s"], ["2d0m0s", "2d0m36s"]),
        (["10 00 00.0", "09 59 57.60"], ["+02 00 00", "+02 00 36.0"]),
    ],
)
def test_positions_in_any_unit(read, ra, dec):
    sources = read(suffix=".ecsv", ra=ra, dec=dec, mag=[20.0, 21.0])
    np.testing.assert_allclose(sources.ra, [150, 149.99], rtol=1e-12)
    np.testing.assert_allclose(sources.dec, [2, 2.01], rtol=1e-12)
    assert (sources.x[0], sources.y[0]) == pytest.approx((299.5, 199.5))


def test_what_is_used_is_said(tmp_path: Path):
    path = tmp_path / "a.csv"
    Table({"RAJ2000": [1.0], "DEJ2000": [2.0], "MAG_G": [3.0], "mag": [4.0]}).write(path)
    got = explain_sources(InputTable(path), BANDS)
    assert got == (
        "a.csv: ra <- RAJ2000, dec <- DEJ2000, mag_g <- MAG_G, mag_i <- mag, "
        "nothing for half_light_radius or position_angle or category"
    )


def test_magnitudes_of_several_bands(read):
    sources = read(ra=[150.0, 150], dec=[2.0, 2], mag_g=[21.0, np.nan], mag_i=[20.0, 19], band="i")
    np.testing.assert_array_equal(sources.mag_nb, [[21, np.nan, 20], [np.nan, np.nan, 19]])
    assert read(ra=[150.0], dec=[2.0], mag=[20.0], band="G").mag_nb[0, 0] == 20


def test_what_lies_outside_is_left_out_but_for_what_shines_in(read):
    """Sources to the west of the image, whose edge is at 149.983 deg."""
    edge = 150 - 60 / 3600 / np.cos(np.radians(2))
    ra = np.array([149.99, edge - 2 / 3600, edge - 9 / 3600, edge - 9 / 3600, 330.0, 150.0])
    columns = {
        "ra": ra,
        "dec": [2.0, 2, 2, 2, -2, 40],
        "mag": np.full(6, 20.0),
        "half_light_radius": [0.5, 0.5, 0.5, 2, 2, 2],
    }
    assert read(**columns).id.tolist() == [0, 1, 3]
    assert read(margin=30, **columns).id.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("ra", [0.001, 359.999, -0.001])
@pytest.mark.parametrize("centre", [0.0, 359.9995])
def test_fields_across_360_degrees(read, ra, centre):
    sources = read(Field(centre, 0, 100, 100), ra=[ra], dec=[0.0], mag=[20.0])
    assert len(sources) == 1
    assert 0 <= sources.ra[0] < 360
    offset = (ra - centre + 180) % 360 - 180
    assert sources.x[0] == pytest.approx(49.5 - offset * 3600 / 0.2, abs=1e-4)


def test_an_empty_table(read):
    empty = np.empty(0)
    assert len(read(suffix=".ecsv", ra=empty, dec=empty, mag=empty)) == 0


GOOD = {"ra": [150.0, 150], "dec": [2.0, 2], "mag": [20.0, 20]}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"ra": [150.0, 400]}, "row 1 .*ra is 400.0; allowed: -360 to 360"),
        ({"dec": [2.0, -91]}, "row 1 .*dec is -91"),
        ({"dec": [np.nan, 2]}, "row 0 .*dec is nan"),
        ({"mag": [20, np.inf]}, "row 1 .*mag_i is inf"),
        ({"mag": [np.nan, 20]}, "row 0 .*mag_i is nan"),
        ({"mag": ["bright", "faint"]}, "no numbers"),
        ({"half_light_radius": [1.0, 0.0]}, "row 1 .*half_light_radius is 0"),
        ({"position_angle": [0, np.inf]}, "row 1 .*position_angle is inf"),
        ({"category": ["spiral", "spirel"]}, "row 1 .*spirel"),
        ({"mag": [20, 20] * u.m}, "not in mag"),
    ],
)
def test_bad_rows_are_named(read, changed, says):
    with pytest.raises(DataError, match=says):
        read(suffix=".ecsv", **GOOD | changed)


@pytest.mark.parametrize("missing", ["ra", "dec", "mag"])
def test_missing_columns_are_named(read, missing):
    columns = {name: values for name, values in GOOD.items() if name != missing}
    with pytest.raises(DataError, match=f"no column for {missing}"):
        read(**columns)


def test_reference_bands():
    assert [reference_band(b) for b in (BANDS, ("g", "I", "z"), ("u", "r"))] == [2, 1, 1]
    assert reference_band(BANDS, "R") == 1
    with pytest.raises(InvalidValueError, match="g, r, i"):
        reference_band(BANDS, "z")


@pytest.mark.parametrize("n", [-1, 10**9])
def test_numbers_out_of_range_are_refused(n):
    with pytest.raises(InvalidValueError, match="n is"):
        random_sources(FIELD, BANDS, n=n)
