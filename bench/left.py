"""What a killed command has left, and what has become of it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

State = dict[str, str]  # of a folder: digests by name


def digests(folder: Path) -> State:
    """Return the digest of every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): sha256(p.read_bytes()).hexdigest() for p in files}


def visible(state: State) -> State:
    """Leave out what has not got its name yet: hidden files, ledgers, what is printed."""
    return {
        name: digest
        for name, digest in state.items()
        if not any(part.startswith(".") or part.endswith(".part") for part in Path(name).parts)
    }


def result(
    afters: list[float], killed: int, left: list[str], made: State, expected: State
) -> dict[str, Any]:
    """Return what is recorded of a round: when it was killed, what was left, how it ended."""
    same = visible(made) == visible(expected)
    return {
        "after_s": [round(after, 3) for after in afters],
        "killed": int(killed),
        "left": left,
        "same": same,
        "beside": sorted({name.partition("/")[0] for name in made.keys() - expected.keys()}),
        "wrong": "half" in left or not same,
    }
