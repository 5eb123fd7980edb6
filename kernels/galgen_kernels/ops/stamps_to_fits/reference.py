"""Reference formula of `stamps_to_fits`, in float64, and the types of its arguments and results.

Shape suffixes: n stamps, h/w stamp height and width, p pixels of a stamp, b bands, v bytes of a row
of pixels, s entries of `SHAPE`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

SINH_MAX = 40.0  # keeps sinh finite in float32 whatever the network returns
HALVINGS = 14  # of the interval that holds the half-light radius: 0.003 pix in 64 x 64 pixels
SHAPE = ("x", "y", "xx", "yy", "xy", "half_light_radius")


@dataclass(frozen=True)
class Lupton:
    """Constants of the inverse of a colour-preserving asinh stretch, see `Stretch`."""

    norm: float
    gain: tuple[float, ...]
    offset: tuple[float, ...]


@dataclass(frozen=True)
class Stretch:
    """From model space x to flux f, band by band: ``u_b = slope_b x_b + intercept_b``, and then

        f_b = softening_b sinh(u_b)                             (Lupton, Gunn & Szalay 1999)

    or, for display pixels v of a `lupton` stretch (Lupton et al. 2004),

        v_b = u_b |u_b| - softening_b,   t = norm mean_b max(0, v_b),
        f_b = gain_b v_b sinh(t) / t - offset_b,

    with u_b and t no further from 0 than 40 under the sinh. A pixel whose u_b is not finite has
    flux NaN. All but `lupton` are one number per band.
    """

    slope: tuple[float, ...]
    intercept: tuple[float, ...]
    softening: tuple[float, ...]
    lupton: Lupton | None = None


@dataclass(frozen=True)
class Scaling:
    """Storage as 16-bit integers: flux = bzero + bscale * stored (FITS standard 4.0, 4.4.2.5)."""

    bscale: float
    bzero: float = 0.0


class FitsStamps(NamedTuple):
    """What `stamps_to_fits` returns.

    Attributes
    ----------
    data_bnhv : Tensor
        uint8, the bytes of one FITS cube per band: big-endian float32, or int16 where scaled.
    sums_nb : Tensor
        uint32, DATASUM of each stamp of each band (FITS standard 4.0, appendix J).
    flux_nb : Tensor
        float32, sum of the pixels; not finite where a pixel is not.
    shape_ns : Tensor
        float32, the entries of `SHAPE` in pixels and pixels squared, of the mean of the bands:
        centroid (0 is the centre of the first pixel) and central second moments, in which negative
        pixels count as 0; radius about the centroid of the circle with half of the stamp's flux.
        NaN where a pixel is not finite or there is no positive flux.
    planes_nbhw : Tensor or None
        float32 flux for further computing.
    """

    data_bnhv: Tensor
    sums_nb: Tensor
    flux_nb: Tensor
    shape_ns: Tensor
    planes_nbhw: Tensor | None


def stamps_to_fits(
    x_nhwc: Tensor, stretch: Stretch, scaling: Scaling | None = None, *, planes: bool = False
) -> FitsStamps:
    """See `galgen_kernels.ops.stamps_to_fits.stamps_to_fits`."""
    flux_nbhw = to_flux(x_nhwc.double(), stretch).movedim(-1, 1).contiguous()
    data_bnhv = _big_endian(_stored(flux_nbhw, scaling)).transpose(0, 1).contiguous()
    return FitsStamps(
        data_bnhv,
        _datasum(data_bnhv.flatten(2)).T.contiguous(),
        flux_nbhw.sum((2, 3)).float(),
        _shape(flux_nbhw.mean(1)).float(),
        flux_nbhw.float() if planes else None,
    )


def to_flux(x_nhwc: Tensor, stretch: Stretch) -> Tensor:
    """Flux per pixel, same shape and dtype; see `Stretch`."""
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
    return flux_nhwc.where(u_nhwc.isfinite(), torch.nan)


def _stored(flux_nbhw: Tensor, scaling: Scaling | None) -> Tensor:
    if scaling is None:
        return flux_nbhw.float()
    level_nbhw = ((flux_nbhw - scaling.bzero) / scaling.bscale).nan_to_num(-32768.0)
    return level_nbhw.clamp(-32768, 32767).round().to(torch.int16)  # round: half to even


def _big_endian(values_nbhw: Tensor) -> Tensor:
    """(n, b, h, v) bytes of numbers, most significant first; the machine's order is the other."""
    width = values_nbhw.element_size()
    return values_nbhw.view(torch.uint8).unflatten(-1, (-1, width)).flip(-1).flatten(-2)


def _datasum(data_bnv: Tensor) -> Tensor:
    """(b, n) sum of 32-bit big-endian words with the carry added back in."""
    words_bnk = data_bnv.unflatten(-1, (-1, 4)).long()
    place = torch.tensor([1 << 24, 1 << 16, 1 << 8, 1], device=data_bnv.device)
    total_bn = (words_bnk.sum(2) * place).sum(-1)
    # Not `total % 0xFFFFFFFF`: all ones is the other zero, and only zeros sum to 0.
    return torch.where(total_bn > 0, (total_bn - 1) % 0xFFFFFFFF + 1, 0).to(torch.uint32)


def _shape(image_nhw: Tensor) -> Tensor:
    """(n, s): centroid, second moments, half-light radius; see `FitsStamps`."""
    h, w = image_nhw.shape[1:]
    image_np = image_nhw.flatten(1)
    pixel = torch.arange(h * w, device=image_np.device)
    x_p, y_p = (pixel % w).to(image_np.dtype), (pixel // w).to(image_np.dtype)
    weight_np = image_np.clamp(min=0.0)
    weight_np = weight_np / weight_np.sum(1, keepdim=True)
    x_n, y_n = (weight_np * x_p).sum(1), (weight_np * y_p).sum(1)
    dx_np, dy_np = x_p - x_n[:, None], y_p - y_n[:, None]
    moments = [(weight_np * d).sum(1) for d in (dx_np**2, dy_np**2, dx_np * dy_np)]

    # The curve of growth is not tabulated: its inverse is found where it is asked for.
    total_n, r_np = image_np.sum(1), torch.hypot(dx_np, dy_np)
    low_n, high_n = torch.zeros_like(x_n), farthest(x_n, y_n, h, w)
    for _ in range(HALVINGS):
        middle_n = (low_n + high_n) / 2
        cover_np = (middle_n[:, None] - r_np + 0.5).clamp(0, 1)  # of each pixel by the circle
        beyond_n = (image_np * cover_np).sum(1) < total_n / 2
        low_n = torch.where(beyond_n, middle_n, low_n)
        high_n = torch.where(beyond_n, high_n, middle_n)
    radius_n = ((low_n + high_n) / 2).where(total_n > 0, torch.nan)
    return torch.stack([x_n, y_n, *moments, radius_n], 1)


def farthest(x_n: Tensor, y_n: Tensor, h: int, w: int) -> Tensor:
    """Least radius (n,) of a circle about (x, y) that covers the stamp."""
    return torch.hypot(torch.maximum(x_n, w - 1 - x_n), torch.maximum(y_n, h - 1 - y_n)) + 0.5
