"""The ``galgen`` command: thin drivers that parse, call the library and print.

Nothing heavy is imported before a command runs, so ``galgen --help`` answers at once.
"""

from __future__ import annotations

import sys
import warnings

import typer

from galgen.cli import compress, evaluate, export, info, mass, resume, scene, train
from galgen.errors import GalgenError, GalgenWarning

app = typer.Typer(
    help="Realistic, category-labelled galaxy images by the million, written straight to FITS.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
mass.register(app)
resume.register(app)
train.register(app)
evaluate.register(app)
compress.register(app)
export.register(app)
scene.register(app)
info.register(app)


def main() -> None:
    """Run the command line; an expected error becomes a message on stderr and an exit code.

    2 for what is refused before any work, 1 for what fails half-way (a full disk, a diverged
    network), 3 for an interrupted run, 4 for a catalogue that is wrong.
    """
    warnings.simplefilter("always", GalgenWarning)
    warnings.showwarning = _show
    try:
        app()
    except (GalgenError, OSError) as error:
        for text in (str(error), *getattr(error, "__notes__", ())):
            typer.echo(f"galgen: {text}", err=True)
        sys.exit(error.exit_code if isinstance(error, GalgenError) else 1)


def _show(message: Warning, category: type[Warning], *where: object) -> None:
    """Print galgen's warnings to stderr as its errors are."""
    text = message if issubclass(category, GalgenWarning) else f"{category.__name__}: {message}"
    typer.echo(f"galgen: warning: {text}", err=True)
