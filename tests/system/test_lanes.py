"""What lanes need of the C library; how they run is tested with generation."""

from __future__ import annotations

import ctypes
import platform

import pytest

from galgen.system.lanes import keep_memory


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
