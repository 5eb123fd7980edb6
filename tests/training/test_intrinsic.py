"""Training through a known PSF: what is drawn looks as observed, and is as it was before."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from astropy.io import fits
from torch import Tensor

from galgen.catalog.format.headers import read_info
from galgen.data import open_stamps
from galgen.diffusion.schedule import karras_sigmas
from galgen.errors import InvalidValueError, OutputError
from galgen.generate import load_model
from galgen.generate.observe import FWHM, convolve
from galgen.generate.sampling import Sampling
from galgen.measure import measure
from galgen.model.embedding import Condition
from galgen.pixels.space import PixelSpace
from galgen.training import job, train_intrinsic
from galgen.training.blur import Blur, filtered, power
from galgen.training.config import TrainConfig
from galgen.training.intrinsic import ROUNDS
from galgen.training.posterior import DenoiserPrior, _View, draw_posterior
from galgen.training.presets import GALAXY_NOISE, tiny
from galgen.training.wiener import GaussianGalaxies
from tests.discs import discs, observe, write_flux

SIDE, SCALE, PSF, NOISE = 32, 0.4, 3.5, 0.05  # pixels, arcsec, pixels, nanomaggies
SIGMA = PSF / FWHM


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def radii(flux_nhwb: Tensor) -> np.ndarray:
    return measure(flux_nhwb, ("r",))["HALF_LIGHT_RADIUS"].numpy()


@pytest.fixture(scope="module")
def truth() -> Tensor:
    return discs(128, SIDE, (2.0, 4.0), (60.0, 400.0))


@pytest.fixture(scope="module")
def seen(truth: Tensor) -> Tensor:
    return observe(truth, PSF, NOISE)


@pytest.mark.parametrize("sigma", [0.0, 0.5, 1.5, 2.5])
def test_the_blur_is_that_of_mass(truth: Tensor, sigma: float) -> None:
    """And its own adjoint."""
    got, wanted = Blur([sigma], SIDE, SIDE)(truth), convolve(truth, [sigma])
    inner = slice(8, -8)  # the sky of one edge goes on at the other
    torch.testing.assert_close(got[:, inner, inner], wanted[:, inner, inner], atol=2e-3, rtol=1e-3)
    a, b = torch.randn((2, 3, SIDE, SIDE, 1), generator=generator())
    blur = Blur([sigma], SIDE, SIDE)
    torch.testing.assert_close((blur(a) * b).sum(), (a * blur(b)).sum(), rtol=1e-4, atol=1e-3)


def test_a_gaussian_model_gives_sizes_before_the_psf(truth: Tensor, seen: Tensor) -> None:
    blur, noise_b = Blur([SIGMA], SIDE, SIDE), torch.tensor([NOISE])
    drawn = GaussianGalaxies(seen, blur, noise_b).draw(seen, generator())
    assert np.nanmedian(radii(seen) / radii(truth)) > 1.15
    np.testing.assert_allclose(np.nanmedian(radii(drawn) / radii(truth)), 1.0, atol=0.03)
    misfit = ((blur(drawn) - seen) / NOISE).square().mean()
    assert 0.85 < misfit < 1.15
    assert not torch.equal(drawn, GaussianGalaxies(seen, blur, noise_b).draw(seen, generator(1)))


def test_draws_are_exact_where_galaxies_are_gaussian() -> None:
    """Power about the mean, ring by ring, of what the data leave open: known in closed form."""
    k = torch.hypot(torch.fft.fftfreq(SIDE)[:, None], torch.fft.rfftfreq(SIDE))[..., None]
    power_hwc, noise = 15 * (1 + (k / 0.03) ** 2) ** -2.0, 0.02
    shape = (128, SIDE, SIDE, 1)
    blur = Blur([SIGMA], SIDE, SIDE)
    galaxies = filtered(torch.randn(shape, generator=generator()), power_hwc.sqrt())
    seen = blur(galaxies) + noise * torch.randn(shape, generator=generator(1))
    # So far from where its curve bends, model space is flux.
    space = PixelSpace("flux", ("r",), 1e4, (0.0,), (0.5e-4,))

    def denoiser(x_nhwc: Tensor, sigma_n: Tensor, condition: Condition) -> Tensor:
        return filtered(x_nhwc, power_hwc / (power_hwc + sigma_n[0] ** 2))

    prior = DenoiserPrior(denoiser, space, power_hwc, karras_sigmas(16, 0.005, 40.0))
    nothing = Condition(torch.zeros(128, dtype=torch.long), torch.zeros(128, 0))
    drawn = draw_posterior(prior, nothing, seen, seen, blur, torch.tensor([noise]), generator(2))
    faded_hwc = blur.transfer_hwb
    whole = power_hwc * faded_hwc**2 + noise**2
    left = power(drawn - filtered(seen, power_hwc * faded_hwc / whole))
    ratio = (left / (power_hwc * noise**2 / whole)).flatten()
    ring = (k * SIDE).round().long().flatten()
    by_ring = torch.bincount(ring, ratio) / torch.bincount(ring)
    np.testing.assert_allclose(by_ring[1:20].numpy(), 1.0, atol=0.12)


def test_what_is_seen_and_its_adjoint() -> None:
    """Several bands that are mixed, and a curve that bends: <product(u), r> = <u, adjoint(r)>."""
    mix = ((0.6, 0.6, 0.5), (0.8, -0.1, -0.7), (0.3, -0.8, 0.5))
    space = PixelSpace("flux", ("g", "r", "i"), (0.1, 0.2, 0.3), (0.1,) * 3, (1.2,) * 3, mix=mix)
    blur = Blur([0.8, 1.2, 1.6], 16, 16)
    guess, u, r = torch.randn((3, 2, 16, 16, 3), generator=generator())
    spread = torch.rand((16, 9, 3), generator=generator(1))
    noise_b = torch.tensor([0.1, 0.2, 0.3])
    view = _View.near(space, guess, blur, noise_b, spread)
    torch.testing.assert_close(
        (view.product(u) * r).sum(), (u * view.adjoint(r)).sum(), rtol=1e-3, atol=1e-2
    )
    torch.testing.assert_close(view.expected(guess), blur(space.to_flux(guess)) / noise_b)
    step = 1e-3 * filtered(u, spread)
    change = blur(space.to_flux(guess + step)) / noise_b - view.expected(guess)
    torch.testing.assert_close(change, 1e-3 * view.product(u), rtol=0.05, atol=0.02)


# A whole run in seconds: small stamps, a small network.
SMALL, RADIUS, WIDE = 16, (1.4, 2.2), 2.8  # pixels: side, half-light radii, FWHM
CONFIG = TrainConfig(images=4_500, batch=32, warmup=300, learning_rate=3e-3, validation=0.1)
PRESET = dataclasses.replace(tiny(), diffusion=GALAXY_NOISE, train=CONFIG)


@dataclasses.dataclass(frozen=True)
class Run:
    """A run, and what its galaxies were before the PSF and behind it."""

    folder: Path
    truth: Tensor
    seen: Tensor


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("intrinsic")
    truth = discs(96, SMALL, RADIUS, (60.0, 400.0), seed=3)
    seen = observe(truth, WIDE, NOISE)
    data = write_flux(folder / "discs.h5", seen, SCALE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "save_sample_grid", lambda path, *_: path.write_text(""))
        train_intrinsic([data], PRESET, folder / "run", **instrument(), workers=1, device="cpu")
    return Run(folder / "run", truth, seen)


def instrument() -> dict[str, tuple[float, ...]]:
    return {"psf_fwhm": (WIDE * SCALE,), "noise": (NOISE,)}


def test_sizes_come_out_before_the_psf(run: Run) -> None:
    """Of what is made, and of what was drawn to learn from."""
    true, observed = np.nanmedian(radii(run.truth)), np.nanmedian(radii(run.seen))
    assert observed > 1.2 * true
    for k in range(1, ROUNDS + 1):
        drawn = open_stamps(run.folder / f"galaxies-{k}.h5").flux()
        assert abs(np.nanmedian(radii(drawn)) / true - 1) < 0.06, k
    sampling = Sampling("dpmpp-2m", steps=12, micro_batch=64)
    batches = load_model(run.folder / "weights", "cpu").generate("galaxy", 64, sampling=sampling)
    made = np.concatenate([batch.stamps_nbhw for batch in batches]).transpose(0, 2, 3, 1)
    median = np.nanmedian(radii(torch.from_numpy(made.astype(np.float32))))
    assert abs(median / true - 1) < 0.15  # so short a run makes them 8 to 12 % too small
    assert median < 0.9 * observed


def test_files_say_that_there_is_no_psf(run: Run, galgen, tmp_path: Path) -> None:
    weights = run.folder / "weights"
    assert json.loads((weights / "config.json").read_text())["pixels"]["psf_fwhm"] == 0
    card = " ".join((weights / "README.md").read_text().split())
    assert "`--psf` and `--noise` are all there is of both." in card
    assert "discs.h5, without its PSF of 1.12 arcsec and noise of 0.05" in card
    code, out, _ = galgen("info", "--weights", weights, "--json")
    assert json.loads(out)["stamps"]["psf_fwhm"] == 0
    quick = "--category", "galaxy", "--n", 4, "--steps", 4, "--batch", 4, "--weights", weights
    made = tmp_path / "made.fits"
    code, _, err = galgen("mass", *quick, "--psf", 1.2, "--out", made)
    assert code == 0, err
    header = fits.getheader(made)
    assert (header["STAMPPSF"], header["PSFFWHM"]) == (0, "1.2")
    assert "all there is of both" in " ".join(str(header["COMMENT"]).split())
    assert "without its PSF" in header["TRAINSET"]
    # A catalogue of them is again data without a PSF, but for one that has been given one.
    plain = tmp_path / "plain.fits"
    assert galgen("mass", *quick, "--out", plain)[0] == 0
    assert open_stamps(plain).psf_fwhm == 0
    assert open_stamps(made).psf_fwhm is None
    with fits.open(made) as hdus:
        assert read_info(hdus).stamp_psf == 0


def test_galsim_is_given_the_psf_that_was_applied(run: Run, galgen, tmp_path: Path) -> None:
    quick = "--category", "galaxy", "--n", 4, "--steps", 8, "--batch", 4
    made, out = tmp_path / "made.fits", tmp_path / "real.fits"
    code, _, err = galgen(
        "mass", *quick, "--weights", run.folder / "weights", "--psf", 1.2, "--out", made
    )
    assert code == 0, err
    code, _, err = galgen("export", "realgalaxy", made, out)
    assert code == 0, err
    with fits.open(out) as hdus:
        psf = hdus[-1].data
    point = torch.zeros((1, *psf.shape, 1))
    point[0, psf.shape[0] // 2, psf.shape[1] // 2] = 1
    wanted = convolve(point, [1.2 / SCALE / FWHM])[0, ..., 0].numpy()
    np.testing.assert_allclose(psf, wanted, atol=1e-6)
    code, _, err = galgen("export", "realgalaxy", made, out, "--overwrite", "--psf-fwhm", 1)
    assert code == 2
    assert "were made without a PSF" in " ".join(err.split())


def test_a_run_goes_on_where_it_was(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Complete, it has nothing to do; and it is not another's."""
    monkeypatch.setattr(job, "save_sample_grid", lambda path, *_: path.write_text(""))
    data = [run.folder.parent / "discs.h5"]
    options = {**instrument(), "workers": 1, "device": "cpu"}
    drawn = (run.folder / f"galaxies-{ROUNDS}.h5").stat().st_mtime_ns
    ended = train_intrinsic(data, PRESET, run.folder, resume=True, **options)
    assert ended.images >= ended.total == 4_500
    assert (run.folder / f"galaxies-{ROUNDS}.h5").stat().st_mtime_ns == drawn
    with pytest.raises(OutputError, match="holds a run already; add `resume=True`"):
        train_intrinsic(data, PRESET, run.folder, **options)
    other = {**options, "psf_fwhm": (1.0,)}
    with pytest.raises(OutputError, match=r"are of discs\.h5, without its PSF of 1\.12 arcsec"):
        train_intrinsic(data, PRESET, run.folder, resume=True, **other)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"psf_fwhm": ()}, "psf_fwhm is"),
        ({"psf_fwhm": (0.0,)}, "above 0, up to 1.6 arcsec"),
        ({"psf_fwhm": (1.7,)}, "a quarter of a stamp"),
        ({"psf_fwhm": (1.0, 1.0)}, "psf is '1,1'"),
        ({"noise": ()}, "noise is"),
        ({"noise": (0.0,)}, "without any, no image is likely"),
        ({"noise": (-1.0,)}, "noise is -1"),
        ({"teach": [Path("more.h5")]}, r"teach is \['more.h5'\]"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, changes: dict, match: str) -> None:
    data = write_flux(tmp_path / "discs.h5", discs(8, SMALL, RADIUS, (60.0, 400.0)), SCALE)
    with pytest.raises(InvalidValueError, match=match):
        train_intrinsic([data], PRESET, tmp_path / "run", **{**instrument(), **changes})
    assert not (tmp_path / "run").exists()


def test_images_without_flux_or_scale_are_refused(galgen, galaxies: Path, tmp_path: Path) -> None:
    """Those of the shipped weights are."""
    out = "--out", tmp_path / "run", "--preset", "tiny"
    code, _, err = galgen("train", "--data", galaxies, "--psf-fwhm", 1.3, "--noise", 0.1, *out)
    assert code == 2
    assert "8-bit images do not say what it was" in " ".join(err.split())
    data = write_flux(tmp_path / "discs.h5", discs(8, SMALL, RADIUS, (60.0, 400.0)), SCALE)
    with h5py.File(data, "a") as file:
        del file.attrs["pixel_scale"]
    code, _, err = galgen("train", "--data", data, "--psf-fwhm", "1.3", "--noise", 0.1, *out)
    assert code == 2
    assert "give data of one pixel scale" in " ".join(err.split())
    code, _, err = galgen("train", "--data", data, "--psf-fwhm", "wide", "--noise", 0.1, *out)
    assert code == 2
    assert "--psf-fwhm" in err
