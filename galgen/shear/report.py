"""What a test of shear found, as JSON and as a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from galgen.settings import json_types
from galgen.shear.bias import Bias, measure_bias
from galgen.shear.design import Design
from galgen.shear.ring import METHODS

FORMAT = 1
REQUIREMENT = 2e-3  # on m, of Euclid (Cropper et al. 2013; arXiv:2409.07528)
GALAXY, SERSIC, CHANGE = "galaxy", "sersic", "galaxy - sersic"
PROFILES = (GALAXY, SERSIC, CHANGE)
METHOD_NAMES = {"regauss": "re-Gaussianization", "metacal": "metacalibration"}


@dataclass(frozen=True)
class Result:
    """Bias of one sample of galaxies, measured one way.

    Attributes
    ----------
    psf_fwhm, snr : float
        Of the images; see `Design`.
    method : {"regauss", "metacal"}
        How shapes were measured.
    sample : {"generated", "real", "generated - real"}
        Whose galaxies.
    profile : {"galaxy", "sersic", "galaxy - sersic"}
        The galaxies themselves, the Sersic profiles in their place, or how much they differ.
    n, failed : int
        Galaxies that count, and those that do not: one of the images of the galaxy or of its twin
        could not be measured. Galaxies that cannot be seen in their stamps are neither.
    bias : Bias
        What was found.
    """

    psf_fwhm: float
    snr: float
    method: str
    sample: str
    profile: str
    n: int
    failed: int
    bias: Bias

    @property
    def setting(self) -> tuple[float, float, str]:
        """PSF, noise and method."""
        return self.psf_fwhm, self.snr, self.method


def results_of(
    found: Mapping[str, np.ndarray | None], design: Design, seed: int
) -> Iterator[Result]:
    """Find the biases of all samples, setting by setting.

    Parameters
    ----------
    found : mapping of str to ndarray (N, PSFs, 2, noise levels, methods, 3, 2)
        Measured shapes of each sample's galaxies and their twins; None of no galaxy.
    design : Design
        What was drawn.
    seed : int
        Of the bootstrap.
    """
    for i, psf_fwhm in enumerate(design.psf_fwhm):
        for j, snr in enumerate(design.snr):
            for k, method in enumerate(METHODS):
                setting = psf_fwhm, snr, method
                rng = np.random.default_rng((seed, i, j, k))
                here = {}
                for sample, every in found.items():
                    measured = np.empty((0, 2, 3, 2)) if every is None else every[:, i, :, j, k]
                    good = np.isfinite(measured).all((1, 2, 3))
                    counts = int(good.sum()), int((~good).sum())
                    biases = measure_bias(measured[good], design.shear, rng)
                    here[sample] = [
                        Result(*setting, sample, profile, *counts, bias)
                        for profile, bias in zip(PROFILES, biases, strict=True)
                    ]
                    yield from here[sample]
                if len(here) == 2:
                    for a, b in zip(*here.values(), strict=True):
                        n, failed = a.n + b.n, a.failed + b.failed
                        sample = f"{a.sample} - {b.sample}"
                        yield Result(*setting, sample, a.profile, n, failed, a.bias - b.bias)


@dataclass(frozen=True)
class Receipt:
    """Bias of the shear of generated and real galaxies; see `galgen.shear.shear_test`.

    Attributes
    ----------
    design : Design
        What was drawn.
    band : str
        Which band.
    seed : int
        Of the noise and the bootstrap.
    samples : mapping of str to mapping
        Provenance of each sample, and the number of its galaxies.
    results : tuple of Result
        By PSF, noise level, method, sample and profile, in this order.
    versions : mapping of str to str
        Versions of the packages that measured.
    """

    design: Design
    band: str
    seed: int
    samples: Mapping[str, Mapping[str, object]]
    results: tuple[Result, ...]
    versions: Mapping[str, str]

    def to_json(self) -> dict[str, object]:
        """Everything as JSON types; NaN is None, and so is the S/N of no noise."""
        everything = {"format": FORMAT, **asdict(self)}
        everything["results"] = [
            {name: value for name, value in result.items() if name != "bias"} | result["bias"]
            for result in everything["results"]
        ]
        return {name: json_types(value) for name, value in everything.items()}

    def table(self) -> str:
        """Biases in units of a thousandth, setting by setting, as aligned text."""
        heads = ("", "", "n", "failed", "1000 m1", "1000 m2", "1000 c1", "1000 c2")
        lines = []
        setting = None
        for result in self.results:
            if result.setting != setting:
                setting = result.setting
                noise = "no noise" if math.isinf(result.snr) else f"S/N {result.snr:g}"
                name = METHOD_NAMES[result.method]
                lines += ["", f'PSF {result.psf_fwhm:g}", {noise}, {name}', _line(*heads)]
            bias = result.bias
            pairs = (
                *zip(bias.m, bias.m_error, strict=True),
                *zip(bias.c, bias.c_error, strict=True),
            )
            counts = str(result.n), str(result.failed)
            cells = (_number(value, error) for value, error in pairs)
            lines.append(_line(result.sample, result.profile, *counts, *cells))
        return "\n".join([*lines[1:], "", *self._notes()]) + "\n"

    def _notes(self) -> list[str]:
        """Lines below the table."""
        return [
            f"All galaxies have one flux and a half-light radius of "
            f'{self.design.half_light_radius:g}"; sheared by ±{self.design.shear:g}.',
            f"Euclid requires m to be known to {1000 * REQUIREMENT:g} thousandths.",
        ]


def _line(sample: str, profile: str, n: str, failed: str, *cells: str) -> str:
    """Return a line of the table."""
    numbers = "".join(cell.rjust(17) for cell in cells)
    return f"{sample:17}{profile:16}{n:>6}{failed:>8}{numbers}".rstrip()


def _number(value: float, error: float) -> str:
    """Return a bias and its error, in thousandths."""
    return f"{1000 * value:.2f} ± {1000 * error:.2f}" if math.isfinite(value) else "-"
