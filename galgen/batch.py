"""`GalaxyBatch`: what generation hands to the catalogue, and all that the two share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import numpy as np

from galgen.categories import DEFAULT, Taxonomy
from galgen.columns import FitsColumn
from galgen.errors import InvalidValueError

# The columns of a catalogue that identify a galaxy, in front of those that are measured ...
IDENTITY = ("GALAXY_ID", "SEED", "CATEGORY", "CATEGORY_NAME")
# ... and, last, one that may fill the rows up.
SPARE = "SPARE"


@dataclass(frozen=True)
class GalaxyBatch:
    """Consecutive galaxies of one run. Shapes are checked once, here.

    Attributes
    ----------
    galaxy_id_n : ndarray (N,) int64
        Index of each galaxy in the run, consecutive and rising.
    category_n : ndarray (N,) int16
        Category codes asked for, of the run's tree.
    stamps_nbhw : ndarray (N, B, H, W) float32
        Flux per pixel, bluest band first. Big-endian where made on a GPU: the bytes of a FITS file.
    measured : mapping of str to ndarray (N,) float32
        Columns of `galgen.measure.measured_columns`.
    bands : tuple of str
        Band names.
    seed : int
        Seed of the run; (seed, galaxy_id) identifies a galaxy.
    stamp_sums_nb : ndarray (N, B) uint32, optional
        FITS checksum (``DATASUM``) of each stamp of each band, of big-endian stamps.
    carried : mapping of str to ndarray (N, ...)
        Columns carried over from an input table, as FITS holds them (`RunInfo.carried`).
    """

    galaxy_id_n: np.ndarray
    category_n: np.ndarray
    stamps_nbhw: np.ndarray
    measured: Mapping[str, np.ndarray]
    bands: tuple[str, ...]
    seed: int
    stamp_sums_nb: np.ndarray | None = None
    carried: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.galaxy_id_n)
        shape = self.stamps_nbhw.shape
        if len(shape) != 4 or shape[:2] != (n, len(self.bands)):
            allowed = f"({n}, {len(self.bands)}, height, width)"
            raise InvalidValueError("stamps shape", shape, allowed)
        for name, column in {"category": self.category_n, **self.measured}.items():
            if column.shape != (n,):
                raise InvalidValueError(f"{name} shape", column.shape, f"({n},)")
        for name, column in self.carried.items():
            if column.shape[:1] != (n,):
                raise InvalidValueError(f"{name} shape", column.shape, f"({n}, ...)")
        sums_nb = self.stamp_sums_nb
        if sums_nb is not None and self.stamps_nbhw.dtype != np.dtype(">f4"):
            dtype = str(self.stamps_nbhw.dtype)
            raise InvalidValueError("dtype of stamps with sums", dtype, "big-endian float32")
        if sums_nb is not None and (sums_nb.shape != shape[:2] or sums_nb.dtype != np.uint32):
            given = f"{sums_nb.dtype} {sums_nb.shape}"
            raise InvalidValueError("stamp sums", given, f"uint32 {shape[:2]}")

    def __len__(self) -> int:
        return len(self.galaxy_id_n)

    def part(self, start: int, stop: int) -> GalaxyBatch:
        """The galaxies `start` to before `stop` of the run, all of which are in the batch."""
        first = int(self.galaxy_id_n[0])
        rows = slice(start - first, stop - first)
        sums_nb = self.stamp_sums_nb
        return replace(
            self,
            galaxy_id_n=self.galaxy_id_n[rows],
            category_n=self.category_n[rows],
            stamps_nbhw=self.stamps_nbhw[rows],
            measured={name: column[rows] for name, column in self.measured.items()},
            stamp_sums_nb=None if sums_nb is None else sums_nb[rows],
            carried={name: column[rows] for name, column in self.carried.items()},
        )


@dataclass(frozen=True)
class RunInfo:
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
    psf, noise : str or None
        FWHM in arcsec, and standard deviation per pixel, of each band: numbers with commas.
    hook : str or None
        Name of the user's function that had a hand in the pixels.
    like, like_sha256, like_rows : str, str, int, or None
        Name, digest and length of the table that galaxies were made after.
    carried : tuple of FitsColumn
        Columns carried over from it, under the names they have here.
    stamps : str
        How they are stored: 'float32', 'int16' or 'none'.
    scaling : tuple of (scale, zero)
        Of each band where stamps are int16: flux is ``zero + scale * number``.
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
    psf: str | None = None
    noise: str | None = None
    hook: str | None = None
    like: str | None = None
    like_sha256: str | None = None
    like_rows: int | None = None
    carried: tuple[FitsColumn, ...] = ()
    stamps: str = "float32"
    scaling: tuple[tuple[float, float], ...] = ()
    tree: Taxonomy = DEFAULT

    @property
    def has_truth(self) -> bool:
        """Whether each galaxy has ``TRUE_FLUX_<band>``, its flux before PSF, hook and noise."""
        return self.flux_source == "INPUT" or bool(self.psf or self.noise or self.hook)

    def to_json(self) -> dict[str, Any]:
        """As JSON has it: texts, numbers, lists."""
        return json.loads(json.dumps(asdict(self) | {"tree": self.tree.to_json()}))

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Of what `to_json` returned.

        Raises
        ------
        TypeError, KeyError
            If a field is missing or unknown.
        """
        carried = tuple(FitsColumn(**_all_tuples(column)) for column in fields["carried"])
        tree = Taxonomy.from_json(fields["tree"]) if "tree" in fields else DEFAULT
        return cls(**_all_tuples(fields) | {"carried": carried, "tree": tree})


def _all_tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Lists as tuples, which JSON does not have."""

    def with_tuples(value: Any) -> Any:
        return tuple(map(with_tuples, value)) if isinstance(value, list) else value

    return {name: with_tuples(value) for name, value in fields.items()}
