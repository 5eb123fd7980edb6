"""Corrections of labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from galgen import categories
from galgen.data import StampSet, open_stamps
from galgen.data.relabel import relabel
from galgen.errors import DataError

REAL = Path(__file__).parents[2] / "bench" / "relabel-galaxies64.csv"


@pytest.fixture
def stamps(galaxies: Path) -> StampSet:
    return open_stamps(galaxies, 16)


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_category_is_replaced(stamps: StampSet, tmp_path: Path) -> None:
    """Of the galaxies in the table only, in any order and with any other columns."""
    table = write(
        tmp_path / "c.csv",
        "why,category,id",
        f"seen,barred_spiral,{stamps.ids[5]}",
        f",merging, {stamps.ids[2]}",
    )
    got = relabel(stamps, table)
    assert categories.get(int(got.category[5])).name == "barred-spiral"
    assert categories.get(int(got.category[2])).name == "merging"
    same = np.delete(np.arange(len(stamps)), [2, 5])
    np.testing.assert_array_equal(got.category[same], stamps.category[same])
    np.testing.assert_array_equal(got.ids, stamps.ids)
    assert got.category.dtype == np.int16


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (["id,category", "nobody-1,merging", "nobody-2,merging"],
         "2 of 2 galaxies are not in the data: nobody-1, nobody-2"),
        (["id,category", *(f"x{i},merging" for i in range(12))], "x9 and 2 more"),
        (["galaxy,category", "a,merging"], "'id' and 'category' are required"),
        (["id,category", "a,lenticular"], "galaxy 'a': category is 'lenticular'"),
        (["id,category", "a,merging", "a,spiral"], "galaxy 'a' is listed twice"),
    ],
    ids=["not in the data", "many not in the data", "columns", "category", "twice"],
)  # fmt: skip
def test_table_that_does_not_fit(
    stamps: StampSet, tmp_path: Path, lines: list[str], match: str
) -> None:
    with pytest.raises(DataError, match=rf"c\.csv: .*{match}"):
        relabel(stamps, write(tmp_path / "c.csv", *lines))


def test_table_that_cannot_be_read(stamps: StampSet, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        relabel(stamps, tmp_path / "missing.csv")
    (tmp_path / "c.csv").write_bytes(b"id,category\n\xff,merging\n")
    with pytest.raises(DataError, match="cannot be read"):
        relabel(stamps, tmp_path / "c.csv")


def test_the_corrections_in_the_repository() -> None:
    """Name known categories; the data are elsewhere."""
    lines = REAL.read_text().splitlines()
    assert lines[0] == "id,category"
    assert {line.split(",")[1] for line in lines[1:]} == {"merging", "barred-spiral"}
    assert len(lines) == 5
