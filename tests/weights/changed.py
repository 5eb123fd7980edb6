"""Settings of weights, changed by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path


def edit(folder: Path, change: Callable[[dict], object]) -> None:
    """Change config.json."""
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
