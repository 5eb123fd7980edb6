"""How fast this machine makes galaxies, and which part of the work bounds it."""

from __future__ import annotations

import itertools
import math
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch

from galgen.batch import GalaxyBatch
from galgen.catalog import CatalogWriter
from galgen.catalog.format.layout import plan
from galgen.generate import Run
from galgen.runinfo import RunInfo
from galgen.system.files import check_folder

MILLION = 1_000_000
_NAME = "bench.fits"
_WRITTEN_BYTES = 1 << 28  # enough to be more than the start of a file


@dataclass(frozen=True)
class Pace:
    """How fast a run is on this machine.

    Attributes
    ----------
    galaxies : int
        How many were timed.
    galaxies_per_second : float
        From a request to bytes on disk, once all is ready.
    start_seconds : float
        What making the first micro-batches took, which compiles and records what later ones use.
    parts : dict of str to float
        Galaxies per second of drawing what is asked, of the network, of measuring and of writing,
        each as if it were all there is to do.
    written_bytes_per_second : float
        Of writing alone, checksums and the disk's confirmation included.
    million_bytes : int
        The catalogue of a million galaxies, exactly.
    """

    galaxies: int
    galaxies_per_second: float
    start_seconds: float
    parts: dict[str, float]
    written_bytes_per_second: float
    million_bytes: int

    @property
    def million_seconds(self) -> float:
        """What a million galaxies take at this rate."""
        return MILLION / self.galaxies_per_second

    @property
    def bound_by(self) -> str:
        """The slowest part."""
        return min(self.parts, key=self.parts.__getitem__)


def measure_pace(run: Run, folder: Path, seconds: float = 20.0) -> Pace:
    """Make galaxies for a while, write them, and remove them again.

    Parameters
    ----------
    run : Run
        What is made: as many galaxies of it as are needed, whatever their number is.
    folder : Path
        Where they are written for the time being; its disk is what is timed.
    seconds : float
        About how long galaxies are timed for: whole micro-batches, at least one per core.

    Raises
    ------
    OutputError
        If the folder cannot be written to, or its disk has no room.
    """
    check_folder(folder / _NAME)
    at_once = run.lanes * run.info.micro_batch
    start = perf_counter()
    batches = list(run.batches([(0, at_once)]))
    start_seconds = perf_counter() - start
    watch = _Stopwatch(run.device)
    timed = run.timed(watch)
    start = perf_counter()
    for _ in timed.batches([(0, at_once)]):
        pass
    rounds = max(1, round(seconds / (perf_counter() - start)))
    n, million_bytes = rounds * at_once, _size(run.info, MILLION)
    enough = at_once * math.ceil(_WRITTEN_BYTES * MILLION / (million_bytes * at_once))
    with TemporaryDirectory(prefix=".galgen-bench-", dir=folder) as temporary:
        out = Path(temporary) / _NAME
        took = _write(out, run.info, n, run.batches([(0, n)]))
        wrote = _write(out, run.info, enough, _again(batches, enough))
    parts = {name: timed.lanes * at_once / spent for name, spent in watch.seconds.items()}
    return Pace(
        n,
        n / took,
        start_seconds,
        parts | {"writing": enough / wrote},
        _size(run.info, enough) / wrote,
        million_bytes,
    )


class _Stopwatch:
    """Adds up the seconds of parts of the work, of all threads."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._lock = device, threading.Lock()
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        start = perf_counter()
        yield
        if self._device.type == "cuda":  # what was launched is part of it
            torch.cuda.synchronize(self._device)
        with self._lock:
            self.seconds[part] += perf_counter() - start


def _write(out: Path, info: RunInfo, n: int, batches: Iterable[GalaxyBatch]) -> float:
    """Write galaxies to a catalogue of n; the seconds from the first to the last byte."""
    start = perf_counter()
    with CatalogWriter(out, replace(info, n=n), overwrite=True) as writer:
        for batch in batches:
            writer.write(batch)
    return perf_counter() - start


def _again(batches: list[GalaxyBatch], n: int) -> Iterator[GalaxyBatch]:
    """Repeat batches under other numbers until there are n galaxies."""
    first = 0
    for batch in itertools.cycle(batches):
        if first >= n:
            return
        yield replace(batch, galaxy_id_n=np.arange(first, first + len(batch)))
        first += len(batch)


def _size(info: RunInfo, n: int) -> int:
    """Return the bytes of a catalogue of n galaxies."""
    return plan(replace(info, n=n)).total_bytes
