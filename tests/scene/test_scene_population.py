"""Number counts and sizes follow the published relations they name."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from scipy import integrate, optimize, stats

from galgen.errors import DataError, GalgenError, InvalidValueError
from galgen.scene import Field, random_sources
from galgen.scene.counts import I_BAND, PowerLaw, density, magnitudes
from galgen.scene.given import parse_counts
from galgen.scene.population import half_light_radii


def test_density_is_that_of_the_science_book():
    assert density(15, 25) == pytest.approx(46 * (1 - 10**-3.1))
    assert density(20, 24) == pytest.approx(density(20, 22) + density(22, 24))


def test_magnitudes_have_the_slope_of_the_counts():
    mag_n = magnitudes(np.random.default_rng(0).random(20_000), 19, 24)
    assert 19 <= mag_n.min() < mag_n.max() <= 24

    def cumulative(mag):
        mag = np.asarray(mag)
        return (10 ** (0.31 * mag) - 10 ** (0.31 * 19)) / (10 ** (0.31 * 24) - 10 ** (0.31 * 19))

    assert stats.kstest(mag_n, cumulative).pvalue > 0.01
    assert magnitudes(np.array([0.0, np.nextafter(1, 0)]), 19, 24) == pytest.approx([19, 24])


def test_sizes_are_distributed_as_published():
    """r exp(-(r / a)^(4/3)) integrated by quadrature, with the published median."""

    def below(r: float, a: float = 1.0) -> float:
        return integrate.quad(lambda t: t * np.exp(-((t / a) ** (4 / 3))), 0, r)[0]

    whole = below(40)
    median = optimize.brentq(lambda r: below(r) / whole - 0.5, 0.1, 5)
    for mag in (20.0, 24.0):
        r_n = half_light_radii(
            np.full(4000, mag), np.random.default_rng(int(mag)).normal(size=(4000, 3))
        )
        r_n = r_n / (1.67835 * np.exp(-1.145 - 0.269 * (mag - 23))) * median
        cumulative = np.vectorize(lambda r: below(r) / whole)
        assert stats.kstest(r_n, cumulative).pvalue > 0.01


@pytest.mark.parametrize("limits", [(24, 19), (20, 20), (10, 20), (20, 30), (float("nan"), 20)])
def test_limits_out_of_order_or_range_are_refused(limits):
    with pytest.raises(InvalidValueError, match="bright:faint"):
        density(*limits)


@pytest.fixture
def table(tmp_path):
    """Write a table of counts, as those of the Science Book in 0.5 mag by default."""

    def call(unit=None, **changed) -> str:
        mag = np.arange(18, 26.1, 0.5)
        given = {"mag": mag, "density": np.log(10) * 0.31 * 46 * 10 ** (0.31 * (mag - 25))}
        given = Table(given | changed)
        given["density"].unit = unit
        given.write(tmp_path / "counts.ecsv", overwrite=True)
        return str(tmp_path / "counts.ecsv")

    return call


def test_a_table_of_a_power_law_is_that_power_law(table):
    counts = parse_counts(table())
    assert counts.limits == (18, 26)
    assert density(19, 24.3, counts) == pytest.approx(density(19, 24.3), rel=1e-6)
    u_n = np.random.default_rng(1).random(100)
    assert magnitudes(u_n, 19, 24, counts) == pytest.approx(magnitudes(u_n, 19, 24), abs=1e-5)


def test_counts_per_square_degree(table):
    """In the unit that the table says, and per square arcmin where it says none."""
    per_degree = 3600 * parse_counts(table()).density
    counts = parse_counts(table("1 / (deg2 mag)", density=per_degree))
    assert density(19, 24, counts) == pytest.approx(density(19, 24), rel=1e-6)
    assert density(19, 24, parse_counts(table(density=per_degree))) > 3000 * density(19, 24)


def test_magnitudes_follow_the_table(table):
    """Of any shape: nearly none between 20 and 21, many from there on."""
    mag = np.array([19.0, 20, 20.1, 20.9, 21, 22])
    per_mag = np.array([1.0, 1, 1e-3, 1e-3, 4, 4])
    counts = parse_counts(table(mag=mag, density=per_mag))
    mag_n = magnitudes(np.random.default_rng(0).random(20_000), 19, 22, counts)
    fraction = np.histogram(mag_n, [19, 20, 20.1, 20.9, 21, 22])[0] / len(mag_n)
    assert fraction[0] / fraction[4] == pytest.approx(0.25, rel=0.05)
    assert fraction[2] < 1e-3
    assert stats.kstest(mag_n[mag_n > 21], stats.uniform(21, 1).cdf).pvalue > 0.01


def test_counts_of_another_band():
    """Others follow from the colours of the galaxies."""
    field, bands = Field(width=600, height=600), ("g", "r", "i")
    counts = parse_counts("30,0.35,24")
    assert counts == PowerLaw(30, 0.35, 24)
    sources = random_sources(field, bands, limits=(19, 24), band="r", counts=counts)
    assert len(sources) == round(30 * (1 - 10 ** (-0.35 * 5)) * field.area)
    assert np.isfinite(sources.mag_nb[:, 1]).all()
    assert np.isnan(sources.mag_nb[:, [0, 2]]).all()
    again = random_sources(
        field, bands, limits=(19, 24), band="r", counts=parse_counts("46,0.31,25")
    )
    assert (again.mag_nb[:, 1] == random_sources(field, bands, band="r").mag_nb[:, 1]).all()
    assert I_BAND.limits == (15, 27)


@pytest.mark.parametrize("text", ["46", "46,0.31", "46,0.31,x", "46,0.31,25,1", "1e30"])
def test_other_numbers_are_refused(text):
    with pytest.raises(InvalidValueError, match="DENSITY,SLOPE,MAG"):
        parse_counts(text)


@pytest.mark.parametrize(
    "text", ["0,0.3,25", "46,0,25", "46,3,25", "46,0.3,99", "nan,0.3,25", "46,nan,25", "46,0.3,nan"]
)
def test_counts_out_of_range_are_refused(text):
    with pytest.raises(InvalidValueError, match="of the counts is"):
        parse_counts(text)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"mag": np.arange(17)[::-1]}, "increasing magnitudes"),
        ({"mag": np.full(17, np.nan)}, "increasing magnitudes"),
        ({"mag": np.append(np.arange(16), np.inf)}, "increasing magnitudes"),
        ({"density": np.arange(17.0)}, "row 0 .*density is 0"),
        ({"density": np.full(17, np.nan)}, "row 0 .*density is nan"),
        ({"density": np.full(17, "many")}, "no numbers"),
        ({"unit": u.m}, "is in m, not in"),
    ],
)
def test_tables_that_are_no_counts_are_refused(table, changed, says):
    with pytest.raises(DataError, match=says):
        parse_counts(table(**changed))


def test_files_that_are_not_there_are_named():
    with pytest.raises(GalgenError, match=r"missing.csv"):
        parse_counts("missing.csv")


def test_limits_beyond_the_table_are_refused(table):
    with pytest.raises(InvalidValueError, match="within 18 to 26"):
        density(17, 24, parse_counts(table()))
