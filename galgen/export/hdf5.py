"""Catalogues as HDF5, for those who do not read FITS."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import h5py
import numpy as np

from galgen.catalog import CatalogFile
from galgen.runinfo import RunInfo
from galgen.system.files import check_output, written_output

_CHUNK = 256  # galaxies read at a time
_CHUNK_BYTES = 1 << 18  # of stamps in a chunk of the file: small enough to read one galaxy
_GZIP_LEVEL = 4


def export_hdf5(
    catalog_path: str | Path,
    out: str | Path,
    overwrite: bool = False,
    compress: bool = False,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write a catalogue as HDF5.

    Data set ``flux`` (n, b, h, w) float32, beside it ``category`` and ``id``
    (``<SEED>-<GALAXY_ID>``) of (n,): what `galgen.data.open_stamps` reads. Group ``catalog`` has
    every column of the table, with attributes ``unit`` and ``description``. Provenance is in the
    attributes of the file. Equal catalogues give equal bytes, with equal versions of HDF5.

    Parameters
    ----------
    catalog_path : str or Path
        The catalogue.
    out : str or Path
        File to write. It has its name once it is finished.
    overwrite : bool
        Replace an existing file.
    compress : bool
        Shuffle and gzip, without loss: a seventh smaller where there is sky noise, and twice as
        slow or more.
    progress : callable, optional
        Called with the number of galaxies written so far.

    Returns
    -------
    int
        Galaxies written.

    Raises
    ------
    OutputError
        If `out` cannot be written; nothing has been then.
    DataError, CatalogError
        If the catalogue is missing, or not one.
    """
    out = Path(out)
    check_output(out, overwrite, [Path(catalog_path)])
    filters = {"shuffle": True, "compression": "gzip", "compression_opts": _GZIP_LEVEL}
    with CatalogFile(catalog_path) as catalog, written_output(out, overwrite) as aside:
        with h5py.File(aside, "w") as file:
            _export(catalog, file, filters if compress else {}, progress)
        return len(catalog)


def _export(
    catalog: CatalogFile,
    file: h5py.File,
    filters: dict[str, object],
    progress: Callable[[int], None] | None,
) -> None:
    """Write attributes, the table and the stamps to a file that is open."""
    n, info = len(catalog), catalog.info
    file.attrs.update(_attributes(info))
    shape = (len(info.bands), info.height, info.width)
    per_chunk = min(n, max(1, _CHUNK_BYTES // (4 * int(np.prod(shape)))))
    flux = file.create_dataset(
        "flux", (n, *shape), np.float32, chunks=(per_chunk, *shape), **filters
    )
    flux.attrs.update(bands=",".join(info.bands), unit=info.flux_unit)
    group = file.create_group("catalog")
    for column in catalog.columns:
        dtype = catalog.rows.dtype[column.name].newbyteorder("=")
        values = group.create_dataset(column.name, (n, *dtype.shape), dtype.base)
        values.attrs.update(unit=column.unit, description=column.description)
    names = catalog.rows.dtype["CATEGORY_NAME"]
    file.create_dataset("category", (n,), names)
    file.create_dataset("id", (n,), "S40")
    for start in range(0, n, _CHUNK):
        index = slice(start, min(start + _CHUNK, n))
        rows = catalog.rows[index]
        flux[index] = catalog.stamps(index)
        for name, values in group.items():
            values[index] = rows[name]
        file["category"][index] = rows["CATEGORY_NAME"]
        pairs = zip(rows["SEED"].tolist(), rows["GALAXY_ID"].tolist(), strict=True)
        file["id"][index] = np.array([f"{seed}-{i}" for seed, i in pairs], "S40")
        if progress is not None:
            progress(index.stop)


def _attributes(info: RunInfo) -> dict[str, object]:
    """Provenance as attributes of the file; what a run does not have is left out."""
    values = {field.name: getattr(info, field.name) for field in fields(info)}
    values |= {"bands": ",".join(info.bands), "versions": json.dumps(dict(info.versions))}
    values["unit"] = values.pop("flux_unit")
    values["tree"] = json.dumps(info.tree.to_json())
    del values["carried"]  # columns of the group "catalog" like others
    return {name: value for name, value in values.items() if value not in (None, ())}
