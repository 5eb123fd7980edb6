"""Cut galaxies out of their stamps: what every measurement, scene and export begins with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from galgen.errors import InvalidValueError
from galgen.measure import detect, shape
from galgen.measure.isolate import Isolated, isolate

MIN_SIDE = 16
CHUNK_CPU = 64  # galaxies at once: what stays in a core's cache
CHUNK = 2048  # on accelerators
# Vectorised loops treat the last few numbers of a tensor apart, with another rounding of sin or
# exp: stamps are filled up to a multiple of this, so that no galaxy is ever among them.
LANES = 32


class Cutouts(NamedTuple):
    """Galaxies cut out of their stamps, those that filled up the batch among them.

    Attributes
    ----------
    alone : Isolated
        The galaxies without sky and neighbours.
    image_nhw : Tensor
        Mean of their bands, float32.
    ellipse : Ellipse
        Their shapes, about the windowed centroid.
    usable_n : Tensor
        Whether a galaxy was detected, and every pixel is finite, bool.
    """

    alone: Isolated
    image_nhw: Tensor
    ellipse: shape.Ellipse
    usable_n: Tensor


@torch.no_grad()
def cut_out(flux_nbhw: Tensor, lanes: int = LANES) -> Cutouts:
    """Cut the central galaxies out of stamps, and find their shapes.

    Parameters
    ----------
    flux_nbhw : Tensor (N, B, H, W)
        Flux per pixel; sky need not be subtracted. A pixel that is not finite makes the galaxy
        unusable and no other.
    lanes : int
        Empty stamps are added until there are a multiple of so many. With `LANES` a galaxy's values
        do not depend, to the bit, on the others.

    Returns
    -------
    Cutouts
        Of the stamps in their order, and of those added, which are not usable.
    """
    flux = detect.filled_up(flux_nbhw.to(torch.float32), lanes).contiguous()
    usable = flux.sum((1, 2, 3)).isfinite()  # NaN or infinite if any pixel is
    alone = isolate(flux.nan_to_num(0, 0, 0))
    image = alone.flux_nbhw.mean(1)
    ellipse = shape.moments(image, alone.galaxy_nhw)
    x, y = shape.windowed_centroid(image, ellipse)
    usable &= alone.galaxy_nhw.flatten(1).any(1)
    return Cutouts(alone, image, ellipse._replace(x=x, y=y), usable)


def in_chunks(
    columns_of: Callable[[Cutouts], dict[str, Tensor]],
    names: Sequence[str],
    flux_nhwc: Tensor,
    bands: Sequence[str],
) -> dict[str, Tensor]:
    """Cut galaxies out, some at a time, and give columns (N,) of them.

    Parameters
    ----------
    columns_of : callable
        Given `Cutouts`; returns columns of as many rows.
    names : sequence of str
        Columns to return, in this order.
    flux_nhwc : Tensor (N, H, W, B)
        Flux per pixel.
    bands : sequence of str
        The B band names.

    Raises
    ------
    InvalidValueError
        If the shape of `flux_nhwc` does not fit, or a band is named twice.
    """
    allowed = f"(N, H, W, {len(bands)}) with H and W at least {MIN_SIDE}"
    if flux_nhwc.ndim != 4 or flux_nhwc.shape[-1] != len(bands):
        hint = f"The last axis holds the bands {', '.join(bands)}."
        raise InvalidValueError("shape of flux_nhwc", tuple(flux_nhwc.shape), allowed, hint)
    if min(flux_nhwc.shape[1:3]) < MIN_SIDE:
        raise InvalidValueError("shape of flux_nhwc", tuple(flux_nhwc.shape), allowed)
    if not bands or len({b.upper() for b in bands}) < len(bands):
        raise InvalidValueError("bands", tuple(bands), "at least one name, each once")
    if len(flux_nhwc) == 0:
        return {name: flux_nhwc.new_empty(0, dtype=torch.float32) for name in names}
    chunks = flux_nhwc.movedim(-1, 1).split(CHUNK_CPU if flux_nhwc.device.type == "cpu" else CHUNK)
    parts = [columns_of(cut_out(chunk_nbhw)) for chunk_nbhw in chunks]
    return {name: torch.cat([part[name] for part in parts])[: len(flux_nhwc)] for name in names}
