"""From the sampler's stamps to what a catalogue takes: flux in host memory, measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from galgen.measure import measure
from galgen.stretch import PixelSpace
from galgen_kernels.fits import stamps_to_fits


class Finished(NamedTuple):
    """Galaxies as `galgen.batch.GalaxyBatch` holds them.

    Attributes
    ----------
    stamps_nbhw : ndarray
        Flux per pixel, float32; big-endian where there are sums.
    measured : dict of str to ndarray (N,)
        Columns of `galgen.measure.measure`.
    sums_nb : ndarray or None
        uint32, ``DATASUM`` of each stamp of each band.
    finite_n : ndarray of bool
        Whether the network returned numbers only.
    """

    stamps_nbhw: np.ndarray
    measured: dict[str, np.ndarray]
    sums_nb: np.ndarray | None
    finite_n: np.ndarray


def finish(x_nhwc: Tensor, space: PixelSpace) -> Finished:
    """Flux and measured columns of stamps in model space.

    A GPU makes the bytes and sums of the FITS file itself, in one pass: what leaves it goes to disk
    untouched. On a CPU, swapping bytes is cheapest where they are written.
    """
    if x_nhwc.device.type == "cuda":
        return _for_disk(x_nhwc, space)
    flux_nhwc = space.to_flux(x_nhwc)
    measured = measure(flux_nhwc, space.bands)
    return Finished(
        flux_nhwc.permute(0, 3, 1, 2).contiguous().cpu().numpy(),
        {name: column.cpu().numpy() for name, column in measured.items()},
        None,
        x_nhwc.isfinite().flatten(1).all(1).cpu().numpy(),
    )


def _for_disk(x_nhwc: Tensor, space: PixelSpace) -> Finished:
    made = stamps_to_fits(x_nhwc, space.kernel_stretch(), planes=True)
    measured = measure(made.planes_nbhw.permute(0, 2, 3, 1), space.bands)
    columns_cn = torch.stack([*measured.values()])
    # Copies that do not block go to pinned memory, at twice the speed.
    data_bnhv, sums_nb, flux_nb, columns_cn = (
        tensor.to("cpu", non_blocking=True)
        for tensor in (made.data_bnhv, made.sums_nb, made.flux_nb, columns_cn)
    )
    if x_nhwc.device.type == "cuda":
        torch.cuda.current_stream(x_nhwc.device).synchronize()
    return Finished(
        data_bnhv.numpy().view(">f4").swapaxes(0, 1),
        dict(zip(measured, columns_cn.numpy(), strict=True)),
        sums_nb.numpy(),
        flux_nb.isfinite().all(1).numpy(),
    )
