"""What 8-bit images were before they were rounded, as far as their colours say.

Noise and structure change all bands of a pixel together, mostly by more than a grey level: there,
rounding is lost among them. Colours of neighbours differ by less than a level. A network that
learns them as they are rounded makes them as rough, and what it makes is rounded once more when it
is looked at: twice the noise, which a classifier sees (docs/why-told-apart.md).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

LEVELS = 255
_TOWARDS = 0.4  # of the way to the neighbourhood: leaves as much roughness as rounding did not make
_ROUNDED = 0.499  # grey levels, at most


def unrounded(display_nhwc: torch.Tensor) -> torch.Tensor:
    """Return stamps that round to the same 8-bit image and whose colours are smoother.

    The colours, which is each band less the mean of all, go part of the way to their binomial 3 x 3
    mean, as far as every pixel still rounds to what it was.

    Parameters
    ----------
    display_nhwc : Tensor
        Display values in [0, 1], whole grey levels / 255.

    Returns
    -------
    Tensor
        Display values, up to half a grey level beyond [0, 1].
    """
    colours = display_nhwc - display_nhwc.mean(-1, keepdim=True)
    change = _TOWARDS * (smoothed(colours) - colours)
    most = _ROUNDED / LEVELS
    return display_nhwc + change.clamp_(-most, most)


def smoothed(x_nhwc: torch.Tensor) -> torch.Tensor:
    """Mean of each pixel's 3 x 3 neighbourhood with weights 1, 2, 1 along both axes."""
    padded = F.pad(x_nhwc.movedim(-1, 1), (1, 1, 1, 1), mode="replicate")
    along = (padded[..., :-2] + 2 * padded[..., 1:-1] + padded[..., 2:]) / 4
    both = (along[..., :-2, :] + 2 * along[..., 1:-1, :] + along[..., 2:, :]) / 4
    return both.movedim(1, -1)
