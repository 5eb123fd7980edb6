"""Properties of training galaxies: measured on every core, once, and kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from galgen.data import StampSet
from galgen.errors import InterruptedRunError
from galgen.measure import properties, property_names
from galgen.system.lanes import in_lanes
from galgen.training.cache import MeasurementCache

_CHUNK = 256  # stamps measured at a time on one core
_SAVE_SECONDS = 20.0  # between writing what is measured to the cache


def measured_properties(
    stamps: StampSet,
    names: Sequence[str],
    *,
    folders: Iterable[Path] = (),
    report: Callable[[int, int], None] = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> np.ndarray:
    """Properties of real stamps, measured unless a cache has them.

    Parameters
    ----------
    stamps : StampSet
        N galaxies.
    names : sequence of str
        The P properties: of `galgen.measure.property_names`, or else columns of `stamps`.
    folders : iterable of Path
        Where measurements are kept, see `MeasurementCache`; none by default.
    report : callable
        Given how many galaxies have been measured, and of how many, from time to time.
    stop : callable
        Asked between chunks whether to stop.

    Returns
    -------
    ndarray (N, P) float64
        NaN where not measured or not in the data. The same to the bit on any number of cores, and
        from the cache.

    Raises
    ------
    InterruptedRunError
        If `stop` said so; what had been measured is kept.
    InvalidValueError
        If the flux cannot be had from the pixels.
    """
    measured = property_names(stamps.bands)
    found = _measured(stamps, MeasurementCache(folders, stamps), report, stop)
    table = np.full((len(stamps), len(names)), np.nan)
    for column, name in enumerate(names):
        # Another survey's half-light radius is not the one that is measured here.
        if name in measured:
            table[:, column] = found[:, measured.index(name)]
        elif name in stamps.columns:
            table[:, column] = stamps.columns[name]
    return table


def _measured(
    stamps: StampSet,
    cache: MeasurementCache,
    report: Callable[[int, int], None],
    stop: Callable[[], bool],
) -> np.ndarray:
    """Return all that is measured, (N, M) float32; each galaxy depends on its own pixels only."""
    n, width = len(stamps), len(property_names(stamps.bands))
    digests = cache.digests(stamps)
    known = cache.read(width)
    table = np.full((n, width), np.nan, np.float32)
    missing = []
    for row, digest in enumerate(digests):
        if digest in known:
            table[row] = known[digest]
        else:
            missing.append(row)
    rows = np.array(missing, dtype=np.intp)
    chunks = [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]

    def measure_chunk(index: np.ndarray) -> np.ndarray:
        columns = properties(stamps.flux(index), stamps.bands)
        return torch.stack([columns[name] for name in property_names(stamps.bands)], 1).numpy()

    done, saved, last = n - len(rows), 0, time.monotonic()
    fresh: dict[bytes, np.ndarray] = {}
    results = in_lanes(measure_chunk, chunks, torch.get_num_threads())
    try:
        for index, values in zip(chunks, results, strict=True):
            table[index] = values
            fresh.update((digests[row], table[row]) for row in index)
            done += len(index)
            report(done, n)
            if time.monotonic() - last > _SAVE_SECONDS:
                cache.add(fresh, width)
                saved, last = len(fresh), time.monotonic()
            if done < n and stop():
                raise InterruptedRunError(
                    f"Out of time: {done:,} of {n:,} galaxies have been measured, and are kept; "
                    "nothing has been trained. Allow more time, or run the same command again."
                )
    finally:
        results.close()
        if len(fresh) > saved:
            cache.add(fresh, width)
    return table
