"""Whatever is raised becomes a line and an exit code; of a fault it says how to report it."""

from __future__ import annotations

import sys
import warnings

import pytest

import galgen.cli
import galgen.generate
from galgen.errors import CatalogError, GalgenWarning


@pytest.fixture
def ending(monkeypatch, capsys):
    """End the command line with an error; returns (exit code, stderr)."""

    def run(error: Exception) -> tuple[int, str]:
        def app() -> None:
            raise error

        monkeypatch.setattr(galgen.cli, "app", app)
        with warnings.catch_warnings(), pytest.raises(SystemExit) as end:
            galgen.cli.main()
        return end.value.code, capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (CatalogError("a.fits: is no catalogue."), 4, "galgen: a.fits: is no catalogue."),
        (OSError(28, "No space left on device"), 1, "galgen: [Errno 28] No space left on device"),
        (KeyError("TFORM1"), 1, "galgen: a fault of galgen's own: KeyError: 'TFORM1'. Please"),
        (AssertionError(), 1, "galgen: a fault of galgen's own: AssertionError: AssertionError."),
        (MemoryError(), 1, "galgen: out of memory (MemoryError). Give a smaller --batch"),
        (RuntimeError("can't allocate memory: 9\nframe 0: x"), 1, "galgen: out of memory (can't"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_one_line_and_no_traceback(ending, error: Exception, code: int, said: str) -> None:
    found, stderr = ending(error)
    assert found == code
    assert stderr.startswith(said)
    assert stderr.count("\n") == 1


def test_the_traceback_of_a_fault_can_be_had(ending, monkeypatch) -> None:
    monkeypatch.setenv("GALGEN_TRACEBACK", "1")
    code, stderr = ending(TypeError("'NoneType' object is not iterable"))
    assert code == 1
    assert "Traceback" in stderr
    assert "GALGEN_TRACEBACK=1" in stderr.splitlines()[-1]


def test_the_end_of_a_file_is_no_end_of_input(monkeypatch, capsys) -> None:
    """Which typer would take it for: astropy raises it for an empty file."""

    def load_model(weights: object) -> None:
        raise EOFError

    monkeypatch.setattr(galgen.generate, "load_model", load_model)
    monkeypatch.setattr(sys, "argv", ["galgen", "info"])
    with warnings.catch_warnings(), pytest.raises(SystemExit) as end:
        galgen.cli.main()
    assert end.value.code == 1
    assert capsys.readouterr().err.startswith("galgen: a fault of galgen's own: RuntimeError: EOF")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("two\n  lines", "two\n  lines"),
        ("\x1b[2Jgone\x07", r"\x1b[2Jgone\x07"),  # would clear the terminal
        ("name\udcff.zip", r"name\udcff.zip"),  # no UTF-8
        ("\u202egpj.fits", r"\u202egpj.fits"),  # turns the line around
        ("étoile", "étoile"),
        (9000 * "x", 1992 * "x" + " ..."),
    ],
)
def test_text_of_files_cannot_harm_the_terminal(ending, text: str, line: str) -> None:
    assert ending(CatalogError(text))[1] == f"galgen: {line}\n"


def test_warnings_are_one_line_too(ending, monkeypatch, capsys) -> None:
    def app() -> None:
        warnings.warn("a\nb", GalgenWarning, stacklevel=1)

    monkeypatch.setattr(galgen.cli, "app", app)
    with warnings.catch_warnings():
        galgen.cli.main()
    assert capsys.readouterr().err == "galgen: warning: a b\n"
