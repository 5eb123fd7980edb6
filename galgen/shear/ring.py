"""Rings of images of one galaxy, and what is measured on them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import galsim
import numpy as np

from galgen.shear.design import Design
from galgen.shear.metacal import STEP, Metacal
from galgen.shear.shapes import adaptive_moments, regauss

METHODS = ("regauss", "metacal")
PLUS, MINUS, RESPONSE = range(3)  # what is kept of a galaxy


class Ring:
    """Draws and measures galaxies through one PSF.

    All images of a galaxy have the same noise, but for that it is turned with the galaxy: so shape
    and noise cancel between the angles, and again between a shear and its opposite (Pujol et al.
    2019, arXiv:1806.10537), and few galaxies are needed. One component is sheared at a time: a
    galaxy without mirror symmetry, as a spiral, turns a little of one into the other.

    Parameters
    ----------
    design : Design
        What is drawn.
    psf : galsim.GSObject
        The PSF, the pixel not included.
    """

    def __init__(self, design: Design, psf: galsim.GSObject) -> None:
        self._design, self._psf = design, psf
        self._scale, self._side = design.pixel_scale, design.side
        self._psf_image = self._draw(psf)
        self._metacal = Metacal(galsim.Convolve(psf, galsim.Pixel(self._scale)), self._scale)
        disc = galsim.Exponential(half_light_radius=design.half_light_radius)
        signal = math.sqrt((self._draw(galsim.Convolve(disc, psf)).array ** 2).sum())
        self._sigmas = [signal / snr for snr in design.snr]
        self._noisy = any(self._sigmas)

    def measure(self, profiles: Sequence[galsim.GSObject], rng: np.random.Generator) -> np.ndarray:
        """Measure profiles of flux 1 that are drawn with the same noise.

        Parameters
        ----------
        profiles : sequence of galsim.GSObject
            P of them.
        rng : np.random.Generator
            Of the noise, and of where in a pixel the galaxy is.

        Returns
        -------
        ndarray (P, noise levels, `METHODS`, 3, 2)
            `PLUS` and `MINUS`, the shape with a shear and with its opposite, and `RESPONSE`, how
            much a shape changes per shear: means over the angles, for both components. NaN where
            one of the images could not be measured: which galaxies are left out must not depend on
            the shear.
        """
        pairs = self._design.angles // 2
        found = np.zeros((len(profiles), len(self._sigmas), len(METHODS), 3, 2))
        for pair in range(pairs):
            dx, dy = rng.uniform(-0.5, 0.5, 2) * self._scale
            noise_2hw = rng.standard_normal((2, self._side, self._side))
            for turn, component in itertools.product(range(2), range(2)):  # turns of 90 degrees
                angle = (90 * pair / pairs + 90 * turn) * galsim.degrees
                place = (dx, dy) if turn == 0 else (-dy, dx)
                turned_2hw = np.rot90(noise_2hw, -turn, axes=(1, 2))
                noise_khw = self._metacal.noise(turned_2hw, component) if self._noisy else 0.0
                for one, profile in zip(found, profiles, strict=True):
                    images = self._sheared(profile.rotate(angle), component, place)
                    shapes, response = self._measured(images, component, turned_2hw[0], noise_khw)
                    one[..., :RESPONSE, component] += shapes
                    one[..., RESPONSE, component] += response
        return found / self._design.angles

    def _sheared(
        self, profile: galsim.GSObject, component: int, place: tuple[float, float]
    ) -> list[np.ndarray]:
        """Draw a profile with a shear and with its opposite, shifted from the middle (arcsec)."""
        g = self._design.shear
        shear = galsim.Shear(g1=g) if component == 0 else galsim.Shear(g2=g)
        placed = (profile.shear(s).shift(*place) for s in (shear, -shear))
        return [self._draw(galsim.Convolve(p, self._psf)).array for p in placed]

    def _measured(
        self,
        images: list[np.ndarray],
        component: int,
        noise_hw: np.ndarray,
        noise_khw: np.ndarray | float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Measure a component of both images at each noise level.

        Returns
        -------
        shapes : ndarray (noise levels, `METHODS`, 2)
            Of each image.
        response : ndarray (noise levels, `METHODS`)
            Of both.
        """
        shapes = np.empty((len(self._sigmas), len(METHODS), 2))
        responses = np.empty_like(shapes)
        # A distortion is twice a small shear, less the more elliptical the galaxy is (Bernstein &
        # Jarvis 2002, section 3). What noise adds to ellipticities does not count: surveys know
        # them from images without.
        e = np.mean([regauss(image_hw, self._psf_image)[component] for image_hw in images])
        responses[:, 0] = 2 * (1 - e**2)
        for which, image_hw in enumerate(images):
            clean_khw = self._metacal.sheared(image_hw, component)
            for i, sigma in enumerate(self._sigmas):
                noisy_hw, noisy_khw = image_hw + sigma * noise_hw, clean_khw + sigma * noise_khw
                shapes[i, 0, which] = regauss(noisy_hw, self._psf_image)[component]
                shape, plus, minus = (adaptive_moments(hw)[component] for hw in noisy_khw)
                shapes[i, 1, which], responses[i, 1, which] = shape, (plus - minus) / (2 * STEP)
        return shapes, responses.mean(2)

    def _draw(self, profile: galsim.GSObject) -> galsim.Image:
        """Draw what is seen of a profile."""
        image = galsim.ImageD(self._side, self._side, scale=self._scale)
        return profile.drawImage(image)
