"""Runs that are interrupted, gone on with, or never were interrupted."""

from __future__ import annotations

from pathlib import Path

from galgen.catalog import CatalogWriter, write_catalog
from galgen.runinfo import RunInfo
from tests.catalog.synthetic import make_batch, sha256

WRITTEN = ((0, 40), (100, 120), (40, 60))  # before the interruption, of 200 galaxies
MISSING = ((60, 100), (120, 200))  # after it


def clean(path: Path, info: RunInfo) -> str:
    """Digest of the catalogue that a run without interruptions makes."""
    return sha256(write_catalog(path.with_name("clean.fits"), [make_batch(info)], info))


def interrupt(path: Path, info: RunInfo) -> Path:
    """Leave a run of 200 galaxies unfinished."""
    writer = CatalogWriter(path, info)
    for start, stop in WRITTEN:
        writer.write(make_batch(info, start, stop))
    writer.close()
    return path


def resume(path: Path, info: RunInfo) -> tuple[tuple[int, int], ...]:
    """Write what is missing; return which galaxies those were."""
    with CatalogWriter(path, info, resume=True) as writer:
        for start, stop in writer.missing:
            writer.write(make_batch(info, start, stop))
    return writer.missing
