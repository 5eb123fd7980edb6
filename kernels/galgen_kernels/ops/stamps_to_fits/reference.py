"""What `stamps_to_fits` means, in float64, and the type of its result.

Shape suffixes: n stamps, h/w stamp height and width, b bands, v bytes of a row of pixels, k 32-bit
words of a stamp.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from galgen_kernels.ops.stamps_to_fits.stretch import SINH_MAX, Stretch


class FitsStamps(NamedTuple):
    """What `stamps_to_fits` returns.

    Attributes
    ----------
    data_bnhv : Tensor
        uint8, the bytes of one FITS cube per band: big-endian float32.
    sums_nb : Tensor
        uint32, DATASUM of each stamp of each band (FITS standard 4.0, appendix J).
    flux_nb : Tensor
        float32, sum of the pixels; not finite where a pixel is not.
    planes_nbhw : Tensor
        float32, the same pixels in the machine's byte order, for further computing.
    """

    data_bnhv: Tensor
    sums_nb: Tensor
    flux_nb: Tensor
    planes_nbhw: Tensor


def stamps_to_fits(x_nhwc: Tensor, stretch: Stretch) -> FitsStamps:
    """See `galgen_kernels.ops.stamps_to_fits`."""
    flux_nbhw = to_flux(x_nhwc.double(), stretch).movedim(-1, 1).contiguous()
    planes_nbhw = flux_nbhw.float()
    data_bnhv = _big_endian(planes_nbhw).transpose(0, 1).contiguous()
    sums_nb = _datasum(data_bnhv.flatten(2)).T.contiguous()
    return FitsStamps(data_bnhv, sums_nb, flux_nbhw.sum((2, 3)).float(), planes_nbhw)


def to_flux(x_nhwc: Tensor, stretch: Stretch) -> Tensor:
    """Compute flux per pixel, same shape and dtype; see `Stretch`."""
    slope, intercept, softening = (
        x_nhwc.new_tensor(v) for v in (stretch.slope, stretch.intercept, stretch.softening)
    )
    u_nhwc = slope * x_nhwc + intercept
    if stretch.lupton is None:
        flux_nhwc = softening * torch.sinh(u_nhwc.clamp(-SINH_MAX, SINH_MAX))
    else:
        gain, offset = (x_nhwc.new_tensor(v) for v in (stretch.lupton.gain, stretch.lupton.offset))
        v_nhwc = u_nhwc * u_nhwc.abs() - softening
        t_nhw1 = stretch.lupton.norm * v_nhwc.clamp(min=0.0).mean(-1, keepdim=True)
        t_nhw1 = t_nhw1.clamp(1e-9, SINH_MAX)  # the ratio is 1 there as at 0
        flux_nhwc = gain * v_nhwc * (torch.sinh(t_nhw1) / t_nhw1) - offset
    return torch.where(u_nhwc.isfinite(), flux_nhwc, torch.nan)


def _big_endian(values_nbhw: Tensor) -> Tensor:
    """Return (n, b, h, v) bytes, most significant first; the machine's order is the other."""
    width = values_nbhw.element_size()
    least_first: Tensor = values_nbhw.view(torch.uint8).unflatten(-1, (-1, width))
    return least_first.flip(-1).flatten(-2)


def _datasum(data_bnv: Tensor) -> Tensor:
    """Return (b, n) sums of 32-bit big-endian words with the carry added back in."""
    words_bnk = data_bnv.unflatten(-1, (-1, 4)).long()
    place = torch.tensor([1 << 24, 1 << 16, 1 << 8, 1], device=data_bnv.device)
    total_bn = (words_bnk.sum(2) * place).sum(-1)
    # Not `total % 0xFFFFFFFF`: all ones is the other zero, and only zeros sum to 0.
    return torch.where(total_bn > 0, (total_bn - 1) % 0xFFFFFFFF + 1, 0).to(torch.uint32)
