"""Messages name parameters to Python users and options on the command line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import galgen
from galgen.cli import app
from galgen.cli.hints import OPTIONS, in_options

LIBRARY = Path(galgen.__file__).parent
MARKDOWN = "training/card.py"  # where backticks are for readers of the page
COMMAND = re.compile(r"galgen [a-z]+ --[a-z-]+")


def texts() -> Iterator[tuple[str, str]]:
    """Texts of the library that are no docstrings, each with its file."""
    for path in sorted(LIBRARY.rglob("*.py")):
        name = path.relative_to(LIBRARY).as_posix()
        if name.startswith("cli/") or name == MARKDOWN:
            continue
        tree = ast.parse(path.read_text())
        alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
                yield name, "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and id(node) not in alone:
                yield name, str(node.value)


def test_the_library_does_not_speak_in_options() -> None:
    found = {(name, text) for name, text in texts() if re.search("--[a-z]", COMMAND.sub("", text))}
    assert found == set()


def test_every_parameter_that_is_named_has_its_option() -> None:
    named = {word for _, text in texts() for word in re.findall("`([^`]+)`", text)} - {"{}"}
    of_recipes = {"category", "n", "columns", "drop", "strict"}  # by the name of their field
    assert named | of_recipes == set(OPTIONS)


def test_options_exist() -> None:
    commands = [*app.registered_commands]
    for group in app.registered_groups:
        commands += group.typer_instance.registered_commands
    names = set()
    for command in commands:
        for parameter, note in command.callback.__annotations__.items():
            names |= {"--" + parameter.replace("_", "-"), *re.findall("--[a-z-]+", str(note))}
    asked = {word for option in OPTIONS.values() for word in re.findall("--[a-z-]+", option)}
    assert asked <= names


def test_words() -> None:
    said = "the unit is None. Give `mag_zero`, or start with `overwrite=True`; not `that`."
    assert in_options(said) == (
        "the unit is None. Give --mag-zero, or start with --overwrite; not `that`."
    )
