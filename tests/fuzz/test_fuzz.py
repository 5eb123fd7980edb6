"""Hundreds of damaged files and awkward options, always the same ones: each is handled.

`python -m bench.fuzz --only N` makes one of them again; thousands: ``python -m bench.fuzz``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TRIES = 200


@pytest.fixture(scope="session")
def tried(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What came of them, in a process without threads, whose children they are."""
    out = tmp_path_factory.mktemp("fuzz") / "fuzz.json"
    words = ["-m", "bench.fuzz", "--tries", str(TRIES), "--folder", out.parent, "--out", out]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert out.exists(), done.stderr
    return json.loads(out.read_text())


def test_all_are_tried(tried: dict) -> None:
    assert tried["tries"] == TRIES
    assert tried["refused"] > TRIES // 3  # damage is seen
    assert tried["read"] > 30  # and commands work
    assert len(tried["by_reader"]) > 25
    assert len(tried["by_command"]) > 14


def test_all_are_handled(tried: dict) -> None:
    lines = [
        f"{one['number']}: galgen {one['command']} ({one['what']}): {finding}"
        for one in tried["findings"]
        for finding in one["findings"]
    ]
    assert not lines, "\n".join(lines)
