"""The properties of stamps that a generative model is told."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from galgen.measure.core import columns_of
from galgen.measure.cutout import Cutouts, in_chunks
from galgen.measure.surroundings import SURROUNDINGS, surroundings_of


def property_names(bands: Sequence[str]) -> tuple[str, ...]:
    """Names of the properties that are measured for these bands, in the order models use them."""
    return (*_column_names(bands), *SURROUNDINGS)


def _column_names(bands: Sequence[str]) -> tuple[str, ...]:
    """Names of the properties that are columns of a catalogue too."""
    colours = (f"color_{a.lower()}_{b.lower()}" for a, b in pairwise(bands))
    shapes = ("half_light_radius", "axis_ratio", *colours, "surface_brightness")
    return (*shapes, "concentration", "asymmetry")


@torch.no_grad()
def properties(flux_nhwc: Tensor, bands: Sequence[str]) -> dict[str, Tensor]:
    """Measure what a model is told of stamps; each galaxy is looked for once.

    Parameters
    ----------
    flux_nhwc : Tensor (N, H, W, B)
        Linear flux per pixel; sky need not be subtracted, H and W at least 16.
    bands : sequence of str
        The B band names, bluest first.

    Returns
    -------
    dict of str to Tensor (N,), float32
        In the order of `property_names`: ``half_light_radius`` (pix), ``axis_ratio``, one
        ``color_<b1>_<b2>`` (mag) per adjacent pair, ``surface_brightness`` (mag/pix^2),
        ``concentration`` and ``asymmetry``, to the bit the columns of
        `galgen.measure.measure`; then ``sky_noise``, ``neighbour_light`` and
        ``arm_strength`` of `galgen.measure.surroundings`. NaN where not measured.

    Raises
    ------
    InvalidValueError
        If the shape of `flux_nhwc` does not fit, or a band is named twice.
    """

    def told(cutouts: Cutouts) -> dict[str, Tensor]:
        columns = columns_of(cutouts, bands)
        of_columns = {name: columns[name.upper()] for name in _column_names(bands)}
        return of_columns | surroundings_of(cutouts)

    return in_chunks(told, property_names(bands), flux_nhwc, bands)
