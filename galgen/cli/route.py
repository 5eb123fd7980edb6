"""From a recipe to a catalogue on disk, by the route that was asked for; progress and summary."""

from __future__ import annotations

import os
import shlex
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.filesize import decimal

from galgen.errors import InvalidValueError

if TYPE_CHECKING:
    from galgen.produce.recipe import Recipe


@dataclass(frozen=True)
class Route:
    """Who makes the galaxies, from the options of the same names; one route at most.

    Attributes
    ----------
    workers : int or None
        Processes of this machine.
    scheduler : str or None
        Address of a Dask scheduler.
    slurm : int or None
        Slurm jobs to start Dask workers in.
    njobs, job : int or None
        How many parts there are, and which to make; left out, Slurm says which.

    Raises
    ------
    InvalidValueError
        If several routes are given, or a job without their number.
    """

    workers: int | None = None
    scheduler: str | None = None
    slurm: int | None = None
    njobs: int | None = None
    job: int | None = None

    def __post_init__(self) -> None:
        routes = ("workers", "scheduler", "slurm", "njobs")
        given = [name for name in routes if getattr(self, name) is not None]
        if len(given) > 1:
            both = " and ".join(f"--{name}" for name in given)
            raise InvalidValueError("route", both, "one of them")
        if self.job is not None and self.njobs is None:
            raise InvalidValueError("job", self.job, "a part of --njobs", "Give both.")

    def array_job(self, njobs: int) -> int:
        """Return which part this job of an array makes, 0 to `njobs` - 1.

        Raises
        ------
        InvalidValueError
            If neither the option nor Slurm says, or Slurm says what cannot be.
        """
        if self.job is not None:
            return self.job
        allowed = f"0..{njobs - 1}"
        try:
            job = int(os.environ["SLURM_ARRAY_TASK_ID"])
            # A whole array may begin at any number; of jobs submitted again the first says nothing.
            if int(os.environ.get("SLURM_ARRAY_TASK_COUNT", njobs)) == njobs:
                step = int(os.environ.get("SLURM_ARRAY_TASK_STEP", 1))
                job = (job - int(os.environ.get("SLURM_ARRAY_TASK_MIN", 0))) // step
        except (KeyError, ValueError, ZeroDivisionError):
            hint = "There is no SLURM_ARRAY_TASK_ID: give --job."
            raise InvalidValueError("job", None, allowed, hint) from None
        if not 0 <= job < njobs:
            hint = "Number the array from 0, with as many jobs as --njobs, or give --job."
            raise InvalidValueError("SLURM_ARRAY_TASK_ID", job, allowed, hint)
        return job


def make_catalog(
    recipe: Recipe,
    out: Path,
    route: Route,
    *,
    overwrite: bool = False,
    resume: bool = False,
    quiet: bool = False,
) -> None:
    """Make a catalogue, or a part of one, and say what there is.

    Parameters
    ----------
    recipe : Recipe
        What to make.
    out : Path
        FITS file of the catalogue.
    route : Route
        Who makes it, and which part.
    overwrite : bool
        Replace an existing file.
    resume : bool
        Go on with what an interrupted run has recorded.
    quiet : bool
        Show no progress and print no summary.

    Raises
    ------
    InvalidValueError
        If a part of an array is to overwrite what others may have made.
    GalgenError
        As `galgen.produce.run.produce` and its relatives raise it.
    """
    from galgen.cli.progress import ProgressLine
    from galgen.system.signals import StopRequest

    if route.njobs is not None and overwrite:
        hint = "Remove the old catalogue before the array starts."
        raise InvalidValueError("overwrite", True, "not with --njobs", hint)
    with ExitStack() as stack:
        stop = stack.enter_context(StopRequest())
        line = stack.enter_context(ProgressLine(recipe.n or 1, "galaxies", quiet=quiet))

        begun = False

        def progress(done: int, total: int) -> None:
            nonlocal begun
            if not begun:  # the first report is of what was there before
                line.begin(done)
                begun = True
            line.update(done, total=total)

        def say(text: str) -> None:
            if text and not quiet:
                typer.echo(f"galgen: {text}", err=True)

        watch: dict[str, Any] = {"stop": lambda: stop.requested, "progress": progress, "say": say}
        if route.njobs is None:
            _produce(recipe, out, route, stack, watch | {"overwrite": overwrite, "resume": resume})
            size = sum(path.stat().st_size for path in catalog_files(out))
            said = f"{out}: {line.done:,} galaxies, {decimal(size)}"
        else:
            from galgen.produce.run import produce_job

            job = route.array_job(route.njobs)
            first, last = produce_job(recipe, out, job, route.njobs, **watch)
            made = f"galaxies {first} to {last - 1}" if first < last else "no galaxies"
            name = shlex.quote(str(out))
            said = f"{out}: {made} of this job. After the last job: galgen finish {name}"
    if not quiet:
        typer.echo(said)


def _produce(
    recipe: Recipe, out: Path, route: Route, stack: ExitStack, options: dict[str, Any]
) -> None:
    """Have a whole catalogue made by this process, by a pool of them, or by Dask."""
    if route.scheduler is not None or route.slurm is not None:
        from galgen.produce.dask import dask_workers
        from galgen.produce.shards import produce_on

        executor, workers = stack.enter_context(
            dask_workers(route.scheduler, route.slurm, options["stop"])
        )
        produce_on(executor, workers, recipe, out, **options)
        return
    from galgen.produce.pool import default_workers, local_pool

    workers = default_workers(recipe.device) if route.workers is None else route.workers
    if workers == 1:
        from galgen.produce.run import produce

        produce(recipe, out, **options)
    else:
        from galgen.produce.shards import produce_on

        executor, tell = stack.enter_context(local_pool(workers, recipe.device))
        produce_on(executor, workers, recipe, out, tell=tell, **options)


def is_finished(catalog: Path, quiet: bool) -> bool:
    """Whether nothing is left to do for a catalogue, and say so.

    Raises
    ------
    CatalogError
        If there is a file of another kind.
    """
    from galgen.catalog import CatalogFile
    from galgen.catalog.write.folder import part_folder

    if part_folder(catalog).exists() or not catalog.exists():
        return False
    CatalogFile(catalog_files(catalog)[-1]).close()  # unless it is none of ours
    if not quiet:
        typer.echo(f"{catalog}: is finished.")
    return True


def catalog_files(path: Path) -> list[Path]:
    """List all files of a catalogue: itself, or its index and what that lists."""
    from galgen.catalog.format.index import read_index

    return [path, *(row.path for row in read_index(path) or [])]
