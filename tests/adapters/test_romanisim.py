"""romanisim draws our galaxies where, as large and as bright as the catalogue says."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

with warnings.catch_warnings():  # of what it imports
    warnings.simplefilter("ignore")
    catalog_of = pytest.importorskip("romanisim.catalog")
    image_of = pytest.importorskip("romanisim.image")

import galsim

from galgen.adapters.romanisim import write_image_table
from galgen.catalog import CatalogFile
from galgen.catalog.convert.concat import concatenate_catalogs
from galgen.errors import CatalogError, InvalidValueError, OutputError
from tests.galsim import gaussians
from tests.galsim.gaussians import BANDS, DARK, SHAPES, SIGMA
from tests.real import run_info, write_real

SCALE, ZERO, PIXEL = 0.1, 25.0, 0.11
RA, DEC = 270.0, 66.0
SEEN = [i for i in range(8) if i != DARK]
SKY = {"RA": RA + np.arange(8) * 2e-3, "DEC": DEC + np.arange(8)[::-1] * 1e-3}
LENS = {"G1": np.full(8, 0.12), "G2": np.full(8, -0.2), "KAPPA": np.full(8, 0.1)}
ROMAN = {"F062": "r", "F087": "i", "F106": "i"}
PSF = galsim.Gaussian(fwhm=0.15)


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return gaussians.write(tmp_path_factory.mktemp("roman") / "a.fits", SCALE, SKY, ZERO)


def read(table: Path) -> list:
    """The objects as romanisim reads them from its command line's catalogue."""
    rows = catalog_of.read_catalog(str(table), None, bandpasses=list(ROMAN))
    return catalog_of.table_to_catalog(rows, list(ROMAN))


@pytest.fixture(scope="module")
def objects(path) -> list:
    write_image_table(path, path.parent / "roman.ecsv", ROMAN)
    return read(path.parent / "roman.ecsv")


def pointing(turn: float = 0.0) -> galsim.TanWCS:
    """North up and east to the left, turned by `turn` deg."""
    cos, sin = PIXEL * np.cos(np.radians(turn)), PIXEL * np.sin(np.radians(turn))
    affine = galsim.AffineTransform(cos, -sin, sin, cos)
    return galsim.TanWCS(affine, galsim.CelestialCoord(RA * galsim.degrees, DEC * galsim.degrees))


def drawn(one: object, wcs: galsim.BaseWCS, counts: float = 1e9) -> galsim.Image:
    """romanisim's own image of one object, of `counts` electrons per maggy."""
    where = wcs.toImage(one.sky_pos)
    image = galsim.Image(200, 200, wcs=wcs, init_value=0)
    image.setCenter(round(where.x), round(where.y))
    image_of.add_objects_to_image(
        image, [one], [where.x], [where.y], PSF, counts, filter_name="F062", seed=1
    )
    return image


class Found:
    """Adaptive moments: where it is on the sky, arcsec, and its angle from north through east."""

    def __init__(self, image: galsim.Image, wcs: galsim.BaseWCS) -> None:
        plain = galsim.Image(np.array(image.array / image.array.max(), np.float64))
        moments = galsim.hsm.FindAdaptiveMom(plain, guess_sig=5)
        at = moments.moments_centroid + image.bounds.origin - galsim.PositionD(1, 1)
        self.sky, self.shape = wcs.toWorld(at), moments.observed_shape
        self.sigma = moments.moments_sigma * PIXEL
        beta = self.shape.beta.rad
        along = wcs.toWorld(at + galsim.PositionD(np.cos(beta), np.sin(beta)))
        east = (along.ra - self.sky.ra).rad * np.cos(self.sky.dec.rad)
        self.angle = np.degrees(np.arctan2(east, along.dec.rad - self.sky.dec.rad))


def place(row: int) -> galsim.CelestialCoord:
    return galsim.CelestialCoord(SKY["RA"][row] * galsim.degrees, SKY["DEC"][row] * galsim.degrees)


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("turn", [0, 60])
def test_places_sizes_and_angles(objects, number, turn):
    wcs = pointing(turn)
    found = Found(drawn(objects[number], wcs), wcs)
    assert found.sky.distanceTo(place(number)) / galsim.arcsec < 0.05 * SCALE
    r50, q, angle, *_ = SHAPES[number]
    sigma2 = np.array([1 / q, q]) * (SIGMA * r50 * SCALE) ** 2
    sigma2 += PSF.sigma**2 + (SCALE**2 + PIXEL**2) / 12
    assert found.sigma == pytest.approx(sigma2.prod() ** 0.25, rel=0.02)
    assert found.shape.q == pytest.approx((sigma2[1] / sigma2[0]) ** 0.5, abs=0.02)
    if q < 1:  # stamps: +x, from which angles are counted, is west
        assert (found.angle - (angle - 90) + 90) % 180 - 90 == pytest.approx(0, abs=1)


def test_fluxes_are_maggies(path, objects):
    assert len(objects) == len(SEEN)
    with CatalogFile(path) as catalog:
        for number, row in enumerate(SEEN):
            for bandpass, band in ROMAN.items():
                flux = float(catalog.column(f"FLUX_{band.upper()}")[row])
                mag = -2.5 * np.log10(objects[number].flux[bandpass])
                assert mag == pytest.approx(ZERO - 2.5 * np.log10(flux), abs=1e-6)
    image = drawn(objects[1], pointing(), counts=1e9)
    assert image.array.sum() == pytest.approx(1e9 * objects[1].flux["F062"], rel=2e-3)


def test_shear_and_magnification(path, objects, tmp_path):
    lensed = gaussians.write(tmp_path / "b.fits", SCALE, SKY | LENS, ZERO)
    write_image_table(lensed, tmp_path / "roman.ecsv", ROMAN)
    wcs = pointing()
    mu = 1 / (0.9**2 * (1 - 0.12**2 - 0.2**2))
    for number, one in enumerate(read(tmp_path / "roman.ecsv")[:4]):
        found = Found(drawn(one, wcs), wcs)
        assert found.sky.distanceTo(place(number)) / galsim.arcsec < 0.05 * SCALE
        galaxy = objects[number].profile.lens(0.12, -0.2, mu)
        image = galsim.Convolve(galaxy, PSF).drawImage(nx=200, ny=200, scale=PIXEL)
        wanted = Found(image, wcs)
        assert found.sigma == pytest.approx(wanted.sigma, rel=1e-3)
        assert abs(found.shape.shear - wanted.shape.shear) < 2e-3
        assert one.flux == objects[number].flux


def test_catalogues_that_were_put_together(path, tmp_path, monkeypatch):
    made = gaussians.stamps(SCALE)
    info = replace(run_info(made), seed=8, zero_point=ZERO)
    other = write_real(tmp_path / "other.fits", made, info=info, carried=SKY)
    concatenate_catalogs([path, other], tmp_path / "both.fits")
    monkeypatch.chdir(tmp_path)
    table = write_image_table("both.fits", "roman.ecsv", ROMAN, n=9)
    assert table["ident"].tolist() == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    assert len(read(Path("roman.ecsv"))) == 9


def test_a_part_of_the_galaxies(path, tmp_path):
    table = write_image_table(path, tmp_path / "a.ecsv", ROMAN, category="round", band="g")
    assert table["ident"].tolist() == [1, 5]
    assert table.colnames[:7] == ["ra", "dec", "ident", "dilate", "rotate", "shear_ba", "shear_pa"]
    assert (tmp_path / "a-galaxies.fits").is_file()
    with pytest.raises(OutputError, match="exists"):
        write_image_table(path, tmp_path / "a.ecsv", ROMAN)
    write_image_table(path, tmp_path / "a.ecsv", ROMAN, overwrite=True, n=1)
    assert len(read(tmp_path / "a.ecsv")) == 1


def test_what_is_refused(path, tmp_path):
    with pytest.raises(InvalidValueError, match=r"bandpasses is 'z'; allowed: g, r, i"):
        write_image_table(path, tmp_path / "a.ecsv", {"F087": "z"})
    bare = gaussians.write(tmp_path / "bare.fits")
    given = {"ra": (1.0, 2.0), "dec": (1.0, 2.0), "pixel_scale": SCALE, "mag_zero": ZERO}
    for missing in ("ra", "pixel_scale", "mag_zero"):
        less = {name: value for name, value in given.items() if name != missing}
        with pytest.raises(InvalidValueError, match=rf"{missing} is None"):
            write_image_table(bare, tmp_path / "a.ecsv", ROMAN, **less)
    bad = gaussians.write(tmp_path / "bad.fits", SCALE, SKY | {"G1": np.ones(8)}, ZERO)
    with pytest.raises(CatalogError, match="row 0 has g1"):
        write_image_table(bad, tmp_path / "b.ecsv", ROMAN)
    assert set(BANDS) == {"g", "r", "i"}
