"""The ``galgen`` command: thin drivers that parse, call the library and print.

Each command has a file of its name. Nothing heavy is imported before one runs, so ``galgen --help``
answers at once.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
import warnings
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperGroup

from galgen import __version__
from galgen.cli import (
    bench,
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
    shear_test,
    train,
    verify,
)
from galgen.cli.hints import in_options
from galgen.errors import GalgenError, GalgenWarning
from galgen.system.signals import end_with_cleanup

_LONGEST = 2000  # characters of a line: a file may have names of any length


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except EOFError as error:
            # Typer takes it for the end of input at a prompt, and says "Aborted." only.
            raise RuntimeError("EOFError") from error


app = typer.Typer(
    cls=_Commands,
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
    shear_test.shear_test,
    verify.verify,
    schema.schema,
    cat.cat,
    compress.compress,
    scene.scene,
    info.info,
    bench.bench,
):
    app.command()(_command)
app.add_typer(export.app, name="export")


def main() -> None:
    """Run the command line; whatever is raised becomes a line on stderr and an exit code.

    2 for what is refused before any work, 1 for what fails half-way (a full disk, a diverged
    network), 3 for an interrupted run, 4 for a catalogue that is wrong. Tracebacks are shown where
    ``GALGEN_TRACEBACK`` is set.
    """
    # Threads that wait for each other shall sleep: on a busy machine those that spin hold up those
    # that they wait for. The library that torch brings looks at it as it is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    end_with_cleanup()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files may be any bytes
            stream.reconfigure(errors="backslashreplace")
    warnings.simplefilter("always", GalgenWarning)
    warnings.showwarning = _show
    _said.clear()
    try:
        app()
    except Exception as error:
        if os.environ.get("GALGEN_TRACEBACK"):
            traceback.print_exc()
        for text in (_explained(error), *getattr(error, "__notes__", ())):
            # Our own errors may have lists: the tree of categories, settings that differ.
            _say(f"galgen: {text}", line_breaks=isinstance(error, GalgenError))
        sys.exit(error.exit_code if isinstance(error, GalgenError) else 1)


def _explained(error: Exception) -> str:
    """Return what has happened, and what to do; that is to report what nobody expected."""
    said = str(error) or type(error).__name__
    if isinstance(error, GalgenError | OSError):
        return said
    # PyTorch's own is a RuntimeError.
    if isinstance(error, MemoryError) or "allocate memory" in said or "out of memory" in said:
        what = said.splitlines()[0][:200]
        return f"out of memory ({what}). Give a smaller --batch, or free some memory."
    return (
        f"a fault of galgen's own: {type(error).__name__}: {said}. Please report it, with what the "
        "same command prints once GALGEN_TRACEBACK=1 is set."
    )


def _say(text: str, line_breaks: bool = False) -> None:
    """Print a text to stderr, whatever is in it: a name in a file may hold control codes."""
    lines = in_options(text).splitlines()
    if not line_breaks:
        lines = [" ".join(line.strip() for line in lines)]
    for line in lines:
        shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
        typer.echo(shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} ...", err=True)


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
        _say(f"galgen: warning: {text}")
