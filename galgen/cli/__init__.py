"""The ``galgen`` command: thin drivers that parse, call the library and print.

Each command has a file of its name. Nothing heavy is imported before one runs, so ``galgen --help``
answers at once.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated, TextIO

import typer

from galgen import __version__
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

app = typer.Typer(
    help="Realistic, category-labelled galaxy images by the million, written straight to FITS.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"galgen {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", help="Show the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


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
    # Threads that wait for each other shall sleep: on a busy machine those that spin hold up those
    # that they wait for. The library that torch brings looks at it as it is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    warnings.simplefilter("always", GalgenWarning)
    warnings.showwarning = _show
    _said.clear()
    try:
        app()
    except (GalgenError, OSError) as error:
        for text in (str(error), *getattr(error, "__notes__", ())):
            typer.echo(f"galgen: {in_options(text)}", err=True)
        sys.exit(error.exit_code if isinstance(error, GalgenError) else 1)


_said: set[str] = set()  # nobody wants to be told twice


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
    if str(text) not in _said:
        _said.add(str(text))
        typer.echo(f"galgen: warning: {in_options(str(text))}", err=True)
