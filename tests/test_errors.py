"""Errors cross process boundaries and keep what they say."""

from __future__ import annotations

import pickle

import pytest

from galgen import categories
from galgen.errors import GalgenError, InvalidValueError, UnknownCategoryError


def caught() -> list[GalgenError]:
    with pytest.raises(UnknownCategoryError) as unknown:
        categories.get("teapot")
    error = InvalidValueError("seed", -1, "0 or more", "Try 0.")
    error.add_note("cat.fits keeps the first 3 galaxies.")
    return [error, unknown.value]


@pytest.mark.parametrize("error", caught(), ids=lambda error: type(error).__name__)
def test_pickled(error: InvalidValueError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.value == error.value
    assert getattr(copy, "__notes__", []) == getattr(error, "__notes__", [])
