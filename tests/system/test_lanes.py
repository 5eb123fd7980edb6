"""How many lanes there are and what they need; how galaxies are made in them, with generation."""

from __future__ import annotations

import ctypes
import platform

import pytest
import torch

from galgen.errors import InvalidValueError
from galgen.system.lanes import in_lanes, keep_memory, lanes_on


@pytest.fixture(autouse=True)
def forgotten():
    keep_memory.cache_clear()
    yield
    keep_memory.cache_clear()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_glibc_keeps_memory() -> None:
    assert keep_memory()


def test_other_libraries_are_left_alone(monkeypatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not keep_memory()


@pytest.mark.parametrize(
    ("given", "device", "lanes"),
    [
        (None, "cpu", None),  # as many as threads
        (None, "cuda", 2),
        (None, "mps", 1),
        ("", "cuda", 2),
        ("1", "cuda", 1),
        ("3", "cpu", 3),
    ],
)
def test_how_many(monkeypatch, given: str | None, device: str, lanes: int | None) -> None:
    monkeypatch.delenv("GALGEN_LANES", raising=False)
    if given is not None:
        monkeypatch.setenv("GALGEN_LANES", given)
    assert lanes_on(torch.device(device)) == (lanes or torch.get_num_threads())


@pytest.mark.parametrize("given", ["0", "-1", "two", "1.5", "257", "9" * 30])
def test_no_number_of_lanes(monkeypatch, given: str) -> None:
    monkeypatch.setenv("GALGEN_LANES", given)
    with pytest.raises(InvalidValueError, match=rf"GALGEN_LANES is '{given}'; allowed: 1 to 256"):
        lanes_on(torch.device("cpu"))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("lanes", [1, 2])
def test_each_call_has_one_thread(threads: int, lanes: int) -> None:
    """Or bits would depend on lanes; afterwards there are as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        made = list(in_lanes(lambda _: torch.get_num_threads(), range(5), lanes))
        assert made == [1] * 5
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
