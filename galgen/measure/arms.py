"""Bars and spiral arms: the m = 2 Fourier mode of a galaxy, and how its phase runs with radius."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from galgen.measure import detect
from galgen.measure.rings import CIRCLES, Rings, angles_of_samples, circle_radii

BAR_RINGS = 4  # 0.4 to 1.2 rms sizes
# Phase runs d Phi / d ln r that are looked for, radian: down to a pitch angle of 9.5 deg. Turns of
# arms that are wound tighter are closer to each other than a few pixels, or than a ring is wide.
TIGHTEST, STEP = 12.0, 0.1
MIN_RINGS = 4  # 3 or fewer span too short a part of an arm to see its phase run
MIN_AMPLITUDE = 0.05  # the pixels of a smooth galaxy have as much
MIN_SNR = 4.0


class TwoArmed(NamedTuple):
    """What the m = 2 mode says; each (N,), NaN where it does not.

    Attributes
    ----------
    bar_strength : Tensor
        Relative amplitude with the same phase at all radii from 0.4 to 1.2 rms sizes, 0 to 1.
    pitch_angle : Tensor
        Of the logarithmic spiral that has most of the mode, in degree; 90 of a bar.
    coherence : Tensor
        Amplitude of that spiral over the mean amplitude whatever the phase, 0 to 1.
    """

    bar_strength: Tensor
    pitch_angle: Tensor
    coherence: Tensor


def two_armed(rings: Rings) -> TwoArmed:
    """Measure bars and arms by a Fourier transform in angle and in the logarithm of radius.

    A logarithmic spiral of pitch angle i has the phase Phi = p ln r with p = m / tan i, so that
    its whole light is in one p of the transform S(p) = < A_2(r) exp(-i p ln r) > of the complex
    relative amplitude (Puerari & Dottori 1992; Davis et al. 2012). Bars have p = 0. Handedness, the
    sign of p, is left out: it depends on the side that a galaxy is seen from.

    Parameters
    ----------
    rings : Rings
        Samples of the galaxies.
    """
    seen = rings.seen_nr
    cosine, sine = _of_circles(rings)
    # of the cosine and the sine of a ring together: twice the variance of either
    variance = (2 * rings.noise_nr / rings.mean_nr.clamp_min(detect.TINY)).square().where(seen, 0)

    in_bar = seen[:, :BAR_RINGS].sum(1)
    bar = slice(BAR_RINGS * CIRCLES)
    power = (cosine[:, bar].sum(1).square() + sine[:, bar].sum(1).square()) / CIRCLES**2
    power = ((power - variance[:, :BAR_RINGS].sum(1)) / in_bar**2).clamp(0, 1)

    count = seen.sum(1)
    amplitude_np = _spirals(cosine, sine) / (CIRCLES * count)[:, None]
    largest, index = amplitude_np.max(1)
    run = STEP * (index - amplitude_np.shape[1] // 2).abs()
    floor = (MIN_SNR * (variance.sum(1) / 2).sqrt() / count).clamp_min(MIN_AMPLITUDE)
    clear = (largest > floor) & (count >= MIN_RINGS)
    mean = torch.hypot(cosine, sine).sum(1) / (CIRCLES * count)
    return TwoArmed(
        power.sqrt().where(in_bar > 0, torch.nan),
        torch.atan2(torch.full_like(run, 2), run).rad2deg().where(clear, torch.nan),
        (largest / mean).where(clear, torch.nan),
    )


def _of_circles(rings: Rings) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the relative m = 2 mode (N, RINGS * CIRCLES); 0 where it is not seen."""
    values = rings.values_nrca.flatten(1, 2)
    angles = angles_of_samples(values.device)
    mean = values.mean(2).clamp_min(detect.TINY)
    seen = rings.seen_nr.repeat_interleave(CIRCLES, 1)
    cosine = 2 * (values * torch.cos(2 * angles)).mean(2) / mean
    sine = 2 * (values * torch.sin(2 * angles)).mean(2) / mean
    return cosine.where(seen, 0), sine.where(seen, 0)


def _spirals(cosine_nk: Tensor, sine_nk: Tensor) -> Tensor:
    """Give | sum over circles of A(r) exp(-i p ln r) | (N, P) for each phase run p."""
    steps = round(TIGHTEST / STEP)
    p = STEP * torch.arange(-steps, steps + 1, device=cosine_nk.device)
    phase = p * circle_radii(p.device).log()[:, None]
    cos, sin = phase.cos(), phase.sin()
    real = cosine_nk[:, :, None] * cos + sine_nk[:, :, None] * sin
    imaginary = sine_nk[:, :, None] * cos - cosine_nk[:, :, None] * sin
    return torch.hypot(real.sum(1), imaginary.sum(1))
