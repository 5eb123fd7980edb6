"""Options that are numbers, given such as nobody means: refused in a line, or honest work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from galgen.cli import app, export
from tests.fuzz.options import HONEST
from tests.fuzz.quantities import cases, command_of, name_of

MEMORY = 1 << 30
CPU = 4.0  # seconds; two on a machine that does nothing else
REFUSED = 2


@pytest.fixture(scope="session")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """How commands ended, in children of a process without threads; by command and option."""
    out = tmp_path_factory.mktemp("numbers") / "numbers.json"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.quantities", str(out)],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert out.exists(), done.stderr
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in json.loads(out.read_text()):
        found.setdefault((one["line"], one["option"]), []).append(one)
    return found


@pytest.mark.parametrize(
    ("line", "option"),
    cases(),
    ids=lambda text: " ".join(word for word in text.split() if "{" not in word),
)
def test_numbers_that_nobody_means(ended: dict, line: str, option: str) -> None:
    assert len(ended[line, option]) >= 6
    for one in ended[line, option]:
        where = f"{option}={one['value'][:40]}: {one}"
        assert one["code"] in (0, REFUSED), where
        assert one["memory"] < MEMORY, where
        assert one["cpu"] < CPU, where
        if one["code"] == REFUSED:
            lines = one["said"].splitlines()
            # Those of the parser of options are in a box, with the usage.
            assert len(lines) == 1 or "Usage: " in one["said"], where
            assert not one["left"], where


def test_both_ways_are_tried(ended: dict) -> None:
    codes = [one["code"] for some in ended.values() for one in some]
    assert codes.count(REFUSED) > len(codes) / 2
    assert codes.count(0) > 20


def test_every_command_is_walked() -> None:
    """But `bench`, which goes on for as long as it is told, with the options of `mass`."""
    walked = {command_of(line) for line in HONEST}
    groups = {(): app, ("export",): export.app}
    for above, group in groups.items():
        for command in group.registered_commands:
            assert (*above, name_of(command)) in walked | {("bench",)}
