"""Runs in other units, blurred, with noise and hooks: in the pixels, the columns and the cards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.io import fits
from torch import Tensor

from galgen.catalog import CatalogFile, verify, write_catalog
from galgen.errors import InvalidValueError, NonFiniteOutputError
from galgen.generate import GalaxyModel, Run, load_model
from galgen.generate.observe import Observing
from galgen.generate.sampling import Sampling
from galgen.pictures.display import display_stretch
from tests.catalog.synthetic import accept

QUICK = Sampling("ipndm", steps=2, micro_batch=4)


@pytest.fixture(scope="module")
def model() -> GalaxyModel:
    return load_model(device="cpu")


def generate(model: GalaxyModel, observing: Observing, n: int = 6, **options) -> Run:
    return model.generate("spiral", n, sampling=QUICK, observing=observing, **options)


def stamps(run: Run, ranges=None) -> np.ndarray:
    batches = run if ranges is None else run.batches(ranges)
    return np.concatenate([batch.stamps_nbhw for batch in batches])


def test_bits_do_not_depend_on_ranges(model: GalaxyModel):
    observing = Observing(pixel_scale=0.4, psf=(1.2,), noise=(0.01, 0.02, 0.03))
    run = generate(model, observing, seed=3)
    whole = stamps(run)
    assert np.array_equal(stamps(run, [(1, 3), (5, 6)]), whole[[1, 2, 5]])
    assert np.array_equal(stamps(generate(model, observing, 5, seed=3)), whole[:5])


def test_a_run_in_nanojanskys_comes_back(model: GalaxyModel, tmp_path: Path):
    run = generate(model, Observing("nJy", 22.123456789), 1)
    with CatalogFile(write_catalog(tmp_path / "cat.fits", run, run.info)) as file:
        assert vars(file.info) == vars(run.info)


def test_cards_and_columns_of_a_run(model: GalaxyModel, tmp_path: Path):
    observing = Observing("counts", 27.0, 0.4, (1.2, 1.1, 1.0), (0.5,))
    run = generate(model, observing)
    path = write_catalog(tmp_path / "cat.fits", run, run.info)
    accept(path)
    assert verify(path).ok
    with fits.open(path) as hdus:
        primary, table = hdus[0].header, hdus["CATALOG"]
        assert (primary["PSFFWHM"], primary["SKYSIGMA"]) == ("1.2,1.1,1.0", "0.5,0.5,0.5")
        assert (primary["PIXSCALE"], primary["ZPT_AB"]) == (0.4, 27.0)
        assert primary["FLUXSRC"] == "MAGZERO"
        assert hdus["STAMPS_R"].header["BUNIT"] == "ct"
        units = {c.name: c.unit for c in table.columns}
        assert {units[f"{kind}FLUX_{b}"] for kind in ("", "TRUE_") for b in "GRI"} == {"ct"}
        comments = [table.header[f"TCOMM{i + 1}"] for i in range(len(units))]
        at = list(units).index("SURFACE_BRIGHTNESS")
        assert comments[at].endswith("zero point ZPT_AB")
    with CatalogFile(path) as file:
        assert vars(file.info) == vars(run.info)
        copy = write_catalog(tmp_path / "copy.fits", file.batches(4), file.info)
    assert copy.read_bytes() == path.read_bytes()


def test_uncalibrated_weights_given_a_zero_point(model: GalaxyModel):
    as_made, known = generate(model, Observing()), generate(model, Observing(mag_zero=22.5))
    assert np.array_equal(stamps(as_made), stamps(known))
    assert (known.info.flux_unit, known.info.zero_point) == ("adu", 22.5)
    assert (known.info.flux_source, known.info.lupton) == ("MAGZERO", "sdss")
    assert known.info.mag_zero == 22.5
    nano = generate(model, Observing("nanomaggy", 20.0))
    assert (nano.info.zero_point, nano.info.mag_zero) == (22.5, 20.0)
    np.testing.assert_allclose(stamps(nano), stamps(as_made) * 10.0, rtol=1e-6)
    assert nano.info.lupton is None  # that stretch is for other numbers
    display_stretch(nano.info, stamps(nano))


def test_a_hook(model: GalaxyModel):
    def darker(flux_nhwc: Tensor, index_n: Tensor, seed: int) -> Tensor:
        return flux_nhwc / 2

    run = generate(model, Observing(hook=darker))
    np.testing.assert_allclose(stamps(run), stamps(generate(model, Observing())) / 2)
    assert run.info.hook.endswith("test_a_hook.<locals>.darker")

    class Callable_:
        def __call__(self, flux_nhwc: Tensor, index_n: Tensor, seed: int) -> Tensor:
            return flux_nhwc.double()

    run = generate(model, Observing(hook=Callable_()))
    assert stamps(run).dtype == np.float32
    assert run.info.hook.endswith("Callable_")


def test_hooks_that_misbehave(model: GalaxyModel):
    def broken(flux_nhwc: Tensor, index_n: Tensor, seed: int) -> Tensor:
        flux_nhwc[index_n == 2, 3, 3] = torch.nan
        return flux_nhwc

    with pytest.raises(NonFiniteOutputError, match=r"network or .*broken returned NaN.* galaxy 2"):
        stamps(generate(model, Observing(hook=broken)))
    for hook, match in (
        (lambda flux, index, seed: flux[..., :1], r"\(4, 64, 64, 1\); allowed: tensor \(4, 64"),
        (lambda flux, index, seed: None, "NoneType"),
    ):
        with pytest.raises(InvalidValueError, match=match):
            stamps(generate(model, Observing(hook=hook)))


@pytest.mark.parametrize(
    ("observing", "match"),
    [
        ({"flux_unit": "nJy"}, "flux unit is 'nJy'.*not calibrated"),
        ({"flux_unit": "Jy", "mag_zero": 1.0}, "nanomaggy, nJy, counts"),
        ({"psf": (1.0,)}, "pixel scale is None.*`pixel_scale`"),
        ({"psf": (1.0, 2.0), "pixel_scale": 0.4}, "psf is '1,2'; allowed: one number, or one for"),
        ({"noise": (1.0,) * 4}, "noise is '1,1,1,1'"),
    ],
)
def test_what_this_model_cannot_have(model: GalaxyModel, observing: dict, match: str):
    with pytest.raises(InvalidValueError, match=match):
        generate(model, Observing(**observing))


def test_nothing_asked_changes_nothing(model: GalaxyModel):
    """A PSF and noise of 0 are none: no column is added."""
    run = generate(model, Observing(psf=(0.0,), noise=(0.0, 0.0, 0.0)))
    assert not run.info.has_truth
    assert np.array_equal(stamps(run), stamps(generate(model, Observing())))
