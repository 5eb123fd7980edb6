"""How the light of galaxies is arranged: what referees ask of, beside the catalogue's columns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from galgen.columns import Column
from galgen.measure import shape
from galgen.measure.arms import two_armed
from galgen.measure.columns import column
from galgen.measure.cutout import Cutouts, in_chunks
from galgen.measure.gini_m20 import gini, m20, petrosian_segment
from galgen.measure.rings import relative_amplitude, sample_rings
from galgen.measure.surroundings import border_noise

_MORPHOLOGY = "src.morph.param"
_RADIUS = "phys.angSize"


def structure_columns() -> tuple[Column, ...]:
    """List the columns of `structure`, in the same order, all of them float32."""
    return (
        column("GINI", _MORPHOLOGY, "", "Gini coefficient, Lotz et al. 2004"),
        column("M20", _MORPHOLOGY, "", "second moment of the brightest 20 %, Lotz et al. 2004"),
        column("PETROSIAN_RADIUS", _RADIUS, "pix", "circularised, eta = 0.2"),
        column("MOMENT_RADIUS", _RADIUS, "pix", "circularised rms size of the 2 sigma segment"),
        column("FOURIER_A1", _MORPHOLOGY, "", "relative m = 1 amplitude, 0.4 to 2 rms sizes"),
        column("ARM_STRENGTH", _MORPHOLOGY, "", "relative m = 2 amplitude, 0.4 to 2 rms sizes"),
        column("FOURIER_A3", _MORPHOLOGY, "", "relative m = 3 amplitude, 0.4 to 2 rms sizes"),
        column("FOURIER_A4", _MORPHOLOGY, "", "relative m = 4 amplitude, 0.4 to 2 rms sizes"),
        column("BAR_STRENGTH", _MORPHOLOGY, "", "m = 2 of constant phase, 0.4 to 1.2 rms sizes"),
        column("PITCH_ANGLE", _MORPHOLOGY, "deg", "of the strongest m = 2 spiral, 90 of a bar"),
        column("ARM_COHERENCE", _MORPHOLOGY, "", "share of m = 2 that is one logarithmic spiral"),
    )


@torch.no_grad()
def structure(flux_nhwc: Tensor, bands: Sequence[str]) -> dict[str, Tensor]:
    """Measure how the light of the galaxy at the centre of each stamp is arranged.

    All of it on the mean of the bands, sky subtracted and neighbours replaced, about the centre,
    axis ratio and angle of `galgen.measure.measure`.

    Parameters
    ----------
    flux_nhwc : Tensor (N, H, W, B)
        Linear flux per pixel; sky need not be subtracted, H and W at least 16.
    bands : sequence of str
        The B band names, bluest first.

    Returns
    -------
    dict of str to Tensor (N,), float32
        The columns of `structure_columns`, on the device of the input.

        ``GINI``, ``M20``: Lotz et al. 2004, in their segment, which is that of the Petrosian
        radius; ``M20`` about its centroid.

        ``PETROSIAN_RADIUS``: sqrt(a b) of the ellipse where the mean surface brightness between
        0.8 r and 1.25 r is 0.2 of that within r (Strauss et al. 2002), pixels. These three are NaN
        where the stamp ends first, or the segment fills it.

        ``MOMENT_RADIUS``: (det Q)^(1/4) of the flux-weighted second moments Q in the segment of
        `galgen.measure.detect.segment`, pixels: sqrt(``A_IMAGE`` ``B_IMAGE``) of SExtractor.

        ``FOURIER_A1``, ``ARM_STRENGTH`` (m = 2), ``FOURIER_A3``, ``FOURIER_A4``: a of
        1 + a cos m (t - t0) round the ellipses, averaged over up to 8 rings from 0.4 to 2 rms
        sizes, 0 to 1, as ``arm_strength`` of `galgen.measure.surroundings`, which see; the power
        of the noise is subtracted. m = 1 is lopsidedness (Rix & Zaritsky 1995).

        ``BAR_STRENGTH``: the part of m = 2 that has the same phase from 0.4 to 1.2 rms sizes, 0 to
        1, as the mean of A_2 / A_0 over a bar (Aguerri et al. 1998), but with its phase: what
        winds counts the less the more it does.

        ``PITCH_ANGLE``, ``ARM_COHERENCE``: the logarithmic spiral that has most of the m = 2 mode,
        by a Fourier transform in the logarithm of radius (Puerari & Dottori 1992; Davis et al.
        2012). Its phase runs as d Phi / d ln r = 2 / tan(pitch angle); 90 deg is a bar, or a
        galaxy whose inner axis ratio is another than its outer. Coherence is its amplitude over
        the mean amplitude whatever the phase, 0 to 1. NaN where the amplitude is below 0.05 or 4
        sigma, and where fewer than 4 rings are seen.

        Every column is NaN where no galaxy is detected or a pixel is not finite. A galaxy's values
        do not depend, to the bit, on the others in its batch.

    Raises
    ------
    InvalidValueError
        If the shape of `flux_nhwc` does not fit, or a band is named twice.

    Notes
    -----
    Not corrected for the PSF or, but for the Fourier amplitudes, for noise: compare galaxies of
    the same noise. Gini and M20 are trustworthy from a mean signal to noise of 2 per pixel on
    (Lotz et al. 2004).
    """
    names = [c.name for c in structure_columns()]
    return in_chunks(structure_of, names, flux_nhwc, bands)


def structure_of(cutouts: Cutouts) -> dict[str, Tensor]:
    """Return the columns (N,) of `structure` for galaxies that have been cut out."""
    image, ellipse = cutouts.image_nhw, cutouts.ellipse
    growth = shape.curve_of_growth(image, shape.Radius(ellipse, *image.shape[-2:]))
    petrosian = shape.petrosian_radius(growth)
    within = petrosian.isfinite()
    segment = petrosian_segment(image, ellipse, petrosian.where(within, 1))
    segment &= within[:, None, None]
    rings = sample_rings(image, ellipse, border_noise(cutouts))
    seen = rings.seen_nr.any(1)
    modes = {m: relative_amplitude(rings, m).where(seen, torch.nan) for m in (1, 2, 3, 4)}
    arms = two_armed(rings)
    columns = {
        "GINI": gini(image, segment),
        "M20": m20(image, segment),
        "PETROSIAN_RADIUS": petrosian.where(within, torch.nan),
        "MOMENT_RADIUS": ellipse.size,
        "FOURIER_A1": modes[1],
        "ARM_STRENGTH": modes[2],
        "FOURIER_A3": modes[3],
        "FOURIER_A4": modes[4],
        "BAR_STRENGTH": arms.bar_strength,
        "PITCH_ANGLE": arms.pitch_angle,
        "ARM_COHERENCE": arms.coherence,
    }
    usable = cutouts.usable_n & (growth.flux[:, -1] > 0)
    return {name: column.where(usable, torch.nan) for name, column in columns.items()}
