"""Positions have the two-point function that was asked for, as Landy and Szalay measure it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from scipy.spatial import KDTree
from scipy.stats import kstest

from galgen.errors import DataError, InvalidValueError
from galgen.request.table import InputTable
from galgen.scene import Field, random_sources, read_sources
from galgen.scene.clustering import (
    MAX_W,
    PowerLawClustering,
    TabulatedClustering,
)
from galgen.scene.given import parse_clustering

BANDS = ("g", "r", "i")
FIELD = Field(150, 2, 512, 400, 2.0)  # 0.28 x 0.22 deg
EDGES = np.geomspace(0.0015, 0.03, 6)  # deg
FIELDS = 12


def landy_szalay(clustering, field: Field = FIELD) -> np.ndarray:
    """Estimates of w (fields, bins) relative to the mean density of all fields.

    With the density of the field itself, w would come out lower by its mean over the field, the
    integral constraint.
    """
    scale, found = field.pixel_scale / 3600, []
    sides = np.array([field.width, field.height]) * scale
    mean = len(random_sources(field, BANDS, limits=(19, 22.6)))
    for seed in range(FIELDS):
        some = random_sources(field, BANDS, limits=(19, 22.6), clustering=clustering, seed=seed)
        data = KDTree(np.array([some.x + 0.5, some.y + 0.5]).T * scale)
        random = KDTree(np.random.default_rng(seed).random((4000, 2)) * sides)
        dd, dr = (
            np.diff(data.count_neighbors(other, EDGES).astype(float)) / mean / n
            for other, n in ((data, mean), (random, random.n))
        )
        # Fraction of pairs below a distance, of points anywhere in a rectangle.
        a, b = sides
        below = EDGES**2 * (np.pi * a * b - 4 / 3 * (a + b) * EDGES + EDGES**2 / 2) / (a * b) ** 2
        rr = np.diff(below)
        found.append((dd - 2 * dr + rr) / rr)
    return np.array(found)


def mean_in_bins(clustering) -> np.ndarray:
    """What is asked for, on average over the pairs of a bin."""
    theta = np.linspace(EDGES[:-1], EDGES[1:], 101)
    return (clustering(theta) * theta).sum(0) / theta.sum(0)


SMOOTH = np.geomspace(1e-4, 0.2, 60)
FUNCTIONS = {
    "weak": PowerLawClustering(0.004, 0.7),
    "steep": PowerLawClustering(0.001, 1.2),
    "one scale": TabulatedClustering(SMOOTH, 2 * np.exp(-SMOOTH / 0.01)),
    "negative far off": TabulatedClustering(
        SMOOTH, 0.3 * (1 - (SMOOTH / 0.005) ** 2 / 6) * np.exp(-((SMOOTH / 0.005) ** 2) / 2)
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_two_point_function_is_found(name):
    clustering = FUNCTIONS[name]
    w, expected = landy_szalay(clustering), mean_in_bins(clustering)
    error = w.std(0, ddof=1) / FIELDS**0.5
    assert (np.abs(w.mean(0) - expected) < 4 * error + 0.01 * np.abs(expected)).all()
    assert (error < 0.25 * np.abs(expected).max()).all()
    assert (w.mean(0)[:2] > 5 * error[:2]).all()  # as far as it can be told at all


def test_without_clustering_there_is_none():
    w = landy_szalay(None)
    error = w.std(0, ddof=1) / FIELDS**0.5
    assert (np.abs(w.mean(0)) < 4 * error + 0.01).all()
    sources = random_sources(FIELD, BANDS, n=5000, clustering=PowerLawClustering(0, 0.7))
    for positions, side in ((sources.x, 512), (sources.y, 400)):
        assert kstest((positions + 0.5) / side, "uniform").pvalue > 0.01


def test_equal_seeds_make_equal_fields():
    clustering = FUNCTIONS["weak"]
    one, same, other = (
        random_sources(FIELD, BANDS, clustering=clustering, seed=seed) for seed in (3, 3, 4)
    )
    assert (one.x == same.x).all()
    assert (one.y == same.y).all()
    assert len(other) != len(one)


def test_a_source_does_not_depend_on_the_others():
    many, few = (
        random_sources(FIELD, BANDS, n=n, seed=3, clustering=FUNCTIONS["weak"]) for n in (500, 7)
    )
    assert len(few) == 7
    for name, values in vars(few).items():
        if isinstance(values, np.ndarray):
            np.testing.assert_array_equal(values, getattr(many[:7], name))


def test_only_positions_are_clustered():
    plain, clustered = (
        random_sources(FIELD, BANDS, n=50, clustering=c) for c in (None, FUNCTIONS["steep"])
    )
    for name in ("radius", "position_angle", "mag_nb"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(clustered, name))
    assert (plain.x != clustered.x).all()


def test_parts_of_a_field_have_the_galaxies_of_the_whole(tmp_path):
    """A list of a large field is drawn in parts, whose galaxies are those of the list."""
    whole = random_sources(FIELD, BANDS, n=400, clustering=FUNCTIONS["steep"])
    names = ("ra", "dec", "radius", "position_angle")
    listed = Table({name: getattr(whole, name) for name in names} | {"mag": whole.mag_nb[:, 2]})
    listed.rename_column("radius", "half_light_radius")
    listed.write(tmp_path / "whole.ecsv")
    table, found = InputTable(tmp_path / "whole.ecsv"), []
    for x in (127.5, 383.5):
        ra, dec = FIELD.sky(np.array([x]), np.array([199.5]))
        part = read_sources(table, Field(ra[0], dec[0], 256, 400, 2.0), BANDS)
        where = np.array([part.x + x - 127.5, part.y])
        # Two projections of the same sky differ by less than a hundredth of a pixel here.
        assert where == pytest.approx(np.array([whole.x, whole.y])[:, part.id], abs=0.01)
        found.append(part.id)
    assert set(np.concatenate(found)) == set(whole.id)


@pytest.mark.parametrize(
    "field",
    [
        Field(width=16, height=16),
        Field(width=1 << 20, height=16, pixel_scale=0.02),  # a cell has 2048 x 16 pixels
        Field(width=37, height=1500, pixel_scale=20.0),
    ],
)
def test_fields_of_any_shape(field):
    sources = random_sources(field, BANDS, n=500, clustering=FUNCTIONS["weak"])
    for positions, side in ((sources.x, field.width), (sources.y, field.height)):
        assert ((positions >= -0.5) & (positions < side - 0.5)).all()
        assert np.ptp(positions) > 0.5 * side


@pytest.fixture
def table(tmp_path):
    def call(unit=None, **columns) -> str:
        path: Path = tmp_path / "w.ecsv"
        given = Table({"theta": [0.001, 0.01, 0.1], "w": [1.0, 0.2, 0.0]} | columns)
        given["theta"].unit = unit
        given.write(path, overwrite=True)
        return str(path)

    return call


def test_a_table(table):
    clustering = parse_clustering(table())
    middle = np.sqrt(0.001 * 0.01)
    asked = np.array([1e-5, 0.001, middle, 0.01, 0.1, 3])
    assert clustering(asked) == pytest.approx([1, 1, 0.6, 0.2, 0, 0])
    in_arcmin = parse_clustering(table(u.arcmin, theta=[0.06, 0.6, 6.0]))
    assert in_arcmin(asked) == pytest.approx(clustering(asked))


def test_numbers():
    assert parse_clustering("0.004,0.7") == PowerLawClustering(0.004, 0.7)
    assert PowerLawClustering(0.5, 1)(np.array([1, 0.1])) == pytest.approx([0.5, 5])


@pytest.mark.parametrize("text", ["1", "1,0.7,3", "0.1,x", "1e30"])
def test_other_numbers_are_refused(text):
    with pytest.raises(InvalidValueError, match="AMPLITUDE,GAMMA"):
        parse_clustering(text)


@pytest.mark.parametrize("text", ["-1,0.7", "nan,0.7", "1e30,1", "0.1,0", "0.1,2", "0.1,nan"])
def test_numbers_out_of_range_are_refused(text):
    with pytest.raises(InvalidValueError, match="of the clustering is"):
        parse_clustering(text)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"theta": [0.1, 0.01, 0.001]}, "increasing theta"),
        ({"theta": [0, 0.01, 0.1]}, "increasing theta above 0"),
        ({"theta": [np.nan, 0.01, 0.1]}, "increasing theta"),
        ({"w": [1, -1, 0.1]}, "row 1 .*w is -1"),
        ({"w": [1, 2, np.nan]}, "row 2 .*w is nan"),
        ({"w": [2 * MAX_W, 2, 0]}, "row 0 .*w is 20000"),
        ({"unit": u.m}, "in m, not in deg"),
    ],
)
def test_tables_that_are_no_function_are_refused(table, columns, says):
    with pytest.raises(DataError, match=says):
        parse_clustering(table(**columns))


def test_functions_that_no_field_has_are_refused():
    """Strong at one distance only: neighbours of neighbours would have to be so, too."""
    theta = np.array([0.009, 0.0099, 0.01, 0.0101, 0.011])
    clustering = TabulatedClustering(theta, np.array([0, 0, 5.0, 0, 0]))
    with pytest.raises(InvalidValueError, match="negative power"):
        random_sources(FIELD, BANDS, clustering=clustering)
    with pytest.raises(InvalidValueError, match="within a cell"):
        random_sources(Field(pixel_scale=0.01), BANDS, clustering=PowerLawClustering(1, 1.5))
