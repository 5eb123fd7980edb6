"""`galgen export imsim`: objects as imSim makes them are where, as large and as bright as ours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("galsim")

import galsim
from astropy.io import fits

from galgen.catalog import CatalogFile
from galgen.catalog.convert.concat import concatenate_catalogs
from galgen.errors import CatalogError, DataError, InvalidValueError, OutputError
from galgen.export.imsim import export_imsim
from galgen.galsim import GalgenCatalog, make_galaxy
from tests.catalog.synthetic import accept, sha256
from tests.export.instcat import AREA, EXPOSURE, InstanceCatalog
from tests.galsim import gaussians
from tests.galsim.gaussians import BANDS, DARK, FLUX, SHAPES
from tests.real import run_info, write_real

SCALE, ZERO, PIXEL = 0.4, 25.0, 0.2
RA, DEC = 150.0, 40.0  # where a degree of right ascension is not one of an arc
SEEN = [i for i in range(8) if i != DARK]
SKY = {"RA": RA + np.arange(8) / 3600, "DEC": DEC + np.arange(8)[::-1] / 3600}
LENS = {
    "G1": np.linspace(-0.1, 0.15, 8),
    "G2": np.linspace(0.2, -0.1, 8),
    "KAPPA": np.linspace(-0.05, 0.3, 8),
}
GIVEN = {"ra": (10.0, 11.0), "dec": (1.0, 2.0), "pixel_scale": SCALE, "mag_zero": ZERO}


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("imsim")
    return gaussians.write(folder / "a.fits", SCALE, SKY | LENS, ZERO)


@pytest.fixture(scope="module")
def unlensed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("unlensed")
    export_imsim(gaussians.write(folder / "a.fits", SCALE, SKY, ZERO), folder / "objects")
    return folder / "objects"


@pytest.fixture(scope="module")
def folder(path) -> Path:
    out = path.parent / "objects"
    assert export_imsim(path, out) == len(SEEN)
    return out


def visit(folder: Path, band: str, number: int = 1, **options) -> InstanceCatalog:
    """Instance catalogue of a visit, which says of objects only where they are."""
    file = folder / f"visit{number}.txt"
    file.write_text(f"rightascension {RA}\nfilter {'ugrizy'.index(band)}\nincludeobj {band}.txt\n")
    return InstanceCatalog(file, **options)


def bandpass(band: str) -> galsim.Bandpass:
    return galsim.Bandpass(f"LSST_{band}.dat", "nm").withZeropoint("AB")


def test_what_is_in_the_folder(folder):
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("visit"))
    assert names == ["flat.sed", "g", "g.txt", "i", "i.txt", "r", "r.txt"]
    assert sorted(path.name for path in (folder / "r").iterdir()) == [f"{i}.fits" for i in SEEN]
    accept(folder / "g" / "3.fits")
    header = fits.getheader(folder / "g" / "3.fits")
    assert (header["OBJECT"], header["FILTER"], header["SEED"]) == ("3", "g", 7)
    assert header["CREDIT"] == "SDSS, Galaxy Zoo"
    # Seventeen words: object, name, place, magnitude, spectrum, shear, offset, image, no dust.
    lines = (folder / "r.txt").read_text().splitlines()
    assert all(len(line.split()) == 17 for line in lines[1:])


@pytest.mark.parametrize("band", BANDS)
def test_magnitudes_are_those_of_the_catalogue(path, folder, band):
    objects = visit(folder, band)
    assert objects.ids == [str(i) for i in SEEN]
    with CatalogFile(path) as catalog:
        flux_n = catalog.column(f"FLUX_{band.upper()}")[SEEN]
    for number, flux in enumerate(flux_n):
        assert 10 ** (0.4 * (ZERO - objects.magnorm(number))) == pytest.approx(flux, rel=1e-8)
        light = objects.object(number)
        counts = light.calculateFlux(bandpass(band)) / (AREA * EXPOSURE)
        # GalSim's sum over the filter is right to 1e-4.
        mag = bandpass(band).zeropoint - 2.5 * np.log10(counts)
        assert mag == pytest.approx(objects.magnorm(number), abs=2e-4)
    np.testing.assert_allclose(flux_n, FLUX[BANDS.index(band)], rtol=0.02)


def test_one_galaxy_has_its_colours(folder):
    mags = [visit(folder, band).magnorm(2) for band in BANDS]
    assert mags[0] - mags[1] == pytest.approx(2.5 * np.log10(FLUX[1] / FLUX[0]), abs=0.01)
    assert mags[1] - mags[2] == pytest.approx(2.5 * np.log10(FLUX[2] / FLUX[1]), abs=0.01)


def drawn(objects: InstanceCatalog, number: int, wcs: galsim.BaseWCS, size: int = 160):
    """The object's image without PSF, in the WCS of a visit, as GalSim's stamps are drawn."""
    where = wcs.toImage(objects.position(number))
    image = galsim.Image(size, size, wcs=wcs.local(where))
    image.setCenter(round(where.x), round(where.y))
    objects.light(number).drawImage(image=image, center=where, method="no_pixel")
    image.wcs = wcs
    return image


def pointing(turn: float, flip: bool = False) -> galsim.TanWCS:
    """A visit: north up and east to the left, turned by `turn` deg; or seen in a mirror."""
    cos, sin = PIXEL * np.cos(np.radians(turn)), PIXEL * np.sin(np.radians(turn))
    affine = galsim.AffineTransform(-cos if flip else cos, -sin, -sin if flip else sin, cos)
    return galsim.TanWCS(affine, galsim.CelestialCoord(RA * galsim.degrees, DEC * galsim.degrees))


def sky_angle(image: galsim.Image, wcs: galsim.BaseWCS, shape: galsim.Shear, at) -> float:
    """Position angle of an ellipse measured in pixels, deg from north through east."""
    middle = wcs.toWorld(at)
    step = galsim.PositionD(np.cos(shape.beta.rad), np.sin(shape.beta.rad))
    east_of = wcs.toWorld(at + step)
    cos_dec = np.cos(middle.dec.rad)
    east = (east_of.ra - middle.ra).wrap().rad * cos_dec
    return float(np.degrees(np.arctan2(east, east_of.dec.rad - middle.dec.rad)))


# The same galaxy at every visit, however the camera is turned.
@pytest.mark.parametrize(("turn", "flip"), [(0, False), (37, False), (180, True)])
@pytest.mark.parametrize("number", [0, 2, 3])
def test_places_and_angles_on_the_sky(unlensed, turn, flip, number):
    wcs = pointing(turn, flip)
    image = drawn(visit(unlensed, "r"), number, wcs)
    found = galsim.hsm.FindAdaptiveMom(galsim.Image(image.array / image.array.max()), guess_sig=6)
    at = found.moments_centroid + image.bounds.origin - galsim.PositionD(1, 1)
    there = wcs.toWorld(at)
    truth = galsim.CelestialCoord(
        SKY["RA"][number] * galsim.degrees, SKY["DEC"][number] * galsim.degrees
    )
    assert there.distanceTo(truth) / galsim.arcsec < 0.02 * SCALE
    _, q, angle, *_ = SHAPES[number]
    # Stamps have north up and east to the left: +x is west, from which angles are counted.
    away = sky_angle(image, wcs, found.observed_shape, at) - (angle - 90)
    assert (away + 90) % 180 - 90 == pytest.approx(0, abs=0.6)
    assert found.observed_shape.q == pytest.approx(q, abs=0.02)


@pytest.mark.parametrize("number", range(len(SEEN)))
def test_shear_and_magnification(path, folder, number):
    """As GalSim lenses the galaxy about its centroid, its flux what the magnitude says."""
    row = SEEN[number]
    g1, g2, kappa = (LENS[name][row] for name in ("G1", "G2", "KAPPA"))
    mu = 1 / ((1 - kappa) ** 2 * (1 - g1**2 - g2**2))
    objects = visit(folder, "r")
    np.testing.assert_allclose(objects.lens(number), (g1, g2, mu), rtol=1e-8)
    wcs = pointing(0)
    image = drawn(objects, number, wcs)
    galaxy = make_galaxy(GalgenCatalog(path), row, band="r").lens(g1, g2, mu)
    where = wcs.toImage(
        galsim.CelestialCoord(SKY["RA"][row] * galsim.degrees, SKY["DEC"][row] * galsim.degrees)
    )
    wanted = galsim.Image(image.bounds, wcs=wcs.local(where))
    galaxy.withFlux(image.array.sum()).drawImage(image=wanted, center=where, method="no_pixel")
    peak = wanted.array.max()
    np.testing.assert_allclose(image.array, wanted.array, rtol=0, atol=2e-3 * peak)


def test_without_the_flip_of_g2_shear_is_mirrored(folder):
    mirrored = visit(folder, "r", flip_g2=False)
    assert mirrored.lens(0)[1] == pytest.approx(-LENS["G2"][0])


def test_every_visit_has_the_same_galaxies(folder):
    first, second = visit(folder, "r", 1), visit(folder, "r", 2)
    other_band = visit(folder, "g", 3)
    assert first.ids == second.ids == other_band.ids
    for number in range(len(SEEN)):
        assert first.image(number) == second.image(number)
        assert first.position(number) == second.position(number) == other_band.position(number)


def test_the_same_bytes_and_what_may_be_replaced(path, tmp_path):
    out = tmp_path / "out"
    export_imsim(path, out)
    digests = {file: sha256(file) for file in sorted(out.rglob("*.*"))}
    with pytest.raises(OutputError, match="exists"):
        export_imsim(path, out)
    done: list[int] = []
    export_imsim(path, out, overwrite=True, progress=done.append)
    assert digests == {file: sha256(file) for file in sorted(out.rglob("*.*"))}
    assert done == list(range(1, 8))
    assert export_imsim(path, out, overwrite=True, category="round", n=1) == 1
    assert [file.name for file in (out / "i").iterdir()] == ["1.fits"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "flat.sed").write_text("mine")
    with pytest.raises(OutputError, match="not a folder that was exported"):
        export_imsim(path, tmp_path / "mine", overwrite=True)


def test_catalogues_that_were_put_together(path, tmp_path):
    made = gaussians.stamps(SCALE)
    info = replace(run_info(made), seed=8, zero_point=ZERO)
    other = write_real(tmp_path / "other.fits", made, info=info, carried=SKY | LENS)
    concatenate_catalogs([path, other], tmp_path / "both.fits")
    assert export_imsim(tmp_path / "both.fits", tmp_path / "out", n=9) == 9
    ids = InstanceCatalog(tmp_path / "out" / "r.txt").ids
    assert ids == ["0", "1", "2", "3", "4", "5", "7", "8", "9"]  # rows, each once


def test_positions_and_scales_that_are_given(tmp_path):
    bare = gaussians.write(tmp_path / "bare.fits")
    assert export_imsim(bare, tmp_path / "out", **GIVEN) == 7
    objects = InstanceCatalog(tmp_path / "out" / "r.txt")
    for number in range(7):
        place = objects.position(number)
        assert 10 <= place.ra / galsim.degrees <= 11
        assert 1 <= place.dec / galsim.degrees <= 2
        assert objects.lens(number) == (0, 0, 1)
    export_imsim(bare, tmp_path / "few", **GIVEN, n=2)
    few = InstanceCatalog(tmp_path / "few" / "r.txt")
    assert few.position(1) == objects.position(1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ra": None, "dec": None}, r"positions is None; allowed: columns RA and DEC"),
        ({"pixel_scale": None}, r"pixel_scale is None; allowed: arcsec per pixel"),
        ({"mag_zero": None}, r"mag_zero is None; allowed: the AB magnitude .* fluxes of .* are in"),
        ({"n": 0}, r"n is 0; allowed: 1 or more"),
        ({"category": "disturbed"}, r"category is 'disturbed'; allowed: .* can be seen"),
    ],
)
def test_what_is_missing_or_wrong(tmp_path, changed, message):
    bare = gaussians.write(tmp_path / "bare.fits")
    with pytest.raises(InvalidValueError, match=message):
        export_imsim(bare, tmp_path / "out", **GIVEN | changed)
    assert not (tmp_path / "out").exists()


def test_no_catalogue(tmp_path):
    with pytest.raises(DataError, match=r"none\.fits"):
        export_imsim(tmp_path / "none.fits", tmp_path / "out", **GIVEN)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"G1": np.full(8, 0.8), "G2": np.full(8, 0.7)},
            r"row 0 has g1, .* of 0\.8, 0\.7, 0",
        ),
        ({"KAPPA": np.arange(8.0)}, r"row 1 has g1, g2 and kappa of 0, 0, 1; allowed"),
        ({"G2": np.where(np.arange(8) == 3, np.nan, 0)}, r"row 3 has .* 0, nan, 0"),
    ],
)
def test_shears_that_are_none(tmp_path, columns, message):
    bad = gaussians.write(tmp_path / "bad.fits", SCALE, SKY | columns, ZERO)
    with pytest.raises(CatalogError, match=message):
        export_imsim(bad, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_on_the_command_line(path, tmp_path, galgen):
    out = tmp_path / "out"
    code, said, err = galgen("export", "imsim", path, out, "--category", "spiral", "--n", "2")
    assert code == 0, err
    assert said == f"{out}: 2 galaxies\n"
    bare = gaussians.write(tmp_path / "bare.fits")
    words = ("--ra", "1:2", "--dec", "1:2", "--pixel-scale", "0.4")
    code, _, err = galgen("export", "imsim", bare, tmp_path / "b", *words)
    assert code == 2
    assert "mag_zero is None" in err
    code, _, err = galgen("export", "imsim", bare, tmp_path / "b", *words, "--mag-zero", "25")
    assert code == 0
