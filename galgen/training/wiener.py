"""Galaxies without their PSF, as a Gaussian model of them has it: where the search begins.

Galaxies of one total flux are taken for a Gaussian random field about their mean, whose power falls
smoothly with frequency. What they were then, given how they look through a known PSF and noise, is
known in closed form (Wiener 1949): the data where they say something, the smooth power elsewhere.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from galgen.training.blur import AXES, Blur, filtered

_SIGNIFICANT = 3.0  # standard errors: frequencies of less power above the noise say nothing
_FLUX = 5.0  # standard errors of a total flux: fainter galaxies are not told from the sky
# Slopes of power that are allowed: that of edges, and steeper than that of exponential discs.
_SLOPES = (1.5, 4.0)
_CORNERS = np.geomspace(0.005, 0.5, 40)  # frequencies in 1/pixel, from which on power falls


class GaussianGalaxies:
    """A Gaussian model of galaxies, learned from images of them through a PSF and with noise.

    Parameters
    ----------
    observed_nhwb : Tensor
        Flux of galaxies through the PSF, with noise.
    blur : Blur
        The PSF.
    noise_b : Tensor
        Standard deviation of the noise in each band, above 0.
    """

    def __init__(self, observed_nhwb: Tensor, blur: Blur, noise_b: Tensor) -> None:
        self._blur, self._noise_b = blur, noise_b.cpu()
        total_nb = self._totals(observed_nhwb)
        means, powers = [], []
        for b, faded_hw in enumerate(blur.transfer_hwb.unbind(-1)):
            bright_n = total_nb[:, b] >= total_nb[:, b].median()
            relative_nhw = observed_nhwb[bright_n][..., b] / total_nb[bright_n, b, None, None]
            variance = (self._noise_b[b] / total_nb[bright_n, b]).square().mean()
            mean_hw = relative_nhw.mean(0)
            power_hw = _power(relative_nhw - mean_hw, variance, faded_hw)
            of_mean = power_hw * faded_hw / (power_hw * faded_hw**2 + variance / bright_n.sum())
            means.append(filtered(mean_hw[None, ..., None], of_mean[..., None]))
            powers.append(power_hw)
        self._mean_hwb, self._power_hwb = torch.cat(means, -1)[0], torch.stack(powers, -1)

    def draw(self, observed_nhwb: Tensor, generator: torch.Generator) -> Tensor:
        """Draw galaxies that look as observed.

        Parameters
        ----------
        observed_nhwb : Tensor
            Flux through the PSF, with noise.
        generator : torch.Generator
            Source of what the data leave open.

        Returns
        -------
        Tensor
            Flux, of the same shape.
        """
        device = observed_nhwb.device
        mean_hwb, power_hwb = self._mean_hwb.to(device), self._power_hwb.to(device)
        faded_hwb = self._blur.transfer_hwb.to(device)
        total_n11b = self._totals(observed_nhwb)[:, None, None]
        variance_n11b = (self._noise_b.to(device) / total_n11b).square()
        whole = power_hwb * faded_hwb**2 + variance_n11b
        gain, left = power_hwb * faded_hwb / whole, (power_hwb * variance_n11b / whole).sqrt()
        grain = torch.randn(observed_nhwb.shape, generator=generator, device=device)
        rest = observed_nhwb / total_n11b - self._blur(mean_hwb[None])
        return (mean_hwb + filtered(rest, gain) + filtered(grain, left)) * total_n11b

    def _totals(self, observed_nhwb: Tensor) -> Tensor:
        """Total flux (n, b), at least what is told from the sky."""
        n_pixels = observed_nhwb.shape[1] * observed_nhwb.shape[2]
        least_b = _FLUX * self._noise_b.to(observed_nhwb.device) * n_pixels**0.5
        return torch.maximum(observed_nhwb.sum(AXES), least_b)


def _power(about_mean_nhw: Tensor, variance: Tensor, faded_hw: Tensor) -> Tensor:
    """Power of galaxies before the PSF: what is seen of it, continued smoothly.

    ``c (1 + (k / k0)^2)^-q``, fitted to the frequencies where there is more than noise.
    """
    n, h, w = about_mean_nhw.shape
    seen_hw = torch.fft.rfft2(about_mean_nhw).abs().square().mean(0) / (h * w) - variance
    k_hw = torch.hypot(torch.fft.fftfreq(h)[:, None], torch.fft.rfftfreq(w))
    ring_hw = (k_hw * max(h, w)).round().long()
    counts = torch.bincount(ring_hw.flatten())
    rings = torch.bincount(ring_hw.flatten(), seen_hw.flatten()) / counts
    fading = torch.bincount(ring_hw.flatten(), faded_hw.flatten().square()) / counts
    # Not the first ring: galaxies of one total flux do not differ there.
    enough = rings[1:] > _SIGNIFICANT * variance / (n * counts[1:]).sqrt()
    last = 1 + max(2, int(enough.long().cumprod(0).sum()))
    k = np.arange(1, last) / max(h, w)
    log_power = np.log(np.maximum((rings / fading)[1:last].numpy(), 1e-30))
    best = min((_fit(k, log_power, corner) for corner in _CORNERS), key=lambda fit: fit[0])
    _, level, corner, slope = best
    return float(np.exp(level)) * (1 + (k_hw / corner) ** 2) ** -slope


def _fit(k: np.ndarray, log_power: np.ndarray, corner: float) -> tuple[float, float, float, float]:
    """Fit level and slope for a corner: what is left, level, corner, slope."""
    x = np.log1p((k / corner) ** 2)
    spread = ((x - x.mean()) ** 2).sum()
    free = -((x - x.mean()) * (log_power - log_power.mean())).sum() / max(spread, 1e-30)
    slope = float(np.clip(free, *_SLOPES))
    level = float((log_power + slope * x).mean())
    return float(((log_power - level + slope * x) ** 2).sum()), level, corner, slope
