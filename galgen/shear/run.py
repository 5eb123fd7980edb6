"""Test how well a shear is measured of galaxies: the receipt of a set of weights."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import galsim
import numpy as np

from galgen.data import StampSet
from galgen.errors import InvalidValueError, WorkerLostError
from galgen.galsim.galaxies import Galaxies
from galgen.galsim.profile import profile
from galgen.measure.clean import CleanStamp
from galgen.produce.pool import check_workers, local_pool
from galgen.shear.design import Design
from galgen.shear.report import Receipt, results_of
from galgen.shear.ring import Ring
from galgen.shear.samples import Sample, generated, real
from galgen.shear.sersic import sersic_like

_BETA = 3.5  # of the Moffat PSFs
_AHEAD = 8  # galaxies that are waiting for each process


def shear_test(
    galaxies: Galaxies,
    reference: StampSet | str | Path | Sequence[str | Path] | None = None,
    design: Design | None = None,
    *,
    n: int | None = None,
    category: str | None = None,
    band: str | None = None,
    unseen: bool = False,
    seed: int = 0,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Receipt:
    """Measure the bias of a known shear on galaxies, and on Sersic profiles in their place.

    Every galaxy is drawn with a known shear and its opposite, through several PSFs, at several
    noise levels, in a ring of angles (`Design`); its twin, a Sersic profile of the same flux, size,
    concentration and shape, with the same noise. The shear is measured of both, by
    re-Gaussianization and by metacalibration. All have one flux and one half-light radius: what
    differs is their morphology.

    Parameters
    ----------
    galaxies : GalgenCatalog or GalgenModel
        Generated galaxies.
    reference : StampSet, path or several paths, optional
        Real galaxies to be tested beside them (see `galgen.evaluation.evaluate`).
    design : Design, optional
        What is drawn.
    n : int, optional
        How many of either, evenly spaced; by default all.
    category : str, optional
        Only galaxies of a category or of those of a mixture.
    band : str, optional
        By default the middle one.
    unseen : bool
        Of the reference only the galaxies that ``galgen train`` holds out of the same files.
    seed : int
        Of the noise and the bootstrap.
    workers : int
        Processes that measure. The receipt does not depend on it.
    progress : callable, optional
        Called with the number of galaxies measured so far, and of those that will be.

    Returns
    -------
    Receipt
        With `table()` for people and `to_json()` for machines.

    Raises
    ------
    DataError
        If the reference cannot be read or compared.
    UnknownCategoryError, InvalidValueError
        If a value is out of range, or there are fewer than 3 galaxies.
    WorkerLostError
        If a process dies.

    Examples
    --------
    >>> from galgen.galsim import GalgenCatalog
    >>> from galgen.shear import shear_test
    >>> receipt = shear_test(GalgenCatalog("spirals.fits"))  # doctest: +SKIP
    >>> print(receipt.table())  # doctest: +SKIP
    """
    design = design or Design()
    if seed < 0:
        raise InvalidValueError("seed", seed, "0 or more")
    check_workers(workers)
    bands = galaxies.bands
    band = bands[len(bands) // 2] if band is None else band
    if band not in bands:
        raise InvalidValueError("band", band, ", ".join(bands))
    samples = [generated(galaxies, n, category)]
    if reference is not None:
        samples.append(real(reference, galaxies.info, n, category, unseen))
    found, done, total = {}, 0, sum(sample.n for sample in samples)
    for sample in samples:
        measured = []
        for one in _measured(sample, design, band, seed, workers):
            done += 1
            if one is not None:
                measured.append(one)
            if progress is not None:
                progress(done, total)
        found[sample.name] = np.stack(measured) if measured else None
    return Receipt(
        design=design,
        band=band,
        seed=seed,
        samples={sample.name: dict(sample.about) | {"n": sample.n} for sample in samples},
        results=tuple(results_of(found, design, seed)),
        versions={name: importlib.metadata.version(name) for name in ("galsim", "numpy")},
    )


@dataclass(frozen=True)
class _Measurer:
    """Measures one galaxy and its twin, in this process or another."""

    design: Design
    bands: tuple[str, ...]
    band: str
    seed: int

    def __call__(self, numbered: tuple[int, CleanStamp | None]) -> np.ndarray | None:
        """Return (PSFs, profiles, noise levels, methods, 3, 2), None of a galaxy that is unseen."""
        number, stamp = numbered
        if stamp is None:
            return None
        radius = self.design.half_light_radius
        flux_hw = stamp.flux_bhw[self.bands.index(self.band)]
        galaxy = profile(
            stamp, self.bands, None, band=self.band, flux=1.0, half_light_radius=radius
        )
        twin = sersic_like(stamp, flux_hw, radius)
        rings = enumerate(_rings(self.design))
        rngs = ((ring, np.random.default_rng((self.seed, number, i))) for i, ring in rings)
        return np.stack([ring.measure([galaxy, twin], rng) for ring, rng in rngs])


@cache
def _rings(design: Design) -> tuple[Ring, ...]:
    """Make the ring of each PSF, once in a process."""
    psfs = (galsim.Moffat(_BETA, fwhm=fwhm).shear(g1=design.psf_shear) for fwhm in design.psf_fwhm)
    return tuple(Ring(design, psf) for psf in psfs)


def _measured(
    sample: Sample, design: Design, band: str, seed: int, workers: int
) -> Iterator[np.ndarray | None]:
    """Measure the galaxies of a sample in their order."""
    measure = _Measurer(design, sample.bands, band, seed)
    numbered = enumerate(sample.stamps)
    if workers == 1:
        yield from map(measure, numbered)
        return
    with local_pool(workers, "cpu") as (pool, _):
        try:
            while some := list(islice(numbered, _AHEAD * workers)):
                yield from pool.map(measure, some)
        except BrokenProcessPool as error:
            raise WorkerLostError(f"a process that measured shapes has died: {error}") from error
