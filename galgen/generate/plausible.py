"""Which pixels a galaxy can have: solvers that take too few steps return numbers of any size."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from galgen.pixels.constants import constants
from galgen.pixels.space import PixelSpace
from galgen_kernels.ops.stamps_to_fits import SINH_MAX

BEYOND = 100  # times the brightest pixel that there was to learn from
_SKY_NOISES, _DEVIATIONS = 1e5, 10.0


def are_plausible(flux_nhwc: Tensor, space: PixelSpace) -> Tensor:
    """Tell which stamps could be of galaxies.

    No galaxy is 100 times as bright as the brightest that the network has seen, and none is as far
    below the sky as that one is above it.

    Parameters
    ----------
    flux_nhwc : Tensor
        Flux per pixel, in the unit of the pixel space.
    space : PixelSpace
        Pixel space of the model.

    Returns
    -------
    Tensor (n,) of bool
        Whether all pixels of a stamp are within these bounds; False where one is NaN.
    """
    brightest = constants(flux_nhwc, brightest_learned(space))
    within_nhwc = (flux_nhwc >= -brightest) & (flux_nhwc <= BEYOND * brightest)
    return within_nhwc.flatten(1).all(1)


def brightest_learned(space: PixelSpace) -> tuple[float, ...]:
    """Return the flux of the brightest pixel that a network can have learned from.

    Of display values that is white. Of flux the range is not kept: it is taken for 1e5 times the
    noise of the sky, more than detectors span, or, as simulations may have hardly any noise, for
    what is 10 standard deviations above the mean of s (see `PixelSpace`), if that is more.

    Parameters
    ----------
    space : PixelSpace
        Pixel space of the model.

    Returns
    -------
    tuple of float
        For each band, in the unit of the pixel space.
    """
    if space.native == "display":
        white: list[float] = space.native_to_flux(torch.ones(len(space.bands))).tolist()
        return tuple(white)
    return tuple(
        noise * max(_SKY_NOISES, math.sinh(min(mean + _DEVIATIONS * std, SINH_MAX)))
        for noise, mean, std in zip(space.softening_b, space.mean, space.std, strict=True)
    )
