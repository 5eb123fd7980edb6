"""A known PSF as what it does to each frequency of a stamp."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from galgen.generate.observe import TRUNCATE

AXES = (1, 2)  # height and width of stamps (n, h, w, b)


class Blur:
    """Smooth flux by the Gaussian of `galgen.generate.observe.convolve`, periodically.

    A product in Fourier space: its own adjoint, with the factor by which each frequency is faded.
    The sky of one edge goes on at the other, which is right for galaxies that end within the stamp.

    Parameters
    ----------
    sigma_b : sequence of float
        Sigma of each band in pixels; 0 for none.
    height, width : int
        Shape of the stamps.

    Attributes
    ----------
    transfer_hwb : Tensor
        The factors, for the frequencies of `torch.fft.rfft2`.
    """

    def __init__(self, sigma_b: Sequence[float], height: int, width: int) -> None:
        planes = []
        for sigma in sigma_b:
            down_h, along_w = _line(sigma, height), _line(sigma, width)
            planes.append(torch.outer(torch.fft.fft(down_h).real, torch.fft.rfft(along_w).real))
        self.transfer_hwb = torch.stack(planes, -1).float()

    def __call__(self, flux_nhwb: Tensor) -> Tensor:
        """Smooth stamps."""
        return filtered(flux_nhwb, self.transfer_hwb)


def filtered(x_nhwb: Tensor, factor_hwb: Tensor) -> Tensor:
    """Multiply the frequencies of stamps (n, h, w, b), those of `rfft2`, by real factors."""
    seen = torch.fft.rfft2(x_nhwb, dim=AXES) * factor_hwb.to(x_nhwb.device)
    out: Tensor = torch.fft.irfft2(seen, s=x_nhwb.shape[1:3], dim=AXES)
    return out


def power(x_nhwb: Tensor) -> Tensor:
    """Mean power of stamps at the frequencies of `rfft2`; 1 for white noise of unit variance."""
    n_pixels = x_nhwb.shape[1] * x_nhwb.shape[2]
    out: Tensor = torch.fft.rfft2(x_nhwb, dim=AXES).abs().square().mean(0) / n_pixels
    return out


def _line(sigma: float, size: int) -> Tensor:
    """Kernel along one axis of a stamp, its centre first, cut and normalised as `convolve` does."""
    line = torch.zeros(size, dtype=torch.float64)
    reach = max(1, math.ceil(TRUNCATE * sigma)) if sigma > 0 else 0
    for i in range(-reach, reach + 1):
        line[i % size] += math.exp(-0.5 * (i / sigma) ** 2) if sigma > 0 else 1.0
    return line / line.sum()
