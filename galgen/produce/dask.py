"""Dask workers that make galaxies, on machines that share a file system."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from typing import Any

from galgen.errors import InterruptedRunError, InvalidValueError, MissingPackageError, OutputError

_RETRIES = 3
_POLL_S = 0.2
_MOST_JOBS = 10_000


@contextmanager
def dask_workers(
    scheduler: str | None = None,
    slurm_jobs: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Executor, int]]:
    """Find or start processes for `galgen.produce.shards.produce_on`.

    The shards of a lost worker are made by others.

    Parameters
    ----------
    scheduler : str, optional
        Address of a running Dask scheduler, such as ``tcp://node1:8786``.
    slurm_jobs : int, optional
        Instead, how many Slurm jobs to start workers in; partition, cores, memory and the like come
        from dask-jobqueue's configuration (``~/.config/dask/jobqueue.yaml``).
    stop : callable
        Asked whether to stop, while there is no worker yet.

    Yields
    ------
    Executor
        Calls functions in these processes.
    int
        How many processes there are, or will be.

    Raises
    ------
    MissingPackageError
        If Dask is not installed.
    OutputError
        If the scheduler does not answer.
    InterruptedRunError
        If stopped.
    InvalidValueError
        If `slurm_jobs` is out of range, or dask-jobqueue is not configured.
    """
    if slurm_jobs is not None and not 1 <= slurm_jobs <= _MOST_JOBS:
        raise InvalidValueError("slurm", slurm_jobs, f"1 to {_MOST_JOBS} jobs")
    try:
        from distributed import Client

        if slurm_jobs is not None:
            from dask_jobqueue.slurm import SLURMCluster
    except ImportError as error:
        raise MissingPackageError("Dask", "dask", error) from error
    with ExitStack() as stack:
        if slurm_jobs is None:
            where = scheduler
        else:
            where = stack.enter_context(_slurm(SLURMCluster))
            where.scale(jobs=slurm_jobs)
        try:
            client = stack.enter_context(Client(where))
        except (OSError, ValueError) as error:
            raise OutputError(f"Dask scheduler {scheduler}: {error}") from error
        while not client.nthreads():  # Slurm's queue may be long
            if stop():
                raise InterruptedRunError("stopped before there was a worker.")
            time.sleep(_POLL_S)
        workers = max(len(client.scheduler_info(n_workers=-1)["workers"]), slurm_jobs or 1)
        yield client.get_executor(pure=False, retries=_RETRIES), workers


def _slurm(cluster: Callable[[], Any]) -> Any:
    """Make a cluster of Slurm jobs, which dask-jobqueue's configuration describes."""
    try:
        return cluster()
    except ValueError as error:  # cores, memory and others have no default
        hint = "Describe a job (cores, memory, queue, walltime) in ~/.config/dask/jobqueue.yaml."
        what = "dask-jobqueue's configuration for Slurm"
        raise InvalidValueError(what, str(error), "a complete one", hint) from error
