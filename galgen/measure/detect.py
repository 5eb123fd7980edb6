"""Find the central galaxy of a stamp: sky level, segment, and what belongs to its neighbours.

Everything is batched over galaxies and deterministic, and nothing waits for an accelerator: what it
is told does not depend on what it found.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from galgen_kernels.ops.flood import flood

FRAME = 3  # width (pixels) of the border frame in which the sky is measured
NSIGMA = 2.0  # isophote of the segment, in sky sigmas of the smoothed detection image
# Least sky sigma, as a fraction of the central peak. 8-bit stamps can have no noise at all; the
# isophote at 1/500 of the peak then still ends where the galaxy is too faint to matter.
FLOOR = 1e-3
STEP = 1.5  # ratio of successive thresholds
PROMINENCE = 2  # steps a neighbour's peak rises above the level at which it is still apart
LEVELS = math.ceil(-math.log(NSIGMA * FLOOR) / math.log(STEP))  # from the isophote to any peak
THRESHOLDS = tuple(STEP**j for j in range(LEVELS + PROMINENCE + 1))  # in isophotes
CENTRE_SIGMA = 0.05  # prior on where the central peak is, as a fraction of the stamp's side
CENTRE_LIMIT = 0.25  # nothing further out is taken for the galaxy
CLIMB = 12  # most pixels from there to the peak
MIN_PIXELS = 5
TINY = 1e-30


def frame_pixels(image: Tensor, width: int = FRAME) -> Tensor:
    """Pixels of the border frame: (..., H, W) to (..., number of pixels)."""
    h, w = image.shape[-2:]
    width = max(1, min(width, h // 4, w // 4))
    top, bottom = image[..., :width, :], image[..., h - width :, :]
    left, right = image[..., width : h - width, :width], image[..., width : h - width, w - width :]
    return torch.cat([part.flatten(-2) for part in (top, bottom, left, right)], -1)


def quantile(values: Tensor, fraction: float) -> Tensor:
    """Return values (...,) below which a fraction of the last axis lies, without interpolation."""
    k = max(1, round(fraction * values.shape[-1]))
    if values.device.type == "cpu":
        return values.kthvalue(k, -1).values
    # on CUDA kthvalue is refused under torch.use_deterministic_algorithms; sort is not
    return values.sort(-1).values[..., k - 1]


def sky_level(frame: Tensor) -> Tensor:
    """Sky level (...,) from the border frame (..., F): its mean, clipped at 3 sigma.

    The clip starts from the median and takes out neighbours, and a large galaxy's own light, where
    they cover less than 40 % of the frame. A mean, because an aperture sums the noise: where the
    sky was cut at zero, the median is lower than what a pixel adds on average.
    """
    level = quantile(frame, 0.5)
    for _ in range(2):
        deviation = (frame - level[..., None]).abs_()
        keep = deviation <= 3 * deviation_sigma(deviation)[..., None]
        level = (frame * keep).sum(-1) / keep.sum(-1)
    return level


def deviation_sigma(deviation: Tensor) -> Tensor:
    """Gaussian sigma (...,) from absolute deviations (..., F) by their 60 % quantile.

    A quantile above the usual median: it stays above 0 where up to 60 % of the pixels are equal,
    as in 8-bit stamps with sky cut at zero. It is 0 beyond.
    """
    return quantile(deviation, 0.6) / 0.8416


def smooth(image_nhw: Tensor, sigma: float = 1.0) -> Tensor:
    """Convolve with a 5 x 5 Gaussian (edges repeated), a matched filter for a typical PSF."""
    taps = [math.exp(-0.5 * (i / sigma) ** 2) for i in range(3)]
    norm = taps[0] + 2 * taps[1] + 2 * taps[2]
    centre, near, far = (t / norm for t in taps)
    p = F.pad(image_nhw[:, None], (2, 2, 2, 2), mode="replicate")[:, 0]
    p = centre * p[:, 2:-2] + near * (p[:, 1:-3] + p[:, 3:-1]) + far * (p[:, :-4] + p[:, 4:])
    return (
        centre * p[..., 2:-2]
        + near * (p[..., 1:-3] + p[..., 3:-1])
        + far * (p[..., :-4] + p[..., 4:])
    )


def filled_up(flux_nbhw: Tensor, multiple: int) -> Tensor:
    """Add empty stamps to (N, B, H, W) until N is a multiple."""
    return F.pad(flux_nbhw, (0, 0, 0, 0, 0, 0, 0, -len(flux_nbhw) % multiple))


def central_peak(smoothed_nhw: Tensor) -> tuple[Tensor, Tensor]:
    """Height (N,) and one-pixel mask (N, H, W) of the peak of the galaxy at the centre.

    Starts at the brightest pixel after multiplication by a Gaussian prior on the centre, so that a
    brighter star further out does not win, and climbs to the local maximum. The height is 0 where
    no pixel near the centre is positive.
    """
    n, h, w = smoothed_nhw.shape
    device = smoothed_nhw.device
    y = torch.arange(h, device=device) - (h - 1) / 2
    x = torch.arange(w, device=device) - (w - 1) / 2
    scale = CENTRE_SIGMA * min(h, w)
    radius2 = y[:, None] ** 2 + x**2
    prior = torch.exp(-0.5 * radius2 / scale**2) * (radius2 < (CENTRE_LIMIT * min(h, w)) ** 2)
    best, index = (smoothed_nhw * prior).flatten(1).max(1, keepdim=True)
    found = best > 0
    row, column = index // w, index % w
    flat, steps = smoothed_nhw.flatten(1), torch.arange(9, device=device)
    down, along = steps // 3 - 1, steps % 3 - 1
    for _ in range(CLIMB):
        rows = (row + down).clamp_(0, h - 1)
        columns = (column + along).clamp_(0, w - 1)
        best = flat.gather(1, rows * w + columns).argmax(1, keepdim=True)
        row, column = rows.gather(1, best), columns.gather(1, best)
    index = row * w + column
    seed = torch.zeros(n, h * w, dtype=torch.bool, device=device)
    peak = (flat.gather(1, index) * found).squeeze(1)
    return peak, seed.scatter(1, index, True).view(n, h, w)


def segment(smoothed_nhw: Tensor, sigma_n: Tensor) -> tuple[Tensor, Tensor]:
    """Segment of the central galaxy and of its neighbours.

    A watershed from bright to faint: the threshold falls by factors of ``STEP`` to ``NSIGMA``
    sigma, and at each level the galaxy and its neighbours grow into the pixels above it. An object
    starts as a neighbour if it is apart from the galaxy at a level and its peak is at least
    ``PROMINENCE`` steps higher; lesser clumps (spiral arms, knots) join the galaxy.

    Parameters
    ----------
    smoothed_nhw : Tensor (N, H, W)
        Smoothed, sky-subtracted detection image.
    sigma_n : Tensor (N,)
        Sky noise of that image.

    Returns
    -------
    galaxy_nhw, neighbours_nhw : Tensor (N, H, W), bool
        Disjoint; ``galaxy_nhw`` is empty where nothing is detected at 3 sigma in the smoothed
        image.
    """
    peak, seed = central_peak(smoothed_nhw)
    isophote = NSIGMA * torch.maximum(sigma_n, FLOOR * peak.clamp_min(0)).clamp_min(TINY)
    in_isophotes = smoothed_nhw / isophote[:, None, None]
    galaxy, neighbours = flood(in_isophotes, seed, THRESHOLDS, PROMINENCE)
    detected = (peak > STEP * isophote) & (galaxy.sum((1, 2)) >= MIN_PIXELS)
    return galaxy & detected[:, None, None], neighbours
