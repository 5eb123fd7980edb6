"""Public names: imported on first use, and known to type checkers all the same."""

from __future__ import annotations

import ast
from pathlib import Path

import galgen


def test_type_checkers_see_what_is_imported_on_first_use() -> None:
    stub = ast.parse(Path(galgen.__file__).with_suffix(".pyi").read_text())
    seen = {
        name.asname: node.module
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
        if name.asname == name.name
    }
    assert seen == galgen._PUBLIC
    for name in galgen.__all__:
        assert getattr(galgen, name).__name__ == name
