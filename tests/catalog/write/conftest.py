from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from galgen.runinfo import RunInfo
from tests.catalog.write.runs import interrupt


@pytest.fixture
def interrupted(tmp_path: Path) -> Callable[[RunInfo], Path]:
    """Leave a run of 200 galaxies unfinished; return the name of its catalogue."""
    return partial(interrupt, tmp_path / "cat.fits")
