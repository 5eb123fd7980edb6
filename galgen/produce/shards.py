"""A catalogue made by many processes: shards given to whatever can call functions elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

from galgen.catalog import CatalogWriter
from galgen.catalog.write.galaxies import GalaxyWriter
from galgen.catalog.write.ledger import Ledger
from galgen.catalog.write.opening import refuse_other
from galgen.errors import InterruptedRunError, OutputError, UnfinishedError, WorkerLostError
from galgen.generate import Run
from galgen.produce.recipe import Recipe
from galgen.produce.run import Progress, Ranges, Say, count, finished_before, pieces, report, within
from galgen.produce.worker import THIS_PROCESS
from galgen.runinfo import RunInfo
from galgen.system.files import refuse_inputs

# Enough shards for every worker to be busy to the end, of few enough galaxies to lose one.
_SHARDS_PER_WORKER = 8
_MAX_MICRO_BATCHES = 16
_MAX_SHARDS = 4096
_POLL_S = 0.2


def produce_on(
    executor: Executor,
    workers: int,
    recipe: Recipe,
    path: Path,
    *,
    overwrite: bool = False,
    resume: bool = False,
    stop: Callable[[], bool] = lambda: False,
    tell: Callable[[], None] = lambda: None,
    progress: Progress = lambda done, total: None,
    say: Say = lambda text: None,
) -> None:
    """Make a catalogue with other processes, which see the same folder under the same name.

    Parameters
    ----------
    executor : Executor
        Calls functions in those processes: a pool of this machine, or Dask's.
    workers : int
        How many processes there are, about.
    recipe, path, overwrite, resume, progress, say
        See `galgen.produce.run.produce`.
    stop : callable
        Asked now and then whether to stop; shards that have begun are finished.
    tell : callable
        Called then: tells processes to end with the micro-batch in hand.

    Raises
    ------
    WorkerLostError
        If a process has died whose shards nobody else makes.
    InterruptedRunError
        If stopped before the end; what was made is recorded.
    OutputError
        If a worker does not see the folder.
    InvalidValueError
        If a worker's kind of device, or galgen, is not that of the first one; and what
        `galgen.produce.run.produce` raises.
    """
    recipe.check()
    refuse_inputs(path, recipe.inputs)
    text = json.dumps(recipe.to_json())
    # What the run depends on is found out where it runs: there may be no GPU here.
    described, said = executor.submit(info_of, text).result()
    info = RunInfo.from_json(described)
    say(said)
    if resume and finished_before(path, info):
        progress(info.n, info.n)
        return
    with CatalogWriter(
        path, info, overwrite=overwrite, resume=resume, recipe=recipe.to_json()
    ) as writer:
        report(writer)
        done = info.n - count(writer.missing)
        progress(done, info.n)
        where = str(path.absolute())
        shards = cut(writer.missing, info, workers)
        waiting = {executor.submit(make_shard, text, where, *shard) for shard in shards}
        try:
            for made in results(waiting, stop, tell):
                done += made
                progress(done, info.n)
        except BrokenExecutor as error:
            tell()
            if stop():  # who asked this process to stop may have asked its workers, too
                raise InterruptedRunError(f"stopped after {done} of {info.n} galaxies.") from None
            raise WorkerLostError(
                f"a worker process has died ({error}). Was it killed for its memory?"
            ) from error
        finally:
            for future in waiting:
                future.cancel()
        if done < info.n:
            raise InterruptedRunError(f"stopped after {done} of {info.n} galaxies.")


def results(
    waiting: set[Future[int]], stop: Callable[[], bool], tell: Callable[[], None]
) -> Iterator[int]:
    """Yield results as they come; once asked to stop, of what has begun only.

    Parameters
    ----------
    waiting : set of Future
        What is being made; those that are over are taken out.
    stop, tell : callable
        See `produce_on`.
    """
    cancelled = False
    while waiting:
        over, _ = wait(waiting, _POLL_S, FIRST_COMPLETED)
        waiting -= over
        yield from (future.result() for future in over if not future.cancelled())
        if stop() and not cancelled:
            cancelled = True
            tell()
            for future in waiting:
                future.cancel()


def cut(missing: Ranges, info: RunInfo, workers: int) -> list[tuple[int, int]]:
    """Cut missing galaxies into shards of whole micro-batches: first galaxy, and after the last."""
    size, left = info.micro_batch, count(missing)
    batches = min(_MAX_MICRO_BATCHES, left // (size * workers * _SHARDS_PER_WORKER))
    size *= max(1, batches, left // (size * _MAX_SHARDS))
    return list(pieces(missing, size, lambda: False))


def info_of(recipe: str) -> tuple[dict[str, Any], str]:
    """Describe a run as JSON has it, and say how it is understood, in a process that makes it."""
    run = _run(recipe)
    return run.info.to_json(), run.request.explain()


def make_shard(recipe: str, path: str, first: int, last: int) -> int:
    """Make those galaxies of a shard that are not recorded.

    Parameters
    ----------
    recipe : str
        JSON of `Recipe.to_json`.
    path : str
        The catalogue, whose ledger is there.
    first, last : int
        The first galaxy of the shard, and the one after the last.

    Returns
    -------
    int
        How many galaxies of the shard are there, before the process was asked to stop.

    Raises
    ------
    OutputError
        If this process does not see the folder.
    InvalidValueError
        If the ledger is of another run.
    """
    run = _run(recipe)
    try:
        ledger = Ledger(Path(path))
    except UnfinishedError:
        raise OutputError(
            f"{path}.part is not there for a worker: all need to see the folder of the output, "
            "under the same name."
        ) from None
    refuse_other(ledger, run.info)
    galaxies = GalaxyWriter(ledger, (first, last))
    with THIS_PROCESS.at_work(), closing(galaxies) as writer:
        missing = within(writer.missing, first, last)
        made = last - first - count(missing)
        cut_up = pieces(missing, run.info.micro_batch, THIS_PROCESS.asked_to_stop)
        for batch in run.batches(cut_up):
            writer.write(batch)
            made += len(batch)
    return made


@lru_cache(maxsize=1)
def _run(recipe: str) -> Run:
    """Return the run, whose weights a process loads once."""
    return Recipe.from_json(json.loads(recipe)).run()
