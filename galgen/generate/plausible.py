"""Which pixels a galaxy can have: solvers that take too few steps return numbers of any size."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from galgen.pixels.constants import constants
from galgen.pixels.space import PixelSpace
from galgen_kernels.ops.stamps_to_fits import SINH_MAX

# What is more is no galaxy: times the flux of the brightest pixel that there was to learn from, or
# times white, where display values were. Their flux grows with the exponential of it.
BEYOND, WHITES = 100, 3
_SKY_NOISES, _DEVIATIONS = 1e5, 10.0


def are_plausible(standard_nhwc: Tensor, space: PixelSpace) -> Tensor:
    """Tell which stamps could be of galaxies.

    No galaxy is 100 times as bright as the brightest that the network has seen, or three times
    white, and none is as far below the sky as that brightest one is above it.

    Parameters
    ----------
    standard_nhwc : Tensor
        Stamps as the network made them, band by band, see `PixelSpace.unmix`.
    space : PixelSpace
        Pixel space of the model.

    Returns
    -------
    Tensor (n,) of bool
        Whether all pixels of a stamp are within these bounds; False where one is NaN.
    """
    low, high = (constants(standard_nhwc, bound) for bound in _bounds(space))
    return ((standard_nhwc >= low) & (standard_nhwc <= high)).flatten(1).all(1)


def at_most_white(standard_nhwc: Tensor, space: PixelSpace) -> Tensor:
    """Make white what is more, where the network has learned from display values.

    They end there: a core that is whiter than white is none of those that it has seen, and half as
    white again would be a hundred times as bright.

    Parameters
    ----------
    standard_nhwc : Tensor
        Stamps band by band, see `PixelSpace.unmix`.
    space : PixelSpace
        Pixel space of the model.
    """
    if space.native == "flux":
        return standard_nhwc
    white_nhwc = standard_nhwc.minimum(constants(standard_nhwc, _white(space)))
    return torch.where(standard_nhwc.isinf(), standard_nhwc, white_nhwc)  # which is to be seen


@lru_cache(maxsize=16)
def _bounds(space: PixelSpace) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the least and the most of each band, in the numbers of `are_plausible`."""
    brightest = torch.tensor(brightest_learned(space))
    of_display = space.native == "display"
    most = torch.full_like(brightest, WHITES) if of_display else BEYOND * brightest
    least = space.flux_to_native(-brightest)
    low, high = (space.standardise(native_b).tolist() for native_b in (least, most))
    return tuple(low), tuple(high)


@lru_cache(maxsize=16)
def _white(space: PixelSpace) -> tuple[float, ...]:
    """Return white, in the numbers of `at_most_white`."""
    return tuple(space.standardise(torch.ones(len(space.bands))).tolist())


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
