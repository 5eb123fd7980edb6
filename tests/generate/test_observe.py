"""PSF, hook, noise and flux unit: applied to the pixels, and true of every column and card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.io import fits
from scipy.ndimage import gaussian_filter
from torch import Tensor

from galgen import noise
from galgen.catalog import CatalogFile, verify, write_catalog
from galgen.errors import InvalidValueError, NonFiniteOutputError
from galgen.generate import GalaxyModel, Run, load_model
from galgen.generate.flux import finish, scale_to
from galgen.generate.observe import FWHM, Observation, Observing, convolve
from galgen.generate.sampling import Sampling
from galgen.measure import measure
from galgen.noise import Stream
from galgen.pictures.display import display_stretch
from galgen.pixels.space import PixelSpace
from galgen.pixels.units import FluxScale
from tests.catalog.synthetic import accept

BANDS = ("g", "r", "i")
SPACE = PixelSpace("flux", BANDS, (0.01, 0.02, 0.05), (1.0, 1.2, 1.3), (2.0,) * 3, unit="nanomaggy")
QUICK = Sampling("ipndm", steps=2, micro_batch=4)


@pytest.fixture(scope="module")
def model() -> GalaxyModel:
    return load_model(device="cpu")


def galaxies(n: int = 5) -> Tensor:
    """Model space, 24 x 32 pixels: noisy, off centre, of several brightnesses and colours."""
    generator = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.arange(24.0) - 11, torch.arange(32.0) - 16.3, indexing="ij")
    galaxy = 2.5 * torch.exp(-0.5 * ((x / 3) ** 2 + (y / 2) ** 2))[None, :, :, None]
    bright = 0.8 + 0.4 * torch.rand(n, 1, 1, 3, generator=generator)
    return galaxy * bright + 0.05 * torch.randn(n, 24, 32, 3, generator=generator) - 0.3


def generate(model: GalaxyModel, observing: Observing, n: int = 6, **options) -> Run:
    return model.generate("spiral", n, sampling=QUICK, observing=observing, **options)


def stamps(run: Run, ranges=None) -> np.ndarray:
    batches = run if ranges is None else run.batches(ranges)
    return np.concatenate([batch.stamps_nbhw for batch in batches])


# PSF


@pytest.mark.parametrize("sigma_b", [(1.3, 0.4, 2.7), (0.0, 1.0, 0.05)])
def test_psf_is_a_gaussian(sigma_b: tuple[float, ...]):
    flux = torch.rand(2, 24, 31, 3, generator=torch.Generator().manual_seed(1))
    got = convolve(flux, sigma_b)
    for b, sigma in enumerate(sigma_b):
        for i in range(2):
            expected = flux[i, ..., b].double().numpy()
            if sigma:
                radius = max(1, int(np.ceil(4 * sigma)))
                expected = gaussian_filter(expected, sigma, mode="nearest", radius=radius)
            np.testing.assert_allclose(got[i, ..., b], expected, rtol=3e-6)


def test_psf_keeps_the_flux_of_a_star_and_widens_it():
    star = torch.zeros(1, 65, 65, 1)
    star[0, 32, 32] = 7.0
    fwhm, pixel_scale = 1.2, 0.3
    got = convolve(star, (fwhm / FWHM / pixel_scale,))[0, ..., 0].double()
    assert got.sum() == pytest.approx(7.0, rel=1e-6)
    half = got[32, [30, 34]] / got[32, 32]  # FWHM of 4 pixels
    np.testing.assert_allclose(half, 0.5, rtol=1e-6)
    x = torch.arange(65.0).double() - 32
    sigma = float((got.sum(0) / 7 @ x**2).sqrt())
    assert sigma == pytest.approx(4 / FWHM, rel=0.005)  # cut at 4 sigma


def test_a_psf_wider_than_the_stamp():
    flux = torch.rand(1, 16, 16, 1, generator=torch.Generator().manual_seed(1))
    got = convolve(flux, (40.0,))
    assert got.std() < 0.1 * flux.std()
    assert got.isfinite().all()


# Noise


def test_noise_has_its_sigma_and_belongs_to_the_galaxy():
    observation = Observation(noise_b=(0.5, 1.0, 0.0))
    flux = torch.full((3, 64, 64, 3), 2.0)
    got = observation.apply(flux, torch.tensor([4, 9, 5]), 7)
    np.testing.assert_allclose((got - 2).std((0, 1, 2)), [0.5, 1.0, 0.0], rtol=0.03)
    np.testing.assert_allclose((got - 2).mean((0, 1, 2)), 0, atol=0.03)
    alone = observation.apply(flux[:1], torch.tensor([9]), 7)
    assert torch.equal(alone[0], got[1])
    assert not torch.equal(observation.apply(flux[:1], torch.tensor([9]), 8), alone)
    assert torch.equal(flux, torch.full_like(flux, 2.0))  # what was given is as it was
    # Not the numbers the galaxy itself is made from.
    first = noise.normal(7, torch.tensor([9]), (64, 64, 3), Stream.INITIAL_NOISE)
    correlation = np.corrcoef(first[..., 0].flatten(), (alone - 2)[..., 0].flatten())[0, 1]
    assert abs(correlation) < 0.06


# Order, truth, columns


def test_psf_then_hook_then_noise():
    seen = {}

    def hook(flux_nhwc: Tensor, index_n: Tensor, seed: int) -> Tensor:
        seen.update(flux=flux_nhwc.clone(), index=index_n, seed=seed)
        return flux_nhwc * 3

    observation = Observation(pixel_scale=0.3, psf_b=(1.0,) * 3, noise_b=(0.1,) * 3, hook=hook)
    flux, index_n = torch.rand(2, 20, 20, 3), torch.tensor([5, 6])
    got = observation.apply(flux, index_n, 11)
    blurred = convolve(flux, (1.0 / FWHM / 0.3,) * 3)
    assert torch.equal(seen["flux"], blurred)
    assert (seen["index"].tolist(), seen["seed"]) == ([5, 6], 11)
    grain = noise.normal(11, index_n, (20, 20, 3), Stream.PIXEL_NOISE)
    torch.testing.assert_close(got, blurred * 3 + 0.1 * grain)


def test_columns_are_measured_on_what_is_written():
    observation = Observation(
        FluxScale("nJy", 31.4, 3631.0), 0.3, (1.2,) * 3, (50.0, 60.0, 70.0), None
    )
    x = galaxies()
    got = finish(x, SPACE, observation, torch.arange(5), 3)
    again = measure(torch.from_numpy(got.stamps_nbhw).movedim(1, -1), BANDS)
    before = measure(SPACE.to_flux(x) * 3631.0, BANDS)
    for name, column in again.items():
        offset = 31.4 - 22.5 if name == "SURFACE_BRIGHTNESS" else 0
        np.testing.assert_allclose(got.measured[name], column + offset, rtol=1e-6, err_msg=name)
    for band in "GRI":
        np.testing.assert_array_equal(got.measured[f"TRUE_FLUX_{band}"], before[f"FLUX_{band}"])
    assert (got.measured["HALF_LIGHT_RADIUS"] > 1.05 * before["HALF_LIGHT_RADIUS"].numpy()).all()
    assert got.sums_nb is None
    assert got.finite_n.all()


def test_a_unit_alone_is_a_factor():
    x = galaxies()
    plain = finish(x, SPACE)
    got = finish(x, SPACE, Observation(FluxScale("nJy", 31.4, 3631.0)))
    np.testing.assert_allclose(got.stamps_nbhw, plain.stamps_nbhw * np.float32(3631), rtol=1e-6)
    assert list(got.measured) == list(plain.measured)
    np.testing.assert_allclose(got.measured["FLUX_R"], plain.measured["FLUX_R"] * 3631, rtol=1e-5)
    # 31.4 - 2.5 log10(3631) = 22.5: what it is in nanomaggies.
    np.testing.assert_allclose(
        got.measured["SURFACE_BRIGHTNESS"], plain.measured["SURFACE_BRIGHTNESS"], atol=2e-4
    )


# Scaling to fluxes


def test_scaled_to_what_is_asked():
    flux = SPACE.to_flux(galaxies())
    nan = torch.nan
    asked = torch.tensor([[1, 2, 3], [5, nan, 5], [nan, 4, nan], [nan, nan, nan], [3e4, 1, 2e-4]])
    got = scale_to(flux, asked, BANDS)
    measured = measure(got, BANDS)
    have = torch.stack([measured[f"FLUX_{band}"] for band in "GRI"], 1)
    known = ~asked.isnan()
    # The last one's bands differ by 2e8: most of what is detected is one of them.
    np.testing.assert_allclose(have[:4][known[:4]], asked[:4][known[:4]], rtol=3e-6)
    ratio = (got / flux).flatten(1, 2)
    factor = ratio[:, 100]
    torch.testing.assert_close(ratio, factor[:, None].expand_as(ratio), rtol=1e-5, atol=0)
    torch.testing.assert_close(factor[1, 1], factor[1, 0])  # the bluer neighbour's
    torch.testing.assert_close(factor[2], factor[2, :1].expand(3), rtol=1e-5, atol=0)
    assert factor[3].tolist() == [1, 1, 1]


def test_what_cannot_be_measured_is_scaled_by_its_sum():
    flux = torch.full((2, 24, 24, 3), 0.01)
    flux[1] = 0
    assert measure(flux, BANDS)["FLUX_R"].isnan().all()
    got = scale_to(flux, torch.full((2, 3), 5.0), BANDS)
    np.testing.assert_allclose(got[0].sum((0, 1)), [5, 5, 5], rtol=1e-5)
    assert (got[1] == 0).all()


# Whole runs


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
        ({"psf": (1.0,)}, "pixel scale is None.*--pixscale"),
        ({"psf": (1.0, 2.0), "pixel_scale": 0.4}, "psf is '1,2'; allowed: one number, or one for"),
        ({"noise": (1.0,) * 4}, "noise is '1,1,1,1'"),
    ],
)
def test_what_this_model_cannot_have(model: GalaxyModel, observing: dict, match: str):
    with pytest.raises(InvalidValueError, match=match):
        generate(model, Observing(**observing))


@pytest.mark.parametrize(
    "values",
    [{"psf": (-1.0,)}, {"noise": (np.nan,)}, {"noise": (np.inf,)}, {"pixel_scale": 0.0}],
    ids=str,
)
def test_numbers_that_make_no_sense(values: dict):
    with pytest.raises(InvalidValueError, match=next(iter(values)).replace("_", " ")):
        Observing(**values)


def test_nothing_asked_changes_nothing(model: GalaxyModel):
    """A PSF and noise of 0 are none: no column is added."""
    run = generate(model, Observing(psf=(0.0,), noise=(0.0, 0.0, 0.0)))
    assert not run.info.has_truth
    assert np.array_equal(stamps(run), stamps(generate(model, Observing())))
