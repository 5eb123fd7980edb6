"""What a finisher must not change: light and colours on scales that noise leaves readable."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

SCALES = (4, 8, 16)  # pixels, and the whole stamp


class Hold:
    """Squared distance between galaxies whose pixels have been averaged over squares.

    On each scale it is in units of what a denoiser gets wrong itself, so that all scales count
    alike and texture, which is on none of them, is free.

    Parameters
    ----------
    denoised_nhwb, clean_nhwb : Tensor
        Galaxies (n, h, w, b) as a denoiser returns them, and as they are.

    Attributes
    ----------
    scales : tuple of int
        Sides of the squares in pixels.
    residuals : tuple of float
        The denoiser's mean squared error on each.
    """

    def __init__(self, denoised_nhwb: Tensor, clean_nhwb: Tensor) -> None:
        side = min(clean_nhwb.shape[1:3])
        self.scales = (*(scale for scale in SCALES if scale < side), side)
        self.residuals = tuple(
            _distance(denoised_nhwb, clean_nhwb, scale).mean().item() for scale in self.scales
        )

    def __call__(self, x_nhwb: Tensor, target_nhwb: Tensor) -> Tensor:
        """Return the distance (n,) of galaxies from what they should be, mean over the scales."""
        distances = [
            _distance(x_nhwb, target_nhwb, scale) / residual
            for scale, residual in zip(self.scales, self.residuals, strict=True)
        ]
        return sum(distances[1:], distances[0]) / len(distances)


def _distance(x_nhwb: Tensor, other_nhwb: Tensor, scale: int) -> Tensor:
    """Mean squared difference (n,) of means over squares of a side."""
    # The mean is linear: one of the difference is enough.
    difference = F.avg_pool2d((x_nhwb - other_nhwb).movedim(-1, 1), scale)
    return difference.square().mean((1, 2, 3))
