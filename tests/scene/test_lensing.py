"""Lensed galaxies are GalSim's of the same stamp, and as the truth says."""

from __future__ import annotations

from pathlib import Path

import galsim
import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from galgen.catalog import CatalogFile
from galgen.errors import DataError, InvalidValueError
from galgen.request.table import InputTable
from galgen.scene import Field, Imaging, explain_sources, read_sources
from galgen.scene.lensing import LONGEST, WEAK, Lensing, lensed_ellipse, parse_changes, stretch
from galgen.scene.templates import make_templates
from tests.catalog.synthetic import accept
from tests.scene.looking import image, moments

FIELD = Field(10, 0, 240, 240)
CENTRE = {"ra": [10.0], "dec": [0.0]}
ALL = ("size", "flux")
SHEARS = [
    (0.0, 0.0, 0.2),  # magnification alone
    (0.1, 0.0, 0.0),  # shear alone
    (-0.05, 0.2, 0.1),
    (0.3, -0.35, -0.2),  # much
]


def galsim_image(catalog: Path, row: np.record, angle: float, radius: float, band: int, mu: float):
    """The same galaxy by GalSim, its flux and size and angle those before lensing."""
    with CatalogFile(catalog) as file:
        (index,) = np.flatnonzero(file.column("GALAXY_ID") == row["GALAXY_ID"])
        templates = make_templates(file.stamps(np.array([index])), file.bands)
    light = templates.light_nbhw[0, band].numpy()
    h, w = light.shape
    galaxy = galsim.InterpolatedImage(galsim.Image(light, scale=1), x_interpolant="cubic")
    galaxy = galaxy.shift((w - 1) / 2 - templates.x[0], (h - 1) / 2 - templates.y[0])
    north = float(FIELD.north(np.array([row["RA"]]), np.array([row["DEC"]]))[0])
    galaxy = galaxy.rotate((north + angle - templates.angle[0]) * galsim.degrees)
    galaxy = galaxy.dilate(radius / FIELD.pixel_scale / templates.radius[0])
    galaxy = galaxy.lens(float(row["G1"]), float(row["G2"]), mu)
    centre = galsim.PositionD(row["X"], row["Y"])
    drawn = galsim.Image(FIELD.width, FIELD.height, scale=1, dtype=float)
    return galaxy.drawImage(drawn, center=centre, method="no_pixel").array


@pytest.mark.parametrize(("g1", "g2", "kappa"), SHEARS)
def test_it_is_what_galsim_does(draw, real_catalog, g1, g2, kappa):
    """Pixel for pixel: the interpolation is the same, the flux mu times that before."""
    ra, dec = FIELD.sky(np.array([118.3]), np.array([121.6]))
    radius, angle, lens = 2.4, 25.0, {"g1": g1, "g2": g2, "kappa": kappa}
    columns = lens | {"ra": ra, "dec": dec, "position_angle": angle, "half_light_radius": radius}
    hdus = draw(real_catalog, FIELD, lens=ALL, mag=20.0, **columns)
    (row,) = hdus["TRUTH"].data
    mu = 1 / ((1 - kappa) ** 2 * (1 - g1**2 - g2**2))
    for b, band in enumerate("GRI"):
        theirs = galsim_image(real_catalog, row, angle, radius, b, mu)
        before = row[f"FLUX_{band}"] / mu
        assert theirs.sum() == pytest.approx(mu, rel=1e-4)  # light before lensing has a sum of 1
        assert image(hdus, band) == pytest.approx(before * theirs, abs=1e-4 * before * theirs.max())
    assert row["FLUX_I"] == pytest.approx(10 * mu)  # magnitude 20 in nanomaggies
    assert row["HALF_LIGHT_RADIUS"] == pytest.approx(radius * mu**0.5)


@pytest.mark.parametrize(
    ("lens", "size", "flux"),
    [(("shape",), 0, 0), (("size",), 1, 0), (("flux",), 0, 1), (("flux", "size", "shape"), 1, 1)],
)
def test_only_what_is_from_before_lensing_follows(draw, ellipse_catalog, lens, size, flux):
    given = {"g1": 0.1, "g2": 0.05, "kappa": 0.2, "half_light_radius": 2.0, "mag": 20.0}
    hdus = draw(ellipse_catalog, FIELD, lens=lens, **CENTRE, **given)
    (row,) = hdus["TRUTH"].data
    mu = 1 / (0.8**2 * (1 - 0.1**2 - 0.05**2))
    assert row["MAGNIFICATION"] == pytest.approx(mu)
    assert row["HALF_LIGHT_RADIUS"] == pytest.approx(2 * mu ** (size / 2))
    assert row["FLUX_I"] == pytest.approx(10 * mu**flux)
    assert image(hdus).sum() == pytest.approx(row["FLUX_I"], rel=1e-5)
    assert hdus[0].header["LENSED"] == ",".join(
        name for name in ("shape", "size", "flux") if name in (*lens, "shape")
    )


@pytest.mark.parametrize(("ra", "dec"), [(10.0, 0.0), (0.0, 45.0), (200.0, 89.99), (200.0, -89.99)])
@pytest.mark.parametrize(
    ("shear", "angle"),  # where a round galaxy is stretched, from north through east
    [((0.2, 0), 90), ((-0.2, 0), 0), ((0, 0.2), 135), ((0, -0.2), 45)],
)
def test_the_sky_is_seen_from_inside(draw, round_catalog, ra, dec, shear, angle):
    """North up and east to the left, wherever north is in the image."""
    field = Field(ra, dec, 240, 240)
    at = field.sky(np.array([90.0]), np.array([140.0]))
    columns = {"ra": at[0], "dec": at[1], "g1": shear[0], "g2": shear[1]}
    hdus = draw(round_catalog, field, lens=("shape",), half_light_radius=1.5, **columns)
    (row,) = hdus["TRUTH"].data
    x, y, theta = moments(image(hdus))
    start = field.wcs.pixel_to_world(x - 1, y - 1)
    x1, y1 = field.wcs.world_to_pixel(start.directional_offset_by(angle * u.deg, 1 * u.arcsec))
    expected = np.degrees(np.arctan2(y1 - y + 1, x1 - x + 1))
    assert abs((theta - expected + 90) % 180 - 90) < 1.5
    assert abs((row["THETA"] - expected + 90) % 180 - 90) < 1.5
    assert abs((row["POSITION_ANGLE"] - angle + 90) % 180 - 90) < 1.5
    assert row["AXIS_RATIO"] == pytest.approx(0.8 / 1.2, abs=0.02)


def test_no_lensing_changes_no_pixel(draw, real_catalog):
    columns = CENTRE | {"half_light_radius": 1.3, "position_angle": 33.0}
    plain = draw(real_catalog, FIELD, **columns)
    lensed = draw(real_catalog, FIELD, lens=ALL, g1=0.0, g2=0.0, kappa=0.0, **columns)
    for band in "GRI":
        assert (image(plain, band) == image(lensed, band)).all()
    names = plain["TRUTH"].data.names
    assert lensed["TRUTH"].data.names[: len(names)] == names
    assert lensed["TRUTH"].data.names[len(names) :] == ["G1", "G2", "KAPPA", "MAGNIFICATION"]
    assert "LENSED" not in plain[0].header


def test_columns_without_being_asked_for_are_left_alone(draw, ellipse_catalog):
    plain = draw(ellipse_catalog, FIELD, **CENTRE)
    beside = draw(ellipse_catalog, FIELD, **CENTRE, g1=0.3, g2=0.0, kappa=0.1)
    assert (image(plain) == image(beside)).all()
    assert plain["TRUTH"].data.names == beside["TRUTH"].data.names


@pytest.fixture
def read(tmp_path):
    """Read the lensed sources of a table."""

    def call(lens=ALL, flip_g2=False, field=FIELD, **columns):
        path = tmp_path / "in.ecsv"
        n = max(np.size(values) for values in columns.values())
        columns = {"ra": 10.0, "dec": 0.0, "mag": 20.0} | columns
        Table({name: np.broadcast_to(v, n) for name, v in columns.items()}).write(
            path, overwrite=True
        )
        return read_sources(InputTable(path), field, ("g", "r", "i"), lens=lens, flip_g2=flip_g2)

    return call


def test_shear_and_reduced_shear(read):
    """As skyCatalogs and GCRCatalogs have it: gamma in shear_1 and shear_2, and convergence."""
    reduced = read(g1=[0.1, -0.2], g2=[0.05, 0.0], kappa=[0.2, -0.1])
    gamma = read(shear_1=[0.08, -0.22], shear_2=[0.04, 0.0], convergence=[0.2, -0.1])
    assert gamma.lensing.g_n == pytest.approx(reduced.lensing.g_n)
    mu = 1 / ((1 - reduced.lensing.kappa_n) ** 2 - np.array([0.08**2 + 0.04**2, 0.22**2]))
    assert reduced.lensing.magnification == pytest.approx(mu)
    assert gamma.mag_nb == pytest.approx(reduced.mag_nb, nan_ok=True)
    assert read(g1=[0.1, 0.2], g2=[0.3, 0], flip_g2=True).lensing.g_n.tolist() == [0.1 - 0.3j, 0.2]


def test_drawn_sizes_go_with_magnitudes(read):
    lens = {"g1": np.full(30, 0.1), "g2": 0.0, "kappa": 0.3}
    before, mu = read(lens=("shape",), **lens), 1 / (0.7**2 * 0.99)
    assert read(lens=("flux",), **lens).radius == pytest.approx(before.radius * mu**0.5)
    assert read(lens=("size",), **lens).radius == pytest.approx(before.radius)


def test_a_field_that_is_lensed_as_one(read):
    """Positions follow about the middle, and those that come into the image are drawn."""
    g1, g2, kappa = 0.1, -0.2, 0.3
    x, y = np.meshgrid(np.arange(-40, 300, 20.0), np.arange(-40, 300, 20.0))
    ra, dec = FIELD.sky(x.ravel(), y.ravel())
    columns = {"ra": ra, "dec": dec, "half_light_radius": 0.01}
    lensed = read(lens=("position",), g1=g1, g2=g2, kappa=kappa, **columns)
    # What was in the image before: A beta = theta.
    a = np.array([[1 - kappa - g1 * (1 - kappa), -g2 * (1 - kappa)],
                  [-g2 * (1 - kappa), 1 - kappa + g1 * (1 - kappa)]])  # fmt: skip
    middle = np.array([[119.5], [119.5]])
    back = a @ (np.array([lensed.x, lensed.y]) - middle) + middle
    expected = np.array([x.ravel(), y.ravel()])[:, lensed.id]
    assert back == pytest.approx(expected, abs=1e-6)
    assert np.array(FIELD.pixels(lensed.ra, lensed.dec)) == pytest.approx(
        np.array([lensed.x, lensed.y]), abs=1e-6
    )
    assert 20 < len(lensed) < x.size / 2  # most are magnified out of it


def test_galaxies_that_shear_stretches_into_the_image_are_drawn(read):
    edge = 10 + 120 * 0.2 / 3600 + 9 / 3600  # to the east
    columns = {"ra": [edge], "half_light_radius": 1.0, "g2": 0.0}
    assert len(read(lens=("shape",), g1=0.0, **columns)) == 0
    assert len(read(lens=("shape",), g1=0.2, **columns)) == 1


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"g1": [0.1, np.nan], "g2": 0.0}, "row 1 .*g1 is nan"),
        ({"g1": [0.1, 0.4], "g2": [0.0, 0.4]}, "row 1 .*reduced shear is 0.56.*allowed: 0 to 0.5"),
        ({"g1": [0.1, 0.1], "g2": 0.0, "kappa": [0.9, 0]}, "row 0 .*kappa is 0.9"),
        ({"g1": [0.1, 0.1], "g2": 0.0, "kappa": [np.nan, 0]}, "row 0 .*kappa is nan"),
        ({"shear_1": [0.1, 0.4], "shear_2": 0.0, "kappa": 0.4}, "row 1 .*reduced shear is 0.6"),
        ({"g1": [0.1, 0.1]}, "no column for g2"),
        ({"kappa": [0.1, 0.1]}, "no column for g1"),
        ({"gamma1": [0.1, 0.1], "gamma2": 0.0}, "no column for g1"),  # of either sign
    ],
)
def test_rows_that_cannot_be_lensed_are_named(read, columns, says):
    with pytest.raises(DataError, match=says):
        read(**columns)


def test_rows_far_away_may_be_lensed_in_any_way(read):
    """Of a table of a whole simulation, with its clusters and its gaps."""
    ra = [10.0, 10.5, 190.0, 9.5]
    sources = read(ra=ra, g1=[0.1, 0.9, np.nan, 3.0], g2=0.0, kappa=[0.1, 2.0, 0, np.nan])
    assert sources.id.tolist() == [0]
    with pytest.raises(DataError, match=r"row 1 .*kappa is 0\.9"):
        read(ra=[10.5, 10.0], g1=0.0, g2=0.0, kappa=[0.0, 0.9])


def test_positions_on_the_other_half_of_the_sky_do_not_follow(read):
    sources = read(lens=("position",), ra=[190.0, 10.0], g1=0.1, g2=0.0, kappa=0.1)
    assert sources.id.tolist() == [1]
    assert sources.lensing.g_n.tolist() == [0.1]


def test_how_long_a_galaxy_can_become():
    lensing = Lensing(np.array([WEAK + 0j]), np.array([WEAK]), ("shape",))
    assert lensing.magnification**0.5 * stretch(WEAK) == pytest.approx(LONGEST)


@pytest.mark.parametrize("differ", [{"g1": [0.1, 0.2]}, {"kappa": [0.1, 0.2]}])
def test_positions_follow_only_where_that_is_known(read, differ):
    columns = {"g1": [0.1, 0.1], "g2": 0.0, "kappa": [0.1, 0.1]} | differ
    with pytest.raises(DataError, match="do not say how far galaxies move"):
        read(lens=("position",), **columns)


def test_what_is_lensed_is_said(tmp_path):
    path = tmp_path / "a.csv"
    columns = ("ra", "dec", "mag", "shear_1", "shear_2", "convergence")
    Table({name: [1.0] for name in columns}).write(path)
    bands = ("g", "r", "i")
    said = explain_sources(InputTable(path), bands, lens=("shape",))
    assert "shear_1 <- shear_1, shear_2 <- shear_2, kappa <- convergence" in said
    said = explain_sources(InputTable(path), bands)
    assert "shear_1" not in said
    assert said.endswith("; its shear is left alone without `lens`")


@pytest.mark.parametrize("lens", [("shapes",), ("size", "colour")])
def test_other_words_are_refused(lens):
    with pytest.raises(InvalidValueError, match="shape, size, flux, position"):
        parse_changes(lens)


def test_ellipses_are_those_of_the_moments():
    """A^-1 M A^-T with the same axis ratio and angle, for any ellipse and shear."""
    rng = np.random.default_rng(0)
    q, angle = rng.uniform(0.1, 1, 50), rng.uniform(0, 180, 50)
    g = rng.uniform(0, WEAK, 50) * np.exp(2j * np.pi * rng.random(50))
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turn = np.array([[cos, -sin], [sin, cos]]).transpose(2, 0, 1)
    shape = turn @ (np.eye(2) * np.array([np.ones(50), q**2]).T[:, None]) @ turn.transpose(0, 2, 1)
    inverse = np.array([[1 + g.real, g.imag], [g.imag, 1 - g.real]]).transpose(2, 0, 1)
    value, vector = np.linalg.eigh(inverse @ shape @ inverse)
    found_q, found_angle = lensed_ellipse(q, angle, g)
    assert found_q == pytest.approx(np.sqrt(value[:, 0] / value[:, 1]))
    expected = np.degrees(np.arctan2(vector[:, 1, 1], vector[:, 0, 1]))
    assert (found_angle - expected + 90) % 180 - 90 == pytest.approx(0, abs=1e-6)


def test_magnification_of_the_map():
    lensing = Lensing(np.array([0.1 + 0.2j]), np.array([0.3]), ("shape", "position"))
    corners = (np.array([0.0, 1, 0]), np.array([0.0, 0, 1]))
    x, y = lensing.moved(*corners)
    area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    assert area == pytest.approx(lensing.magnification[0])


def test_the_file_is_valid(draw, ellipse_catalog, tmp_path):
    imaging = Imaging(psf=("gaussian:0.8",), depth=(25.0,))
    draw(ellipse_catalog, FIELD, imaging, lens=ALL, g1=0.1, g2=0.1, **CENTRE)
    accept(tmp_path / "scene.fits")
