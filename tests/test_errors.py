"""Errors cross process boundaries and keep what they say; damaged files become them."""

from __future__ import annotations

import pickle
import zlib

import pytest

from galgen import categories
from galgen.errors import (
    DataError,
    GalgenError,
    InvalidValueError,
    UnknownCategoryError,
    WeightsError,
    reading,
)


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


@pytest.mark.parametrize(
    "raised",
    [
        OSError(5, "Input/output error"),
        zlib.error("incorrect header check"),
        KeyError("TFORM1"),
        AttributeError("'NoneType' object has no attribute 'shape'"),
        RecursionError("maximum recursion depth exceeded"),
        MemoryError(),
        ValueError("several\nlines " + 1000 * "x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_reader_raises_names_the_file_in_one_line(raised: Exception) -> None:
    with pytest.raises(WeightsError) as caught, reading("w/a", "JSON", WeightsError):
        raise raised
    text = str(caught.value)
    assert text.startswith("w/a: cannot be read as JSON, it may be truncated or damaged (")
    assert caught.value.__cause__ is raised
    assert "\n" not in text
    assert len(text) < 400
    assert type(raised).__name__ in text or "Input/output error" in text


@pytest.mark.parametrize(
    "raised",
    [
        OSError("cannot identify image file <_io.BytesIO object at 0x7f33b23a8220>"),
        ValueError("<_io.BytesIO object at 0x7F33B23A8220> is not seekable"),
        TypeError(f"no image: {object()!r}"),
    ],
    ids=["in a sentence", "as its subject", "of this Python"],
)
def test_addresses_are_not_said(raised: Exception) -> None:
    with pytest.raises(DataError) as caught, reading("a.png", "an image"):
        raise raised
    assert "0x" not in str(caught.value)
    assert " image" in str(caught.value)


def test_what_was_raised_on_purpose_passes() -> None:
    asked = InvalidValueError("size", 0, "1 or more")
    with pytest.raises(InvalidValueError) as caught, reading("a.zip", "a zip file"):
        raise asked
    assert caught.value is asked
    named = pytest.raises(DataError, match=r"a\.zip: size is 0")
    with named, reading("a.zip", "a zip file", values=True):
        raise asked
    with pytest.raises(KeyboardInterrupt), reading("a.zip", "a zip file"):
        raise KeyboardInterrupt
