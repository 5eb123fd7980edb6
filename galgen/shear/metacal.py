"""Metacalibration: shear the image itself, and see what that does to what is measured on it.

Huff & Mandelbaum 2017 (arXiv:1702.02600), Sheldon & Huff 2017 (arXiv:1702.02601).
"""

from __future__ import annotations

import math

import galsim
import numpy as np

STEP = 0.01
SHEARS = (0.0, STEP, -STEP)
# The new PSF has the second of these where the old one has the first: so no noise is amplified
# (GalSim's tests/test_metacal.py).
_OLD, _NEW = 1e-2, 3e-3


class Metacal:
    """Shears images that were seen through a known PSF.

    The PSF is deconvolved, what is left is sheared, and convolved with a round Gaussian that is
    wider than the PSF, by which what the deconvolution did to the noise of small scales is gone.
    All of it is linear: of a sum of images it is the sum.

    Parameters
    ----------
    psf : galsim.GSObject
        The PSF, the pixel included.
    pixel_scale : float
        Arcsec per pixel of the images.
    """

    def __init__(self, psf: galsim.GSObject, pixel_scale: float) -> None:
        self._scale = pixel_scale
        self._undo = galsim.Deconvolve(psf)
        self._psf = _wider(psf)

    def sheared(self, image_hw: np.ndarray, component: int) -> np.ndarray:
        """Return an image (H, W) with each of `SHEARS` in g1 (0) or g2 (1): (3, H, W)."""
        h, w = image_hw.shape
        seen = galsim.InterpolatedImage(galsim.Image(image_hw, scale=self._scale))
        intrinsic = galsim.Convolve(seen, self._undo)
        new_khw = np.empty((len(SHEARS), h, w))
        for new_hw, g in zip(new_khw, SHEARS, strict=True):
            shear = galsim.Shear(g1=g) if component == 0 else galsim.Shear(g2=g)
            profile = galsim.Convolve(intrinsic.shear(shear), self._psf)
            image = galsim.Image(new_hw, scale=self._scale)
            profile.drawImage(image, method="no_pixel")  # the pixel is in the old PSF
        return new_khw

    def noise(self, noise_2hw: np.ndarray, component: int) -> np.ndarray:
        """Return what noise in the image adds to those that are sheared, (3, H, W).

        Noise that is sheared is correlated along the shear, as if galaxies were. So of the two
        (2, H, W) that are given, only the first of which is in the image, the second is sheared
        across and added: no direction is left (Sheldon & Huff 2017, section 3.2). H and W are
        equal.
        """
        noise_hw, other_hw = noise_2hw
        across = np.rot90(self.sheared(np.rot90(other_hw), component), -1, axes=(1, 2))
        both: np.ndarray = self.sheared(noise_hw, component) + across
        return both


def _wider(psf: galsim.GSObject) -> galsim.Gaussian:
    """Make a round Gaussian that is wider than the PSF in every direction."""
    image = psf.drawKImage(scale=psf.stepk / 4)
    kx, ky = image.get_pixel_centers()
    k = np.hypot(kx, ky) * image.scale
    edge = k[image.array.real < _OLD * psf.flux].min()
    sigma = math.sqrt(-2 * math.log(_NEW)) / edge
    return galsim.Gaussian(sigma=sigma * (1 + 2 * STEP))
