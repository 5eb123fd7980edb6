"""Stamps of a model to the bytes of a FITS file: one `if` chooses who computes them."""

from __future__ import annotations

import torch
from torch import Tensor

from galgen_kernels.backend import runs_triton
from galgen_kernels.ops.stamps_to_fits import reference as fits_reference
from galgen_kernels.ops.stamps_to_fits.reference import FitsStamps, Lupton, Scaling, Stretch

__all__ = ["FitsStamps", "Lupton", "Scaling", "Stretch", "stamps_to_fits"]


def stamps_to_fits(
    x_nhwc: Tensor, stretch: Stretch, scaling: Scaling | None = None, *, planes: bool = False
) -> FitsStamps:
    """Model space to the bytes of a FITS file, their checksums, and the stamps' fluxes and shapes.

    Parameters
    ----------
    x_nhwc : Tensor
        Model space, float32.
    stretch : Stretch
        The way to flux.
    scaling : Scaling, optional
        Store 16-bit integers, rounded half to even and cut to their range; NaN becomes -32768. By
        default float32 is stored.
    planes : bool
        Return the flux also in the machine's byte order, for measurements on the device.

    Returns
    -------
    FitsStamps
        On the device of `x_nhwc`.

    Raises
    ------
    ValueError
        If `x_nhwc` is not float32 of the bands of `stretch`, or int16 stamps would have an odd
        number of pixels: their checksum would depend on their place in the file.
    """
    bands = len(stretch.slope)
    if x_nhwc.dtype != torch.float32 or x_nhwc.ndim != 4 or x_nhwc.shape[-1] != bands:
        have = f"{x_nhwc.dtype} {tuple(x_nhwc.shape)}"
        raise ValueError(f"x_nhwc is {have}; allowed: float32 (n, height, width, {bands})")
    if scaling is not None and x_nhwc.shape[1] * x_nhwc.shape[2] % 2:
        have = f"{x_nhwc.shape[1]} x {x_nhwc.shape[2]}"
        raise ValueError(f"stamps are {have} pixels; allowed as int16: an even number of pixels")
    if not runs_triton(x_nhwc.device):
        return fits_reference.stamps_to_fits(x_nhwc, stretch, scaling, planes=planes)
    from galgen_kernels.ops.stamps_to_fits.fused import launch

    return launch(x_nhwc, stretch, scaling, planes=planes)
