"""Arguments and options that several commands share, each with its help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

Catalog = Annotated[Path, Argument(help="Catalogue written by 'galgen mass'.", metavar="CATALOG")]
Unfinished = Annotated[
    Path, Argument(help="The --out of a 'galgen mass' that was interrupted.", metavar="CATALOG")
]
OutFits = Annotated[Path, Option("--out", help="FITS file to write.")]
Overwrite = Annotated[bool, Option("--overwrite", help="Replace what is there.")]
OverwriteFile = Annotated[bool, Option("--overwrite", help="Replace an existing file.")]
Quiet = Annotated[bool, Option("--quiet", help="No progress, no summary.")]
Weights = Annotated[
    Path | None, Option("--weights", help="Weights folder, if not the shipped one.")
]
Device = Annotated[str | None, Option("--device", help="cpu, cuda, cuda:1 ...")]
Steps = Annotated[int | None, Option("--steps", help="Steps of the sampler.")]

_WHO = "Who makes the galaxies"
Workers = Annotated[
    int | None,
    Option(help="Processes of this machine; by default one per GPU.", rich_help_panel=_WHO),
]
Scheduler = Annotated[
    str | None,
    Option(help="Address of a Dask scheduler: tcp://node1:8786.", rich_help_panel=_WHO),
]
Slurm = Annotated[
    int | None,
    Option(help="Start Dask workers in so many Slurm jobs.", rich_help_panel=_WHO),
]
NJobs = Annotated[
    int | None,
    Option(
        help="Make one part of so many, as a job of an array; then 'galgen finish'.",
        rich_help_panel=_WHO,
    ),
]
Job = Annotated[
    int | None,
    Option(
        help="Which part, from 0; by default that of SLURM_ARRAY_TASK_ID.", rich_help_panel=_WHO
    ),
]


def given(**options: Any) -> dict[str, Any]:
    """Keep the options that were given, so that the others are left to the library's defaults."""
    return {name: value for name, value in options.items() if value is not None}
