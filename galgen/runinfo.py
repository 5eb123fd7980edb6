"""`RunInfo`: what a run's bytes depend on, and what its numbers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from galgen.categories import DEFAULT, Taxonomy
from galgen.columns import Column
from galgen.settings import JsonConfig, as_tuples


@dataclass(frozen=True)
class RunInfo(JsonConfig):
    """Provenance of a run: everything its bytes depend on, and what its numbers mean.

    Attributes
    ----------
    n : int
        Galaxies asked for.
    seed : int
        Seed of the run.
    bands : tuple of str
        Bluest first.
    height, width : int
        Stamp shape in pixels.
    request : str
        Categories and properties asked for, as the user wrote them.
    flux_unit : str
        FITS unit of fluxes; 'adu' where they are not calibrated.
    flux_calibration : str
        'LINEAR', or 'RGBINV' where flux was recovered from colour images.
    lupton : str or None
        Display stretch between flux and the training images, where there is one.
    zero_point : float or None
        AB magnitude of one flux unit, None if not calibrated.
    pixel_scale : float or None
        Arcsec per pixel, None where stamps have no common scale.
    model, model_version, weights_sha256 : str
        Which weights.
    sampler, steps, guidance, micro_batch, dtype : str, int, float, int, str
        How they were sampled.
    kernels, device : str
        What computed the network ('reference', 'triton', either with '+compiled') on which kind of
        device ('cpu', 'NVIDIA H100 ...').
    training_set, credit : str
        What the weights learned from and whom to credit.
    versions : mapping of str to str
        Versions of the packages that computed the numbers.
    date : str or None
        Written as ``DATE``, ISO 8601 in UTC. None by default: bytes do not depend on the time.
    per_file : int or None
        Galaxies in each file of a catalogue of several files.
    flux_source : str or None
        Where the flux scale comes from if not from the weights: 'MAGZERO' or 'INPUT' (see
        `galgen.pixels.units.FluxScale`).
    mag_zero : float or None
        AB magnitude that the user gave, of one count or of one unit of the weights.
    stamp_psf : float or None
        FWHM in arcsec of the PSF that stamps come with: 0 where they come without any, None where
        it is that of training images.
    psf, noise : str or None
        FWHM in arcsec, and standard deviation per pixel, of each band: numbers with commas.
    hook : str or None
        Name of the user's function that had a hand in the pixels.
    like, like_sha256, like_rows : str, str, int, or None
        Name, digest and length of the table that galaxies were made after.
    carried : tuple of Column
        Columns carried over from it, under the names they have here; without a table, of redshift
        where the weights have it.
    stamps : str
        How they are stored: 'float32', 'int16' or 'none'.
    scaling : tuple of (scale, zero)
        One for each band where stamps are int16: flux is ``zero + scale * number``.
    tree : Taxonomy
        Categories of the weights, whose codes are in catalogues.
    """

    n: int
    seed: int
    bands: tuple[str, ...]
    height: int
    width: int
    request: str
    flux_unit: str
    flux_calibration: str
    lupton: str | None
    zero_point: float | None
    pixel_scale: float | None
    model: str
    model_version: str
    weights_sha256: str
    sampler: str
    steps: int
    guidance: float
    micro_batch: int
    dtype: str
    kernels: str
    device: str
    training_set: str
    credit: str
    versions: Mapping[str, str] = field(default_factory=dict)
    date: str | None = None
    per_file: int | None = None

    flux_source: str | None = None
    mag_zero: float | None = None
    stamp_psf: float | None = None
    psf: str | None = None
    noise: str | None = None
    hook: str | None = None
    like: str | None = None
    like_sha256: str | None = None
    like_rows: int | None = None
    carried: tuple[Column, ...] = ()
    stamps: str = "float32"
    scaling: tuple[tuple[float, float], ...] = ()
    tree: Taxonomy = DEFAULT

    @property
    def has_truth(self) -> bool:
        """Whether each galaxy has ``TRUE_FLUX_<band>``, its flux before PSF, hook and noise."""
        return self.flux_source == "INPUT" or bool(self.psf or self.noise or self.hook)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Make one of what `to_json` returned.

        Raises
        ------
        InvalidValueError
            See `galgen.settings.JsonConfig.from_json`.
        TypeError, KeyError
            If it is no mapping, or says of columns that are carried over what none can be.
        """
        carried = tuple(Column(**as_tuples(column)) for column in data["carried"])
        # Ledgers from before there were other trees have none.
        tree = Taxonomy.from_json(data["tree"]) if "tree" in data else DEFAULT
        return super().from_json({**data, "carried": carried, "tree": tree})
