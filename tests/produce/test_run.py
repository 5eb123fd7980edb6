"""What is refused before weights are loaded and galaxies made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from galgen.errors import OutputError
from galgen.produce.recipe import Recipe
from galgen.produce.run import produce, produce_job


@pytest.mark.parametrize(
    "make",
    [
        produce,
        lambda recipe, path: produce_job(recipe, path, 0, 2),
    ],
)
@pytest.mark.parametrize("stamps", ["float32", "int16"])
def test_an_output_that_is_its_input_is_refused_first(
    tmp_path: Path, make: Callable[[Recipe, Path], object], stamps: str
) -> None:
    """There are no such weights, which would be said otherwise."""
    table = tmp_path / "survey.csv"
    table.write_text("ra,dec,shape_r\n1,2,3\n")
    recipe = Recipe("spiral", 1, like=str(table), weights=str(tmp_path / "none"), stamps=stamps)
    with pytest.raises(OutputError, match="is the input"):
        make(recipe, table)
