"""The file of a scene: valid, the same every time, whole or not there, with or without sources."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from galgen.categories import get
from galgen.errors import DataError, InvalidValueError, OutputError
from galgen.generate import load_model
from galgen.generate.sampling import Sampling
from galgen.scene import (
    CatalogGalaxies,
    Field,
    GeneratedGalaxies,
    Imaging,
    galaxies,
    imaging,
    make_scene,
    random_sources,
)
from tests.catalog.synthetic import accept, sha256

FIELD = Field(0.001, -30, 200, 150)
BANDS = ("g", "r", "i")


@pytest.fixture
def make(tmp_path, real_catalog):
    """Make a scene of real galaxies; returns its path."""

    def call(name="scene.fits", n=20, seed=0, field=FIELD, camera=None, **options) -> Path:
        source = options.pop("galaxies", None) or CatalogGalaxies(real_catalog, seed)
        sources = random_sources(field, source.bands, n=n, seed=seed)
        make_scene(tmp_path / name, source, sources, field, camera, seed=seed, **options)
        return tmp_path / name

    return call


@pytest.mark.parametrize("zero_point", [22.5, 31.4, 25.0])
@pytest.mark.parametrize("n", [20, 1, 0])
def test_files_are_valid(make, n, zero_point):
    path = make(n=n, camera=Imaging(zero_point=zero_point))
    accept(path)
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus[1:]] == ["SCI_G", "SCI_R", "SCI_I", "TRUTH"]
        assert hdus[0].header["NOBJECT"] == len(hdus["TRUTH"].data) == n
        unit = {22.5: "nanomaggy", 31.4: "nJy"}.get(zero_point, "adu")
        for hdu in hdus[1:4]:
            assert hdu.data.shape == (150, 200)
            assert hdu.header["BITPIX"] == -32
            assert (hdu.header["BUNIT"], hdu.header["MAGZERO"]) == (unit, zero_point)
            assert (hdu.header["CTYPE1"], hdu.header["CTYPE2"]) == ("RA---TAN", "DEC--TAN")
        assert {c.unit for c in hdus["TRUTH"].columns if c.name.startswith("FLUX")} == {unit}


def test_truth_agrees_with_itself(make):
    with fits.open(make()) as hdus:
        truth = hdus["TRUTH"].data
        where = np.array(WCS(hdus["SCI_G"].header).all_world2pix(truth["RA"], truth["DEC"], 1))
        assert where == pytest.approx(np.array([truth["X"], truth["Y"]]), abs=1e-5)
        for band in "GRI":
            magnitude = hdus["SCI_" + band].header["MAGZERO"] - 2.5 * np.log10(
                truth["FLUX_" + band]
            )
            assert magnitude == pytest.approx(truth["MAG_" + band], abs=1e-4)
        assert [get(name).code for name in truth["CATEGORY_NAME"]] == truth["CATEGORY"].tolist()
        turned = (truth["THETA"] - truth["POSITION_ANGLE"]) % 180
        assert turned == pytest.approx(90, abs=0.01)


def test_equal_arguments_make_equal_bytes(make, monkeypatch):
    first = sha256(make("a.fits"))
    monkeypatch.setattr(galaxies, "_BATCH", 7)
    monkeypatch.setattr(imaging, "_ROWS", 11)
    assert sha256(make("b.fits")) == first
    assert sha256(make("c.fits", seed=1)) != first


def test_noise_is_a_function_of_the_pixel(make):
    """Of its row and column, whatever the size of the image; of the band, and of the seed."""
    sizes = {"large.fits": (120, 100), "small.fits": (40, 30)}
    paths = [make(name, n=0, field=Field(width=w, height=h)) for name, (w, h) in sizes.items()]
    large, small = (fits.getdata(path, "SCI_I") for path in paths)
    assert (large[:30, :40] == small).all()
    assert np.std(large) == pytest.approx(Imaging().exposures(BANDS, 0.2)[2].sigma, rel=0.03)
    assert abs(np.corrcoef(large.ravel(), fits.getdata(paths[0], "SCI_R").ravel())[0, 1]) < 0.05


def test_depth_is_that_of_a_point_source():
    """The error of a weighted fit of the PSF to noise alone, by experiment."""
    camera = Imaging(zero_point=25.0, psf=("moffat:0.9",), depth=(24.0,))
    (exposure,) = camera.exposures(["r"], 0.3)
    side = len(exposure.kernel)
    noise = np.random.default_rng(0).normal(scale=exposure.sigma, size=(2000, side, side))
    fitted = (noise * exposure.kernel).sum((1, 2)) / (exposure.kernel**2).sum()
    assert 25 - 2.5 * np.log10(5 * fitted.std()) == pytest.approx(24.0, abs=0.06)


def test_settings_by_band():
    camera = Imaging(psf=("gaussian:1",), depth=(24, 25, np.inf), sky=(1, 2, 3))
    exposures = camera.exposures(BANDS, 0.2)
    assert [(e.psf, e.depth, e.sky) for e in exposures] == [
        ("gaussian:1", 24, 1),
        ("gaussian:1", 25, 2),
        ("gaussian:1", np.inf, 3),
    ]
    assert exposures[0].sigma == pytest.approx(exposures[1].sigma * 10**0.4)
    assert exposures[2].sigma == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"zero_point": -1.0},
        {"zero_point": float("nan")},
        {"depth": (float("nan"),)},
        {"depth": (-float("inf"),)},
        {"depth": (25, 25)},
        {"sky": (float("inf"),)},
        {"psf": ()},
        {"psf": ("gaussian:1",) * 4},
    ],
)
def test_impossible_settings_are_refused(changed):
    with pytest.raises(InvalidValueError):
        Imaging(**changed).exposures(BANDS, 0.2)


def test_what_exists_is_not_replaced_unasked(make):
    path = make()
    before = sha256(path)
    with pytest.raises(OutputError, match="exists"):
        make(seed=1)
    assert sha256(path) == before
    assert sha256(make(seed=1, overwrite=True)) != before


def test_a_full_disk_leaves_nothing_behind(make, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fits.HDUList, "writeto", full)
    with pytest.raises(OutputError, match="No space left"):
        make()
    assert list(tmp_path.iterdir()) == []


def test_sources_get_the_same_galaxy_in_every_field(real_catalog):
    """Neighbouring fields that both list a galaxy show the same one."""
    sources = random_sources(FIELD, BANDS, n=40)
    source = CatalogGalaxies(real_catalog, seed=2)
    whole = next(source.give(sources)[1]).galaxy_id_n
    some = next(source.give(sources[5:40:7])[1]).galaxy_id_n
    assert (some == whole[5:40:7]).all()
    assert len(set(whole)) > 15


def test_categories_are_honoured(real_catalog):
    sources = random_sources(FIELD, BANDS, n=12)
    sources.category[:] = get("galaxy").code
    assert len(next(CatalogGalaxies(real_catalog).give(sources)[1]).category_n) == 12
    sources.category[3] = get("barred").code  # `population` labels all of them as galaxies
    with pytest.raises(DataError, match="barred"):
        CatalogGalaxies(real_catalog).give(sources)


@pytest.fixture
def generated(tiny_weights):
    """Galaxies of the tiny model."""
    model = load_model(tiny_weights)

    def call(category: str = "spiral", seed: int = 5, micro_batch: int = 4):
        sampling = Sampling(steps=2, micro_batch=micro_batch)
        return GeneratedGalaxies(model, category, seed, sampling)

    return call, model


def test_generated_galaxies_are_those_of_the_model(generated):
    """Galaxy i goes to source i, of the source's category if it has one."""
    call, model = generated
    sources = random_sources(FIELD, BANDS, n=10)
    info, batches = call("spiral,smooth").give(sources)
    stamps = list(batches)
    sampling = Sampling(steps=2, micro_batch=4)
    run = model.generate("spiral,smooth", 10, seed=5, sampling=sampling)
    for mine, made in zip(stamps, run, strict=True):
        assert (mine.stamps_nbhw == made.stamps_nbhw).all()
        assert (mine.galaxy_id_n == made.galaxy_id_n).all()
        assert (mine.category_n == made.category_n).all()
    assert info.seed == 5
    sources.category[[2, 9]] = get("edge-on").code
    asked = np.concatenate([batch.category_n for batch in call("spiral").give(sources)[1]])
    expected = np.full(10, get("spiral").code)
    expected[[2, 9]] = get("edge-on").code
    assert (asked == expected).all()


def test_a_scene_of_generated_galaxies(make, generated):
    """An untrained model makes stamps without a galaxy, too; those are left out."""
    call, _ = generated
    done = []
    path = make(n=11, galaxies=call(), progress=done.append)
    accept(path)
    assert done == [4, 8, 11]
    with fits.open(path) as hdus:
        truth = hdus["TRUTH"].data
        assert len(truth) <= 11
        assert (truth["GALAXY_ID"] == truth["ID"]).all()
        assert (truth["SEED"] == 5).all()
    accept(make("none.fits", n=0, galaxies=call()))
