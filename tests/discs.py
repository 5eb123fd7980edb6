"""Galaxies of known shape, and how they look through a PSF and with noise."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from galgen.generate.observe import FWHM, convolve

OVERSAMPLING = 3  # places along a side of a pixel at which its flux is evaluated


def discs(
    n: int, side: int, radius: tuple[float, float], flux: tuple[float, float], seed: int = 0
) -> Tensor:
    """Draw exponential discs at the centre of stamps, flux per pixel (n, side, side, 1).

    Parameters
    ----------
    n, side : int
        How many, and their side in pixels.
    radius, flux : tuple of float
        From and to, evenly in the logarithm: half-light radius, circularised, in pixels; total
        flux.
    seed : int
        Of the shapes: axis ratios of 0.4 to 1, any position angle.
    """
    rng = np.random.default_rng(seed)

    def between(low: float, high: float) -> np.ndarray:
        return np.exp(rng.uniform(np.log(low), np.log(high), (n, 1, 1)))

    r50, total = between(*radius), between(*flux)
    ratio, angle = rng.uniform(0.4, 1, (n, 1, 1)), rng.uniform(0, np.pi, (n, 1, 1))
    fine = side * OVERSAMPLING
    y, x = (np.mgrid[:fine, :fine] - (fine - 1) / 2) / OVERSAMPLING
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    # Half of an exponential disc's flux is within 1.678 scale lengths.
    profile = np.exp(-1.678 * np.hypot(along * ratio**0.5, across / ratio**0.5) / r50)
    profile *= total / profile.sum((1, 2), keepdims=True)
    cells = profile.reshape(n, side, OVERSAMPLING, side, OVERSAMPLING)
    return torch.from_numpy(cells.sum((2, 4)).astype(np.float32))[..., None]


def observe(flux_nhwb: Tensor, fwhm: float, noise: float, seed: int = 0) -> Tensor:
    """See flux through a Gaussian PSF of a FWHM in pixels, with noise."""
    generator = torch.Generator().manual_seed(seed)
    seen = convolve(flux_nhwb, [fwhm / FWHM] * flux_nhwb.shape[-1])
    return seen + noise * torch.randn(seen.shape, generator=generator)


def write_flux(path: Path, flux_nhwb: Tensor, pixel_scale: float, bands: str = "r") -> Path:
    """Write stamps as `galgen.data.flux.read_flux_hdf5` reads them, in nanomaggies."""
    with h5py.File(path, "w") as file:
        file["flux"] = flux_nhwb.permute(0, 3, 1, 2).numpy()
        file.attrs.update(bands=list(bands), unit="nanomaggy", pixel_scale=pixel_scale)
    return path
