"""Weights on disk, and those that are shipped."""

from pathlib import Path

SHIPPED_WEIGHTS = Path(__file__).parent / "sdss-small"
