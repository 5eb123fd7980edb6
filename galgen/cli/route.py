"""From a recipe to a catalogue on disk, by the route that was asked for; progress and summary."""

from __future__ import annotations

import os
import shlex
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from galgen.errors import InvalidValueError

if TYPE_CHECKING:
    from galgen.produce.recipe import Recipe

_PANEL = "Who makes the galaxies"
Workers = Annotated[
    int | None,
    Option(help="Processes of this machine; by default one per GPU.", rich_help_panel=_PANEL),
]
Scheduler = Annotated[
    str | None,
    Option(help="Address of a Dask scheduler: tcp://node1:8786.", rich_help_panel=_PANEL),
]
Slurm = Annotated[
    int | None,
    Option(help="Start Dask workers in so many Slurm jobs.", rich_help_panel=_PANEL),
]
NJobs = Annotated[
    int | None,
    Option(
        help="Make one part of so many, as a job of an array; then 'galgen finish'.",
        rich_help_panel=_PANEL,
    ),
]
Job = Annotated[
    int | None,
    Option(
        help="Which part, from 0; by default that of SLURM_ARRAY_TASK_ID.", rich_help_panel=_PANEL
    ),
]


@dataclass(frozen=True)
class Route:
    """Who makes the galaxies: options of the same names; one route at most."""

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

    def array_job(self) -> int:
        """Which part of `njobs`.

        Raises
        ------
        InvalidValueError
            If neither the option nor Slurm says.
        """
        if self.job is not None:
            return self.job
        try:
            # Arrays may begin at any number.
            first = int(os.environ.get("SLURM_ARRAY_TASK_MIN", 0))
            return int(os.environ["SLURM_ARRAY_TASK_ID"]) - first
        except (KeyError, ValueError):
            allowed = f"0..{self.njobs - 1}"
            hint = "There is no SLURM_ARRAY_TASK_ID: give --job."
            raise InvalidValueError("job", None, allowed, hint) from None


def make_catalog(
    recipe: Recipe,
    out: Path,
    route: Route,
    *,
    overwrite: bool = False,
    resume: bool = False,
    quiet: bool = False,
) -> None:
    """Make a catalogue, or a part of one, and say what there is."""
    from galgen.cli.progress import ProgressLine, human_bytes
    from galgen.system.signals import StopRequest

    if route.njobs is not None and overwrite:
        hint = "Remove the old catalogue before the array starts."
        raise InvalidValueError("overwrite", True, "not with --njobs", hint)
    with ExitStack() as stack:
        stop = stack.enter_context(StopRequest())
        line = stack.enter_context(ProgressLine(recipe.n or 1, "galaxies", quiet=quiet))

        def progress(done: int, total: int) -> None:
            if not line.done:
                line.begin(done)
            line.update(done, total=total)

        watch = {"stop": lambda: stop.requested, "progress": progress}
        start = {"overwrite": overwrite, "resume": resume}
        if route.njobs is None:
            _make(recipe, out, route, stack, start | watch)
            size = sum(path.stat().st_size for path in catalog_files(out))
            said = f"{out}: {line.done:,} galaxies, {human_bytes(size)}"
        else:
            from galgen.produce.run import produce_job

            first, last = produce_job(recipe, out, route.array_job(), route.njobs, **watch)
            made = f"galaxies {first} to {last - 1}" if first < last else "no galaxies"
            name = shlex.quote(str(out))
            said = f"{out}: {made} of this job. After the last job: galgen finish {name}"
    if not quiet:
        typer.echo(said)


def _make(recipe: Recipe, out: Path, route: Route, stack: ExitStack, options: dict) -> None:
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


def catalog_files(path: Path) -> list[Path]:
    """All files of a catalogue: itself, or its index and what that lists."""
    from galgen.catalog.format.index import read_index

    return [path, *(read_index(path) or [])]
