"""Ledgers of strangers: JSON of any size, depth and digits is refused, or counts for nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from galgen.catalog import CatalogWriter, finish, verify
from galgen.catalog.write.jsonfile import digest
from galgen.catalog.write.ledger import Ledger
from galgen.errors import LedgerError, UnfinishedError
from galgen.runinfo import RunInfo
from tests.catalog.synthetic import run_info
from tests.patience import patience


@pytest.fixture
def info() -> RunInfo:
    return run_info(200)


def _spaces(path: Path) -> None:
    path.write_bytes(b" " * 100)
    with path.open("r+b") as file:
        file.truncate(2 << 30)  # which takes no room on disk


def _signed(path: Path, change: Callable[[dict], object]) -> None:
    """Change JSON, and give it the digest that it must have."""
    body = json.loads(path.read_text())
    del body["sha256"]
    change(body)
    path.write_text(json.dumps(body | {"sha256": digest(body)}))


def _many_digits(path: Path) -> None:
    text = '{"run":"x","start":' + 5001 * "1" + "}"
    signed = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(f'{text[:-1]},"sha256":"{signed}"}}')


HOSTILE: dict[str, Callable[[Path], object]] = {
    "2 GB of nothing": _spaces,
    "brackets": lambda path: path.write_bytes(10**6 * b"["),
    "objects": lambda path: path.write_bytes(10**6 * b'{"a":'),
    "digits": _many_digits,
    "beyond 64 bits": lambda path: _signed(path, lambda body: body.update(start=2**64)),
    "deep": lambda path: _signed(
        path, lambda body: body.update(start=json.loads(40 * "[" + 40 * "]"))
    ),
    "a list": lambda path: path.write_bytes(b"[]"),
    "no text": lambda path: path.write_bytes(bytes(range(256))),
    "nothing": lambda path: path.write_bytes(b""),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_of_the_run(interrupted: Callable[[RunInfo], Path], info: RunInfo, kind: str) -> None:
    path = interrupted(info)
    HOSTILE[kind](path.with_name(f"{path.name}.part") / "run.json")
    with patience():
        for read in (Ledger, finish, lambda path: CatalogWriter(path, info, resume=True)):
            with pytest.raises(LedgerError, match=r"run\.json") as caught:
                read(path)
            assert "\n" not in str(caught.value)
            assert len(str(caught.value)) < 1000
        assert not verify(path).ok


@pytest.mark.parametrize("kind", HOSTILE)
def test_of_a_record(interrupted: Callable[[RunInfo], Path], info: RunInfo, kind: str) -> None:
    path = interrupted(info)
    record = min(path.with_name(f"{path.name}.part").glob("0*.json"))
    HOSTILE[kind](record)
    with patience():
        problems = Ledger(path).records()[1]
        assert any(record.name in problem for problem in problems)
        assert all(len(problem) < 1000 for problem in problems)
        with pytest.raises(UnfinishedError):
            finish(path)
        assert not verify(path).ok
