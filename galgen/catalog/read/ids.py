"""What galaxies of a catalogue are called in other files, where each needs a name of its own."""

from __future__ import annotations

import numpy as np

from galgen.batch import galaxy_names
from galgen.catalog.read.reader import CatalogFile


def galaxy_ids(catalog: CatalogFile, rows: slice) -> list[str]:
    """Name galaxies as `galgen.batch.galaxy_names` does.

    Parameters
    ----------
    catalog : CatalogFile
        The catalogue.
    rows : slice
        Rows of it.
    """
    seeds, ids = (catalog.column(name, rows).tolist() for name in ("SEED", "GALAXY_ID"))
    if len(catalog.parts) == 1:
        return galaxy_names(seeds, ids)
    starts = [part.start for part in catalog.parts]
    row_n = np.arange(*rows.indices(len(catalog)))
    part_n = np.searchsorted(starts, row_n, side="right") - 1
    return galaxy_names(seeds, ids, part_n.tolist())
