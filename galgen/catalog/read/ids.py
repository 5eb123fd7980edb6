"""What galaxies of a catalogue are called in other files, where each needs a name of its own."""

from __future__ import annotations

import numpy as np

from galgen.catalog.read.reader import CatalogFile


def galaxy_ids(catalog: CatalogFile, rows: slice) -> list[str]:
    """Name galaxies ``<SEED>-<GALAXY_ID>``.

    Where catalogues were put together GALAXY_ID, and even SEED, may be there more than once: then
    the number of the part comes first, ``<PART>-<SEED>-<GALAXY_ID>``.

    Parameters
    ----------
    catalog : CatalogFile
        The catalogue.
    rows : slice
        Rows of it.
    """
    row_n = np.arange(len(catalog))[rows]
    starts = [part.start for part in catalog.parts]
    part_n = np.searchsorted(starts, row_n, side="right") - 1
    prefixes = [f"{part}-" if len(starts) > 1 else "" for part in part_n.tolist()]
    seeds, ids = (catalog.column(name, rows).tolist() for name in ("SEED", "GALAXY_ID"))
    return [f"{p}{seed}-{i}" for p, seed, i in zip(prefixes, seeds, ids, strict=True)]
