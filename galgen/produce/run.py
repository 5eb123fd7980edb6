"""Galaxies into a catalogue: the run loop, in this process or as one of a job array."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from galgen.catalog import CatalogWriter, finish, is_finished
from galgen.catalog.write.folder import part_folder
from galgen.catalog.write.ledger import Ledger
from galgen.errors import InterruptedRunError, InvalidValueError, UnfinishedError
from galgen.generate import Run
from galgen.produce.recipe import Recipe
from galgen.runinfo import RunInfo
from galgen.system.files import refuse_inputs

Ranges = Iterable[tuple[int, int]]
Progress = Callable[[int, int], None]
Say = Callable[[str], None]
_log = logging.getLogger("galgen")


def produce(
    recipe: Recipe,
    path: Path,
    *,
    overwrite: bool = False,
    resume: bool = False,
    stop: Callable[[], bool] = lambda: False,
    progress: Progress = lambda done, total: None,
    say: Say = lambda text: None,
) -> None:
    """Make a catalogue in this process.

    Parameters
    ----------
    recipe : Recipe
        What to make.
    path : Path
        The output.
    overwrite, resume : bool
        See `galgen.catalog.CatalogWriter`.
    stop : callable
        Asked before each micro-batch whether to stop; those that have begun are finished.
    progress : callable
        Called with the galaxies that are there and that there will be, at the beginning and after
        each micro-batch.
    say : callable
        Called with how the request is understood, if that needs saying.

    Raises
    ------
    InterruptedRunError
        If stopped before the end; what was made is recorded.
    OutputError, InvalidValueError, LedgerError
        See `galgen.catalog.CatalogWriter`.
    NonFiniteOutputError, ImplausibleOutputError
        If the network returns NaN or infinity, or pixels that no galaxy has.
    """
    run = _begun(recipe, path, say)
    if resume and finished_before(path, run.info):
        progress(run.info.n, run.info.n)
        return
    with CatalogWriter(
        path, run.info, overwrite=overwrite, resume=resume, recipe=recipe.to_json()
    ) as writer:
        report(writer)
        done = run.info.n - count(writer.missing)
        progress(done, run.info.n)
        for batch in run.batches(pieces(writer.missing, run.info.micro_batch, stop)):
            writer.write(batch)
            done += len(batch)
            progress(done, run.info.n)
        if done < run.info.n:
            raise InterruptedRunError(f"stopped after {done} of {run.info.n} galaxies.")


def produce_job(
    recipe: Recipe,
    path: Path,
    job: int,
    jobs: int,
    *,
    stop: Callable[[], bool] = lambda: False,
    progress: Progress = lambda done, total: None,
    say: Say = lambda text: None,
) -> tuple[int, int]:
    """Make one of `jobs` equal parts of a catalogue, which `galgen.catalog.finish` finishes.

    Jobs may run at the same time, on machines that share the folder, or again.

    Parameters
    ----------
    recipe, path, stop, progress, say
        See `produce`.
    job, jobs : int
        Which part, from 0, and of how many.

    Returns
    -------
    tuple of int
        The first galaxy of the part, and the one after the last.

    Raises
    ------
    InvalidValueError
        If there is no such part; else see `produce`.
    """
    if jobs < 1:
        raise InvalidValueError("njobs", jobs, "1 or more")
    if not 0 <= job < jobs:
        raise InvalidValueError("job", job, f"0..{jobs - 1}")
    run = _begun(recipe, path, say)
    first, last = part(run.info, job, jobs)
    if not part_folder(path).exists() and is_finished(path, run.info):
        return first, last
    writer = CatalogWriter(
        path, run.info, shared=True, recipe=recipe.to_json(), within=(first, last)
    )
    try:
        report(writer)
        missing = within(writer.missing, first, last)
        done = last - first - count(missing)
        progress(done, last - first)
        for batch in run.batches(pieces(missing, run.info.micro_batch, stop)):
            writer.write(batch)
            done += len(batch)
            progress(done, last - first)
    finally:
        writer.close()
    if done < last - first:
        raise InterruptedRunError(
            f"stopped after {done} of {last - first} galaxies of job {job}; they are recorded. "
            "Run the job again for the others."
        )
    return first, last


def _begun(recipe: Recipe, path: Path, say: Say) -> Run:
    """Make the run of a recipe, unless its output is its input, and say how it is understood."""
    refuse_inputs(path, recipe.inputs)  # before weights are loaded, and galaxies tried for int16
    run = recipe.run()
    say(run.request.explain())
    return run


def part(info: RunInfo, job: int, jobs: int) -> tuple[int, int]:
    """Return the galaxies of a job: whole micro-batches, about as many in each.

    Parameters
    ----------
    info : RunInfo
        Description of the run.
    job, jobs : int
        Which part, from 0, and of how many.

    Returns
    -------
    tuple of int
        The first galaxy, and the one after the last.
    """
    size = info.micro_batch
    batches = -(-info.n // size)
    first, last = (min(batches * i // jobs * size, info.n) for i in (job, job + 1))
    return first, last


def finished_before(path: Path, info: RunInfo) -> bool:
    """Whether a catalogue of this run is there already; finish it if that is all it lacks."""
    if part_folder(path).exists() and not Ledger(path).differences(info):
        try:
            finish(path)
        except UnfinishedError:
            return False
        return True
    return is_finished(path, info)


def report(writer: CatalogWriter) -> None:
    """Log what is wrong with the ledger that a writer goes on with."""
    for problem in writer.problems:
        _log.warning(problem)


def count(ranges: Ranges) -> int:
    """Count the galaxies in ranges."""
    return sum(stop - start for start, stop in ranges)


def within(ranges: Ranges, first: int, last: int) -> list[tuple[int, int]]:
    """Return what of rising ranges lies from `first` to before `last`."""
    cut = ((max(start, first), min(stop, last)) for start, stop in ranges)
    return [(start, stop) for start, stop in cut if start < stop]


def pieces(ranges: Ranges, micro_batch: int, stop: Callable[[], bool]) -> Iterator[tuple[int, int]]:
    """Cut ranges where micro-batches begin.

    Parameters
    ----------
    ranges : iterable of (start, stop)
        Galaxies, rising.
    micro_batch : int
        How many galaxies go through the network together.
    stop : callable
        Asked before each piece whether it was the last.

    Yields
    ------
    tuple of int
        The first galaxy of a piece, and the one after its last.
    """
    for start, end in ranges:
        while start < end:
            if stop():
                return
            after = min(start - start % micro_batch + micro_batch, end)
            yield start, after
            start = after
