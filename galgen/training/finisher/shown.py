"""Galaxies as they are shown: in whole grey levels, through which gradients pass."""

from __future__ import annotations

from torch import Tensor

from galgen.pixels.rounding import LEVELS
from galgen.pixels.space import PixelSpace


def shown(space: PixelSpace, x_nhwb: Tensor) -> Tensor:
    """Return the display values of 8-bit images, for critics that see what everyone sees.

    A classifier is given rounded images, and tells those that carry a third of a grey level of
    noise (docs/why-told-apart.md). Neither rounding nor what is cut at black and white has a slope:
    the gradient is that of display values before both (Bengio et al. 2013, arXiv:1308.3432, the
    straight-through estimator), so that a sky below black learns, too.

    Parameters
    ----------
    space : PixelSpace
        From model space to display values.
    x_nhwb : Tensor
        Galaxies (n, h, w, b) in model space. Real ones that have come from 8-bit images through
        `galgen.pixels.rounding.unrounded` are these images again.

    Returns
    -------
    Tensor
        (n, h, w, b), whole multiples of 1/255 in [0, 1].
    """
    smooth_nhwb = space.to_display(x_nhwb, clip=False)
    rounded_nhwb = (space.to_display(x_nhwb) * LEVELS).round() / LEVELS
    return smooth_nhwb + (rounded_nhwb - smooth_nhwb).detach()
