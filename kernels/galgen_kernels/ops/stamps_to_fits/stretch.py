"""The way from model space to flux, as numbers that a kernel can be given."""

from __future__ import annotations

from dataclasses import dataclass

SINH_MAX = 40.0  # keeps sinh finite in float32 whatever the network returns


@dataclass(frozen=True)
class Lupton:
    """Constants of the inverse of a colour-preserving asinh stretch, see `Stretch`.

    Attributes
    ----------
    norm : float
        Of all bands together.
    gain, offset : tuple of float
        One number per band.
    """

    norm: float
    gain: tuple[float, ...]
    offset: tuple[float, ...]


@dataclass(frozen=True)
class Stretch:
    """From model space x to flux f, band by band.

    With ``u_b = slope_b x_b + intercept_b``,

        f_b = softening_b sinh(u_b)                             (Lupton, Gunn & Szalay 1999)

    or, for display pixels v of a `lupton` stretch (Lupton et al. 2004),

        v_b = u_b |u_b| - softening_b,   t = norm mean_b max(0, v_b),
        f_b = gain_b v_b sinh(t) / t - offset_b,

    with u_b and t no further from 0 than 40 under the sinh. A pixel whose u_b is not finite has
    flux NaN.

    Attributes
    ----------
    slope, intercept, softening : tuple of float
        One number per band.
    lupton : Lupton, optional
        Of a stretch that keeps colours; by default each band is stretched for itself.
    """

    slope: tuple[float, ...]
    intercept: tuple[float, ...]
    softening: tuple[float, ...]
    lupton: Lupton | None = None
