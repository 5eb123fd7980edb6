"""Stamps of a model to the bytes of a FITS file: one `if` chooses who computes them.

Shape suffixes: n stamps, h/w stamp height and width, b bands, v bytes of a row of pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from galgen_kernels.backend import runs_triton
from galgen_kernels.ops.stamps_to_fits import reference
from galgen_kernels.ops.stamps_to_fits.reference import FitsStamps
from galgen_kernels.ops.stamps_to_fits.stretch import SINH_MAX, Lupton, Stretch

__all__ = ["SINH_MAX", "FitsStamps", "Lupton", "Stretch", "stamps_to_fits"]


def stamps_to_fits(x_nhwc: Tensor, stretch: Stretch) -> FitsStamps:
    """Model space to the bytes of a FITS file, their checksums, and the stamps' fluxes.

    Parameters
    ----------
    x_nhwc : Tensor
        Model space, float32, one channel per band.
    stretch : Stretch
        The way to flux.

    Returns
    -------
    FitsStamps
        On the device of `x_nhwc`.

    Raises
    ------
    ValueError
        If `x_nhwc` is not float32 of the bands of `stretch`.
    BackendError
        If the backend that was asked for does not exist, or cannot run on this device.
    """
    bands = len(stretch.slope)
    if x_nhwc.dtype != torch.float32 or x_nhwc.ndim != 4 or x_nhwc.shape[-1] != bands:
        have = f"{x_nhwc.dtype} {tuple(x_nhwc.shape)}"
        raise ValueError(f"x_nhwc is {have}; allowed: float32 (n, height, width, {bands})")
    if not runs_triton(x_nhwc.device):
        return reference.stamps_to_fits(x_nhwc, stretch)
    from galgen_kernels.ops.stamps_to_fits.fused import launch

    return launch(x_nhwc, stretch)
