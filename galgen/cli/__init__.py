"""The ``galgen`` command: thin drivers that parse, call the library and print.

Each command has a file of its name. Nothing heavy is imported before one runs, so ``galgen --help``
answers at once.
"""

from __future__ import annotations

import io
import sys
import warnings
from typing import TextIO

import typer

from galgen.cli import (
    cat,
    compress,
    evaluate,
    export,
    finish,
    info,
    mass,
    preview,
    resume,
    scene,
    schema,
    train,
    verify,
)
from galgen.cli.hints import in_options
from galgen.errors import GalgenError, GalgenWarning
from galgen.system.signals import end_with_cleanup

app = typer.Typer(
    help="Realistic, category-labelled galaxy images by the million, written straight to FITS.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (  # in the order of the help text
    mass.mass,
    resume.resume,
    finish.finish,
    train.train,
    preview.preview,
    evaluate.evaluate,
    verify.verify,
    schema.schema,
    cat.cat,
    compress.compress,
    scene.scene,
    info.info,
):
    app.command()(_command)
app.add_typer(export.app, name="export")


def main() -> None:
    """Run the command line; an expected error becomes a message on stderr and an exit code.

    2 for what is refused before any work, 1 for what fails half-way (a full disk, a diverged
    network), 3 for an interrupted run, 4 for a catalogue that is wrong.
    """
    end_with_cleanup()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files may be any bytes
            stream.reconfigure(errors="backslashreplace")
    warnings.simplefilter("always", GalgenWarning)
    warnings.showwarning = _show
    try:
        app()
    except (GalgenError, OSError) as error:
        for text in (str(error), *getattr(error, "__notes__", ())):
            typer.echo(f"galgen: {in_options(text)}", err=True)
        sys.exit(error.exit_code if isinstance(error, GalgenError) else 1)


def _show(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print galgen's warnings to stderr as its errors are."""
    text = message if issubclass(category, GalgenWarning) else f"{category.__name__}: {message}"
    typer.echo(f"galgen: warning: {in_options(str(text))}", err=True)
