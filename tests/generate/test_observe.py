"""PSF, hook and noise, applied to the pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from galgen import noise
from galgen.errors import InvalidValueError
from galgen.generate.observe import FWHM, Observation, Observing, convolve
from galgen.noise import Stream


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


@pytest.mark.parametrize(
    "values",
    [{"psf": (-1.0,)}, {"noise": (np.nan,)}, {"noise": (np.inf,)}, {"pixel_scale": 0.0}],
    ids=str,
)
def test_numbers_that_make_no_sense(values: dict):
    with pytest.raises(InvalidValueError, match=next(iter(values)).replace("_", " ")):
        Observing(**values)
