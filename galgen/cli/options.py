"""Arguments and options that several commands share, each with its help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from galgen.cli import complete
from galgen.cli.suffixes import FITS_NAMES, named

# Panels of the help text, in the order of their first options.
WHAT, MANY, DRAWN = "What is made", "How many", "How galaxies are drawn"
WRITTEN, WHERE = "How they are written", "Where it runs"

Catalog = Annotated[Path, Argument(help="Catalogue written by 'galgen mass'.", metavar="CATALOG")]
Unfinished = Annotated[
    Path, Argument(help="The --out of a 'galgen mass' that was interrupted.", metavar="CATALOG")
]
OutFits = Annotated[
    Path,
    Option(
        "--out",
        "-o",
        help="FITS file to write.",
        callback=named("a FITS file", *FITS_NAMES),
        rich_help_panel=WRITTEN,
    ),
]
Overwrite = Annotated[bool, Option("--overwrite", help="Replace what is there.")]
OverwriteFile = Annotated[bool, Option("--overwrite", help="Replace an existing file.")]
Quiet = Annotated[bool, Option("--quiet", help="No progress, no summary.")]
Weights = Annotated[
    Path | None,
    Option(
        "--weights",
        help="Weights folder.",
        show_default="the shipped one",
        rich_help_panel=DRAWN,
        is_eager=True,  # so that its categories can be completed
    ),
]
Device = Annotated[
    str | None,
    Option(
        "--device",
        help="cpu, cuda, cuda:1 ...",
        show_default="a GPU if there is one",
        rich_help_panel=WHERE,
    ),
]
Steps = Annotated[
    int | None,
    Option(
        "--steps",
        help="Steps of the sampler.",
        show_default="10, 24 without a finisher",
        rich_help_panel=DRAWN,
    ),
]
Sampler = Annotated[
    str | None,
    Option(
        "--sampler",
        help=f"{', '.join(complete.SAMPLERS[:-1])} or {complete.SAMPLERS[-1]}.",
        show_default="sde-dpmpp-2m",
        autocompletion=complete.words(*complete.SAMPLERS),
        rich_help_panel=DRAWN,
    ),
]
Batch = Annotated[
    int | None,
    Option(
        "--batch",
        help="Galaxies that go through the network together.",
        show_default="32, 512 on a GPU",
        rich_help_panel=DRAWN,
    ),
]
Dtype = Annotated[
    str | None,
    Option(
        "--dtype",
        help="float32, bfloat16 or float16.",
        show_default="float32, bfloat16 on a GPU",
        autocompletion=complete.words("float32", "bfloat16", "float16"),
        rich_help_panel=DRAWN,
    ),
]

Workers = Annotated[
    int | None,
    Option(
        help="Processes of this machine.",
        show_default="one, or one per GPU",
        rich_help_panel=WHERE,
    ),
]
Scheduler = Annotated[
    str | None,
    Option(help="Address of a Dask scheduler: tcp://node1:8786.", rich_help_panel=WHERE),
]
Slurm = Annotated[
    int | None,
    Option(help="Start Dask workers in so many Slurm jobs.", rich_help_panel=WHERE),
]
NJobs = Annotated[
    int | None,
    Option(
        help="Make one part of so many, as a job of an array; then 'galgen finish'.",
        rich_help_panel=WHERE,
    ),
]
Job = Annotated[
    int | None,
    Option(
        help="Which part, from 0.", show_default="of SLURM_ARRAY_TASK_ID", rich_help_panel=WHERE
    ),
]


def given(**options: Any) -> dict[str, Any]:
    """Keep the options that were given, so that the others are left to the library's defaults."""
    return {name: value for name, value in options.items() if value is not None}
