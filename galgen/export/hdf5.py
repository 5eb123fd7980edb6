"""Catalogues as HDF5, for those who do not read FITS."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from galgen.catalog import CatalogFile
from galgen.catalog.read.ids import galaxy_ids
from galgen.columns import Column
from galgen.runinfo import RunInfo
from galgen.system.files import check_output, written_output

_CHUNK = 256  # galaxies read at a time
_ROWS = 1 << 16  # of a column of text, looked through at a time
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

    Data set ``flux`` (n, b, h, w) float32, beside it ``category`` and ``id`` of (n,)
    (``<SEED>-<GALAXY_ID>``, see `galgen.catalog.read.ids`): what `galgen.data.open_stamps` reads.
    Group ``catalog`` has the values of every column of the table, with attributes ``unit`` and
    ``description``; a slash in a name becomes ``_``, and the attribute ``name`` has it. Where an
    integer or a logical can be null, the group ``null`` has a data set of bool of the same name.
    Text that is not ASCII is UTF-8. Provenance is in the attributes of the file. Equal catalogues
    give equal bytes, with equal versions of HDF5.

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
    named = {}
    for column in catalog.columns:
        named[column.name] = name = _free(group, column.name)
        values = group.create_dataset(name, (n, *column.shape), _type(catalog, column))
        values.attrs.update(unit=column.unit, description=column.description)
        if name != column.name:
            values.attrs["name"] = column.name
    names = catalog.rows.dtype["CATEGORY_NAME"]
    file.create_dataset("category", (n,), names)
    ids = "S40" if len(catalog.parts) == 1 else "S60"
    file.create_dataset("id", (n,), ids)
    for start in range(0, n, _CHUNK):
        index = slice(start, min(start + _CHUNK, n))
        rows = catalog.rows[index]
        flux[index] = catalog.stamps(index)
        for theirs, name in named.items():
            _write(file, name, index, catalog.column(theirs, index))
        file["category"][index] = rows["CATEGORY_NAME"]
        file["id"][index] = np.array(galaxy_ids(catalog, index), ids)
        if progress is not None:
            progress(index.stop)


def _type(catalog: CatalogFile, column: Column) -> np.dtype[Any]:
    """Type of a data set with the values of a column; text that is not ASCII becomes UTF-8."""
    dtype = catalog.column(column.name, slice(0)).dtype
    if dtype.kind != "U":
        return dtype
    longest, plain = 1, True
    for start in range(0, len(catalog), _ROWS):
        texts = catalog.column(column.name, slice(start, start + _ROWS))
        octets = np.strings.encode(texts, "utf-8")
        longest = max(longest, octets.dtype.itemsize)
        plain &= bool((np.strings.str_len(octets) == np.strings.str_len(texts)).all())
    width = column.dtype.itemsize // math.prod(column.shape)
    utf8: np.dtype[Any] = h5py.string_dtype("utf-8", longest)
    return np.dtype(f"S{width}") if plain else utf8


def _write(file: h5py.File, name: str, index: slice, values: np.ndarray) -> None:
    """Write some values of a column; which of them are null goes beside, from the first one on."""
    data = file["catalog"][name]
    if np.ma.is_masked(values):
        if name not in (group := file.require_group("null")):
            group.create_dataset(name, data.shape, bool)
            data.attrs["null"] = f"/null/{name}"
        group[name][index] = np.ma.getmaskarray(values)
    if values.dtype.kind == "U":
        # Of the type of the data set: HDF5 converts no encodings.
        values = np.strings.encode(values, "utf-8").astype(data.dtype)
    data[index] = np.ma.getdata(values)


def _free(group: h5py.Group, name: str) -> str:
    """Name of a data set for a column: HDF5 takes slashes for groups."""
    name = name.replace("/", "_") if name != "." else "_"
    while name in group:
        name += "_"
    return name


def _attributes(info: RunInfo) -> dict[str, object]:
    """Provenance as attributes of the file; what a run does not have is left out."""
    values = {field.name: getattr(info, field.name) for field in fields(info)}
    values |= {"bands": ",".join(info.bands), "versions": json.dumps(dict(info.versions))}
    values["unit"] = values.pop("flux_unit")
    values["tree"] = json.dumps(info.tree.to_json())
    del values["carried"]  # columns of the group "catalog" like others
    return {name: value for name, value in values.items() if value not in (None, ())}
