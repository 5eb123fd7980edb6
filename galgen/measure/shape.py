"""Shapes, profiles, sizes and asymmetry of segmented galaxies, batched over galaxies."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

CENTROID_STEPS = 6
MIN_AXIS_RATIO = 0.05
RADII = 40  # samples of the curve of growth
ROOM = 1 << 27  # pixels of coverages that an accelerator holds at once, 512 MiB
PETROSIAN = 0.2  # ratio of local to enclosed mean surface brightness that defines r_P
APERTURE = 1.5  # aperture radius in r_P


class Ellipse(NamedTuple):
    """Centre, circularised rms size (pix), axis ratio, angle (radian, from +x to +y); each (N,)."""

    x: Tensor
    y: Tensor
    size: Tensor
    axis_ratio: Tensor
    angle: Tensor


def grid(h: int, w: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return pixel coordinates x (1, 1, W) and y (1, H, 1)."""
    x = torch.arange(w, device=device, dtype=torch.float32)
    y = torch.arange(h, device=device, dtype=torch.float32)
    return x[None, None, :], y[None, :, None]


def moments(image_nhw: Tensor, mask_nhw: Tensor) -> Ellipse:
    """Ellipse with the flux-weighted second moments of the masked image.

    The definition of SExtractor and photutils: the pixels of the segment weigh as their flux,
    negative ones as 0. Not adaptive Gaussian-weighted moments (Hirata & Seljak 2003), which follow
    the bulge and make an edge-on disc with a bulge round.
    """
    _, h, w = image_nhw.shape
    weight = image_nhw.clamp_min(0) * mask_nhw
    x, y = (t.flatten() for t in grid(h, w, image_nhw.device))
    along_x, along_y = weight.sum(1), weight.sum(2)
    total = along_x.sum(1)
    xc, yc = (along_x * x).sum(1) / total, (along_y * y).sum(1) / total
    dx, dy = x - xc[:, None], y - yc[:, None]
    xx = (along_x * dx**2).sum(1) / total
    yy = (along_y * dy**2).sum(1) / total
    xy = ((weight * dx[:, None, :]).sum(2) * dy).sum(1) / total
    mean, half = (xx + yy) / 2, torch.hypot((xx - yy) / 2, xy)
    axis_ratio = ((mean - half) / (mean + half)).clamp_min(MIN_AXIS_RATIO**2).sqrt()
    size = ((mean + half) * axis_ratio).sqrt()
    return Ellipse(xc, yc, size, axis_ratio, 0.5 * torch.atan2(2 * xy, xx - yy))


def windowed_centroid(image_nhw: Tensor, ellipse: Ellipse) -> tuple[Tensor, Tensor]:
    """Centroid x (N,), y (N,) in a Gaussian window that follows it (XWIN_IMAGE of SExtractor).

    The window is as wide as the galaxy. Less noisy than the centroid of the segment, from which it
    starts, and nearer to the nucleus: the centre that profiles and asymmetry ask for.
    """
    _, h, w = image_nhw.shape
    x, y = (t.flatten() for t in grid(h, w, image_nhw.device))
    xc, yc = ellipse.x, ellipse.y
    scale = -0.5 / ellipse.size.square()[:, None]
    for _ in range(CENTROID_STEPS):
        dx, dy = x - xc[:, None], y - yc[:, None]
        window_x, window_y = torch.exp(scale * dx**2), torch.exp(scale * dy**2)
        along_x = (image_nhw * window_y[:, :, None]).sum(1) * window_x
        along_y = (image_nhw * window_x[:, None, :]).sum(2) * window_y
        total = along_x.sum(1)
        # the window halves the offset of a Gaussian of its own width: take the step twice
        xc = xc + 2 * (along_x * dx).sum(1) / total
        yc = yc + 2 * (along_y * dy).sum(1) / total
    near = torch.hypot(xc - ellipse.x, yc - ellipse.y) < 2 * ellipse.size
    return torch.where(near, xc, ellipse.x), torch.where(near, yc, ellipse.y)


def resample(image_nchw: Tensor, x_nhw: Tensor, y_nhw: Tensor) -> Tensor:
    """Bilinear values (N, C, H, W) at pixel positions that broadcast to (N, H, W); 0 outside."""
    h, w = image_nchw.shape[-2:]
    where = torch.broadcast_tensors((2 * x_nhw + 1) / w - 1, (2 * y_nhw + 1) / h - 1)
    return F.grid_sample(image_nchw, torch.stack(where, -1).nan_to_num(), align_corners=False)


def turn(image_nchw: Tensor, x_n: Tensor, y_n: Tensor) -> Tensor:
    """Turn (N, C, H, W) by 180 deg about (x, y) in pixels; 0 comes in from outside."""
    h, w = image_nchw.shape[-2:]
    x, y = grid(h, w, image_nchw.device)
    return resample(image_nchw, 2 * x_n[:, None, None] - x, 2 * y_n[:, None, None] - y)


class Radius:
    """Circularised elliptical radius sqrt(a b) of every pixel of (H, W) stamps.

    Parameters
    ----------
    ellipse : Ellipse
        Centre, axis ratio and angle of each galaxy.
    h, w : int
        Sides of the stamps, pixels.

    Attributes
    ----------
    r : Tensor (N, H, W)
        Radius of each pixel, pixels.
    inverse_gradient : Tensor (N, H, W)
        Pixels from one radius to the next.
    largest : Tensor (N,)
        Radius of the largest ellipse that fits in the stamp, pixels.
    """

    def __init__(self, ellipse: Ellipse, h: int, w: int) -> None:
        x, y = grid(h, w, ellipse.x.device)
        xc, yc, _, q, angle = (t[:, None, None] for t in ellipse)
        dx, dy, cos, sin = x - xc, y - yc, angle.cos(), angle.sin()
        major, minor = dx * cos + dy * sin, dy * cos - dx * sin
        self.r = torch.sqrt(q * major**2 + minor**2 / q)
        gradient = torch.sqrt((q * major) ** 2 + (minor / q) ** 2) / self.r.clamp_min(1e-6)
        self.inverse_gradient = 1 / gradient.clamp_min(1e-3)
        # the largest ellipse in the stamp: compare its bounding box for sqrt(a b) = 1 with the room
        box_x, box_y = torch.sqrt(cos**2 / q + q * sin**2), torch.sqrt(sin**2 / q + q * cos**2)
        room_x = torch.minimum(xc, w - 1 - xc) + 0.5
        room_y = torch.minimum(yc, h - 1 - yc) + 0.5
        self.largest = torch.minimum(room_x / box_x, room_y / box_y).flatten().clamp_min(1)

    def coverage(self, radius_nk: Tensor) -> Tensor:
        """Fraction (N, K, H, W) of each pixel within ellipses, from its distance to their edges."""
        edge = (radius_nk[:, :, None, None] - self.r[:, None]) * self.inverse_gradient[:, None]
        return edge.add_(0.5).clamp_(0, 1)


class Growth(NamedTuple):
    """Area / pi (N, K) and flux (N, K) within concentric ellipses, both from 0."""

    area: Tensor
    flux: Tensor


def curve_of_growth(image_nhw: Tensor, radius: Radius) -> Growth:
    """Curve of growth in ellipses up to the largest that fits in the stamp.

    The flux within r is pi r^2 times the mean over the covered pixels, which keeps small apertures
    accurate wherever the centre falls on the pixel grid.
    """
    steps = (torch.arange(RADII + 1, device=image_nhw.device) / RADII) ** 1.5
    radii = radius.largest[:, None] * steps
    flux = [torch.zeros_like(radii[:, :1])]
    # A core has one coverage at a time in its cache; an accelerator as many as it has room for.
    at_once = 1 if image_nhw.device.type == "cpu" else max(1, ROOM // image_nhw.numel())
    for radii_nk in radii[:, 1:].split(at_once, 1):
        cover = radius.coverage(radii_nk)
        # the smallest ellipses can miss every pixel: no flux yet, made up for by the next
        covered = cover.sum((2, 3)).clamp_min(1e-6)
        flux.append(torch.pi * radii_nk**2 * ((cover * image_nhw[:, None]).sum((2, 3)) / covered))
    return Growth(radii**2, torch.cat(flux, 1))


def interpolate(x_nk: Tensor, y_nk: Tensor, x_nm: Tensor) -> Tensor:
    """Piecewise linear y(x) (N, M), row by row, for x_nk that rise; x_nm is clamped to them."""
    x_nm = torch.minimum(torch.maximum(x_nm, x_nk[:, :1]), x_nk[:, -1:]).contiguous()
    right = torch.searchsorted(x_nk.contiguous(), x_nm).clamp(1, x_nk.shape[1] - 1)
    x0, x1 = x_nk.gather(1, right - 1), x_nk.gather(1, right)
    y0, y1 = y_nk.gather(1, right - 1), y_nk.gather(1, right)
    return y0 + (y1 - y0) * ((x_nm - x0) / (x1 - x0).clamp_min(1e-30))


def petrosian_radius(growth: Growth) -> Tensor:
    """Circularised Petrosian radius (N,); infinite where it is not within the stamp.

    The first radius where the mean surface brightness between 0.8 r and 1.25 r falls below
    ``PETROSIAN`` times the mean within r (Strauss et al. 2002, eq. 4).
    """
    area = growth.area[:, 1:]
    inner = 0.8**2 * area
    outer = torch.minimum(1.25**2 * area, area[:, -1:])
    local = interpolate(*growth, outer) - interpolate(*growth, inner)
    ratio = (local / (outer - inner)) / (growth.flux[:, 1:] / area)
    below = (ratio < PETROSIAN) & (area > 1)
    first = below.to(torch.uint8).argmax(1, keepdim=True)
    before = (first - 1).clamp_min(0)
    r0, r1 = area.gather(1, before).sqrt(), area.gather(1, first).sqrt()
    ratio0, ratio1 = ratio.gather(1, before), ratio.gather(1, first)
    step = ((ratio0 - PETROSIAN) / (ratio0 - ratio1).clamp_min(1e-6)).clamp(0, 1)
    return (r0 + (r1 - r0) * step).squeeze(1).where(below.any(1), torch.inf)


def aperture_radius(growth: Growth) -> Tensor:
    """``APERTURE`` Petrosian radii (N,), limited to the largest ellipse in the stamp."""
    return torch.minimum(APERTURE * petrosian_radius(growth), growth.area[:, -1].sqrt())


def fraction_radii(growth: Growth, total_n: Tensor, fractions: tuple[float, ...]) -> list[Tensor]:
    """Circularised radii (N,) that hold these fractions of the total flux."""
    # Not one tensor of the fractions: to copy it to an accelerator makes the host wait.
    levels = torch.stack([total_n * fraction for fraction in fractions], 1)
    return list(interpolate(growth.flux.cummax(1).values, growth.area, levels).sqrt().unbind(1))


def asymmetry(image_nhw: Tensor, cover_nhw: Tensor, ellipse: Ellipse) -> Tensor:
    """Rotational asymmetry (N,) by 180 degrees about the centre (Conselice 2003, eq. 1).

    sum |I - I_180| / sum |I| within the aperture, less the mean |I - I_180| of the sky outside it.
    The image is shifted to put the centre in the middle of the stamp and then flipped: both sides
    have had the same interpolation, and a symmetric galaxy has none wherever its centre falls.
    """
    _, h, w = image_nhw.shape
    x, y = grid(h, w, image_nhw.device)
    shift_x, shift_y = ellipse.x - (w - 1) / 2, ellipse.y - (h - 1) / 2
    planes = torch.stack([image_nhw, cover_nhw, torch.ones_like(image_nhw)], 1)
    planes = resample(planes, x + shift_x[:, None, None], y + shift_y[:, None, None])
    image, cover, valid = planes.unbind(1)
    valid = (valid * valid.flip(-1, -2) > 0.99).float()
    difference = (image - image.flip(-1, -2)).abs() * valid
    sky, cover = (cover == 0) * valid, cover * valid
    sky_mean = (difference * sky).sum((1, 2)) / sky.sum((1, 2)).clamp_min(1)
    excess = (difference * cover).sum((1, 2)) - sky_mean * cover.sum((1, 2))
    return excess / (image.abs() * cover).sum((1, 2))
