"""Real galaxies, read in the terms of a catalogue."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from galgen.data import StampSet, concatenate, open_stamps
from galgen.errors import DataError
from galgen.runinfo import RunInfo


def open_reference(
    reference: StampSet | str | Path | Sequence[str | Path], info: RunInfo
) -> StampSet:
    """Read real galaxies in stamps as large as those of a catalogue.

    Parameters
    ----------
    reference : StampSet, path or several paths
        Real galaxies, or files that `galgen.data.open_stamps` reads, joined.
    info : RunInfo
        Of the catalogue.

    Raises
    ------
    DataError
        If the files cannot be read, there are no galaxies, their numbers mean something else than
        the catalogue's, or no flux is to be had: colour images of an unknown stretch.
    """
    if isinstance(reference, StampSet):
        stamps = reference
    else:
        paths = [reference] if isinstance(reference, str | Path) else reference
        # As training does: larger images are binned, so that a pixel is as large as theirs.
        size = info.height if info.height == info.width else None
        stamps = concatenate([open_stamps(path, size, info.tree) for path in paths])
    _check(stamps, info)
    if len(stamps) == 0:
        raise DataError(f"{stamps.source}: no galaxies to compare with.")
    if stamps.native == "display" and stamps.lupton is None:
        raise DataError(
            f"{stamps.source}: colour images of an unknown stretch cannot be measured; name it "
            'as "lupton" in galgen.json beside the images.'
        )
    return stamps


def describe_reference(stamps: StampSet) -> dict[str, object]:
    """Source, number of galaxies and the SHA-256 of their pixels, ids and categories."""
    digest = hashlib.sha256(np.ascontiguousarray(stamps.pixels).data)
    digest.update("\0".join(stamps.ids.tolist()).encode())
    digest.update(stamps.category.astype("<i2").tobytes())
    source = " + ".join(Path(name).name for name in stamps.source.split(" + "))
    return {"source": source, "galaxies": len(stamps), "sha256": digest.hexdigest()}


def _check(stamps: StampSet, info: RunInfo) -> None:
    """Refuse a reference whose numbers mean something else, as a `DataError`."""
    units = (stamps.unit,) if stamps.native == "flux" else ("nanomaggy", "adu")
    facts = {
        "bands": (stamps.bands, info.bands),
        "tree of categories": (stamps.tree, info.tree),
        "stamp size": (stamps.pixels.shape[1:3], (info.height, info.width)),
        "flux unit": (info.flux_unit if info.flux_unit in units else units[0], info.flux_unit),
    }
    if stamps.pixel_scale and info.pixel_scale:
        near = math.isclose(stamps.pixel_scale, info.pixel_scale, rel_tol=0.01)
        facts["pixel scale"] = info.pixel_scale if near else stamps.pixel_scale, info.pixel_scale
    for name, (theirs, ours) in facts.items():
        if theirs != ours:
            raise DataError(
                f"{stamps.source} cannot be compared with the catalogue: {name} is {theirs!r} "
                f"there and {ours!r} in the catalogue."
            )
