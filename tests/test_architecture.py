"""The map of docs/architecture.md is that of the repository."""

from __future__ import annotations

import re
import tomllib

from tests.pages import DOCS, ROOT, blocks, spans

PAGE = DOCS / "architecture.md"


def test_every_path_is_there():
    paths = [span for span in spans(PAGE) if "/" in span]
    assert len(paths) > 30
    for path in paths:
        assert (ROOT / path).exists() or (PAGE.parent / path).exists(), path


def test_the_rows_are_those_of_the_import_contract():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    contract = next(c for c in tools["importlinter"]["contracts"] if c["containers"] == ["galgen"])
    drawn = [
        line
        for _, text in blocks(PAGE, "")
        for line in text.splitlines()
        if re.fullmatch(r"\w+( \| \w+)*", line)
    ]
    assert [set(re.findall(r"\w+", line)) for line in drawn] == [
        set(re.findall(r"\w+", layer)) for layer in contract["layers"]
    ]


def test_every_room_is_in_the_table():
    rooms = {path.parent.name for path in (ROOT / "galgen").glob("*/__init__.py")}
    named = {re.sub(r"^galgen/|/$", "", span) for span in spans(PAGE)}
    assert rooms <= named
