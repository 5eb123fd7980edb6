"""Where the galaxies of a test come from: generated ones, and real ones beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from galgen.data import StampSet, held_out
from galgen.errors import DataError, InvalidValueError
from galgen.evaluation.reference import describe_reference, open_reference
from galgen.galsim.galaxies import Galaxies
from galgen.measure.clean import CleanStamp, clean
from galgen.request.mixture import parse_mixture
from galgen.runinfo import RunInfo
from galgen.training.config import TrainConfig

LEAST = 3  # galaxies; of fewer there is no spread to take errors from
_CHUNK = 16  # real galaxies cleaned at a time
_PROVENANCE = ("request", "seed", "model", "model_version", "weights_sha256", "sampler", "steps")


@dataclass(frozen=True)
class Sample:
    """Galaxies of one origin.

    Attributes
    ----------
    name : str
        What they are called in the receipt.
    n : int
        How many.
    stamps : iterator of CleanStamp or None
        None where a galaxy cannot be seen in its stamp.
    bands : tuple of str
        Bluest first.
    about : mapping
        Provenance, as JSON types.
    """

    name: str
    n: int
    stamps: Iterator[CleanStamp | None]
    bands: tuple[str, ...]
    about: Mapping[str, object]


def generated(galaxies: Galaxies, n: int | None, category: str | None) -> Sample:
    """Take `n` galaxies, evenly spaced, of a category or of those of a mixture.

    Raises
    ------
    UnknownCategoryError, InvalidValueError
        If there is no such category, or there are fewer than 3 galaxies.
    """
    info = galaxies.info
    if category is None:
        row_n = galaxies.rows()
    else:
        names = [info.tree.get(code).name for code, _ in parse_mixture(category, info.tree)]
        row_n = np.unique(np.concatenate([galaxies.rows(name) for name in names]))
    row_n = row_n[_evenly(len(row_n), n)]
    about = {name: getattr(info, name) for name in _PROVENANCE}
    stamps = (galaxies.stamp(row) for row in row_n.tolist())
    return Sample("generated", len(row_n), stamps, info.bands, about)


def real(
    reference: StampSet | str | Path | Sequence[str | Path],
    info: RunInfo,
    n: int | None,
    category: str | None,
    unseen: bool,
) -> Sample:
    """Take `n` real galaxies, evenly spaced, of a category or of those of a mixture.

    Parameters
    ----------
    reference : StampSet, path or several paths
        See `galgen.evaluation.evaluate`.
    info : RunInfo
        Of the generated ones, with whose stamps those of the real ones are made to agree.
    n, category : int, str, optional
        As for `generated`.
    unseen : bool
        Only those that ``galgen train`` holds out of the same files.

    Raises
    ------
    DataError
        If the reference cannot be read or compared, or has fewer than 3 such galaxies.
    """
    stamps = open_reference(reference, info)
    chosen_n = np.ones(len(stamps), bool)
    if category is not None:
        codes = [code for code, _ in parse_mixture(category, stamps.tree)]
        below = [stamps.tree.are_below(stamps.category, code) for code in codes]
        chosen_n = np.any(below, axis=0)
    if unseen:
        chosen_n &= held_out(stamps, TrainConfig.validation)
    row_n = np.flatnonzero(chosen_n)
    if len(row_n) < LEAST:
        raise DataError(
            f"{stamps.source}: {len(row_n)} galaxies to compare with; {LEAST} or more are needed."
        )
    chosen = stamps.select(row_n[_evenly(len(row_n), n)])
    about = describe_reference(chosen)
    return Sample("real", len(chosen), _cleaned(chosen), chosen.bands, about)


def _cleaned(stamps: StampSet) -> Iterator[CleanStamp | None]:
    """Clean real galaxies, some at a time."""
    for start in range(0, len(stamps), _CHUNK):
        flux_nhwc = stamps.flux(slice(start, start + _CHUNK))
        yield from clean(flux_nhwc.movedim(-1, 1).numpy())


def _evenly(there: int, n: int | None) -> np.ndarray:
    """Return which of the galaxies that are there to take: `n` of them, evenly spaced, or all."""
    if n is not None and n < LEAST:
        raise InvalidValueError("n", n, f"{LEAST} or more")
    if there < LEAST:
        raise InvalidValueError("galaxies", there, f"{LEAST} or more")
    return np.unique(np.linspace(0, there - 1, min(there, n or there)).round().astype(int))
