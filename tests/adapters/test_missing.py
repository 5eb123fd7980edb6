"""Without the package that it is for, an adapter names the extra that brings it."""

from __future__ import annotations

import importlib
import sys

import pytest

from galgen.errors import MissingPackageError


@pytest.mark.parametrize("name", ["btk", "scarlet2", "skycatalogs"])
def test_the_extra_is_named(monkeypatch, name) -> None:
    monkeypatch.delitem(sys.modules, f"galgen.adapters.{name}", raising=False)
    for module in [name, *(loaded for loaded in sys.modules if loaded.startswith(f"{name}."))]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError, match=rf"galgen-astro\[{name}\]"):
        importlib.import_module(f"galgen.adapters.{name}")
