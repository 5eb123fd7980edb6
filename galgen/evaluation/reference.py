"""Real galaxies, measured like generated ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from galgen.data import StampSet
from galgen.errors import DataError
from galgen.evaluation.neighbours import thumbnails
from galgen.measure import measure
from galgen.pictures.display import to_display
from galgen.pixels.lupton import LuptonStretch

_CHUNK = 256  # stamps measured at a time


@dataclass(frozen=True)
class Reference:
    """A reference set and what was measured on it.

    Attributes
    ----------
    stamps : StampSet
        M real galaxies.
    measured : dict of str to ndarray (M,)
        Columns of `galgen.measure.measure`.
    thumbnails_mbss : Tensor (M, B, 16, 16)
        For nearest neighbours.
    """

    stamps: StampSet
    measured: dict[str, np.ndarray]
    thumbnails_mbss: Tensor

    def members(self, code: int) -> np.ndarray:
        """Return the rows labelled with a category or anything below it."""
        return np.flatnonzero(self.stamps.tree.are_below(self.stamps.category, code))

    def describe(self) -> dict[str, object]:
        """Source, number of galaxies and the SHA-256 of their pixels, ids and categories."""
        stamps = self.stamps
        digest = hashlib.sha256(np.ascontiguousarray(stamps.pixels).data)
        digest.update("\0".join(stamps.ids.tolist()).encode())
        digest.update(stamps.category.astype("<i2").tobytes())
        source = " + ".join(Path(name).name for name in stamps.source.split(" + "))
        return {"source": source, "galaxies": len(stamps), "sha256": digest.hexdigest()}


def measure_reference(stamps: StampSet, stretch: LuptonStretch) -> Reference:
    """Measure real galaxies in flux, a few at a time.

    Parameters
    ----------
    stamps : StampSet
        M real galaxies.
    stretch : LuptonStretch
        From flux to the display values of thumbnails.

    Raises
    ------
    DataError
        If there are none, or no flux is to be had: colour images of an unknown stretch.
    """
    if len(stamps) == 0:
        raise DataError(f"{stamps.source}: no galaxies to compare with.")
    if stamps.native == "display" and stamps.lupton is None:
        raise DataError(
            f"{stamps.source}: colour images of an unknown stretch cannot be measured; name it "
            'as "lupton" in galgen.json beside the images.'
        )
    measured, small = [], []
    for start in range(0, len(stamps), _CHUNK):
        flux_nhwc = stamps.flux(slice(start, start + _CHUNK))
        measured.append(measure(flux_nhwc, stamps.bands))
        display_nhwc = to_display(flux_nhwc.movedim(-1, 1).numpy(), stretch)
        small.append(thumbnails(torch.from_numpy(display_nhwc)))
    columns = {name: torch.cat([m[name] for m in measured]).numpy() for name in measured[0]}
    return Reference(stamps, columns, torch.cat(small))
