"""Instance catalogues read as imSim reads them (its ``imsim/instcat.py``), in our own words.

imSim itself needs Rubin's pipelines, which are not on PyPI. What it takes of the file and what it
does with it is below: columns of ``object`` lines, ``includeobj``, images as `InterpolatedImage`,
reduced shear and magnification from shear and convergence, and the flux of the magnitude at 500 nm.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import galsim
import numpy as np

AREA = np.pi * (418.0**2 - 255.0**2)  # cm^2, of Rubin's mirror
EXPOSURE = 30.0  # s


def lines(path: Path) -> Iterator[str]:
    """Lines of an instance catalogue and of the lists that it includes, which are beside it."""
    for line in path.read_text().splitlines():
        if line.startswith("includeobj"):
            yield from lines(path.parent / line.split()[-1])
        else:
            yield line


class InstanceCatalog:
    """The objects of an instance catalogue.

    Attributes
    ----------
    ids : list of str
        Names of the objects.
    """

    def __init__(self, path: Path, flip_g2: bool = True) -> None:
        self._folder = path.parent
        self._tokens = [line.split() for line in lines(path) if line.startswith("object")]
        self._sign = -1 if flip_g2 else 1
        self.ids = [tokens[1] for tokens in self._tokens]

    def position(self, i: int) -> galsim.CelestialCoord:
        ra, dec = map(float, self._tokens[i][2:4])
        return galsim.CelestialCoord(ra * galsim.degrees, dec * galsim.degrees)

    def magnorm(self, i: int) -> float:
        return float(self._tokens[i][4])

    def sed(self, i: int) -> galsim.SED:
        """Spectrum with AB magnitude 0 at 500 nm, redshifted; there is no dust in these lists."""
        name, redshift = self._tokens[i][5:7]
        assert self._tokens[i][15:] == ["none", "none"]
        flux_density = 3631e-23 / 6.62607015e-27 / 500  # photons / nm / s / cm^2: f_nu / (h lambda)
        sed = galsim.SED(str(self._folder / name), wave_type="nm", flux_type="flambda")
        return sed.withFluxDensity(flux_density, 500.0).atRedshift(float(redshift))

    def lens(self, i: int) -> tuple[float, float, float]:
        """Reduced shear and magnification."""
        gamma1, gamma2, kappa = map(float, self._tokens[i][7:10])
        gamma2 *= self._sign
        mu = 1 / ((1 - kappa) ** 2 - (gamma1**2 + gamma2**2))
        return gamma1 / (1 - kappa), gamma2 / (1 - kappa), mu

    def image(self, i: int) -> Path:
        return self._folder / self._tokens[i][12]

    def light(self, i: int) -> galsim.GSObject:
        """The object's light, of as many photons per nm as a spectrum of flux 1 means."""
        scale, theta = map(float, self._tokens[i][13:15])
        drawn = galsim.InterpolatedImage(str(self.image(i)), scale=scale)
        drawn = drawn.rotate(-theta * galsim.degrees).lens(*self.lens(i))
        return drawn.withFlux(10 ** (-0.4 * self.magnorm(i)) * AREA * EXPOSURE)

    def object(self, i: int) -> galsim.ChromaticObject:
        """The object as it is drawn."""
        return self.light(i) * self.sed(i)
