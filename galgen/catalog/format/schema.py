"""The columns of the table ``CATALOG``: names, types, units and meanings, defined here only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from galgen.batch import IDENTITY, SPARE, GalaxyBatch
from galgen.categories import DEFAULT, Taxonomy
from galgen.columns import Column
from galgen.errors import InvalidValueError
from galgen.measure.columns import column, measured_columns, truth_columns
from galgen.runinfo import RunInfo

MOST_COLUMNS = 999  # of a FITS table (standard 4.0, section 7.3.1)
_CLASS = "meta.code.class;src.morph.type"


def run_columns(info: RunInfo) -> list[Column]:
    """List the columns of a run's catalogue, in file order.

    Behind those of `catalog_columns`: true fluxes, and columns carried over from an input table
    or of redshift, which are filled up to rows of whole 4-byte words.
    """
    truth = truth_columns(info.bands, info.flux_unit) if info.has_truth else ()
    columns = [
        *catalog_columns(info.bands, info.flux_unit, info.zero_point),
        *truth,
        *info.carried,
    ]
    carried_bytes = sum(carried.dtype.itemsize for carried in info.carried)
    if fill := -carried_bytes % 4:
        about = "zeros: rows are whole 4-byte words"
        columns.append(column(SPARE, "meta", "", about, f"{fill}A"))
    return columns


def catalog_columns(
    bands: Sequence[str], flux_unit: str, zero_point: float | None = None
) -> list[Column]:
    """List the columns that every catalogue with these bands has, in file order.

    Rows are a multiple of 4 bytes long, so that DATASUM parts of any rows can be added: the name
    takes 18 bytes to go with the 2 of its code.

    Parameters
    ----------
    bands : sequence of str
        Bluest first.
    flux_unit : str
        FITS unit of the fluxes.
    zero_point : float, optional
        AB magnitude of one flux unit, where it is known.
    """
    return [
        # Signed, because TOPCAT turns unsigned 64-bit columns into strings.
        column("GALAXY_ID", "meta.id;meta.main", "", "index of the galaxy in its run", "K"),
        column("SEED", "meta.id.part", "", "seed of the run; with GALAXY_ID, one galaxy", "K"),
        column("CATEGORY", _CLASS, "", "morphology asked for, code n of card CATnnn", "I"),
        column("CATEGORY_NAME", "src.morph.type", "", "morphology asked for", "18A"),
        *measured_columns(bands, flux_unit, zero_point),
    ]


def row_dtype(columns: Sequence[Column]) -> np.dtype[Any]:
    """Structured type of one row, without gaps, of columns that make whole 4-byte words."""
    dtype = np.dtype([(c.name, c.dtype) for c in columns])
    assert dtype.itemsize % 4 == 0
    return dtype


def pack_rows(batch: GalaxyBatch, dtype: np.dtype[Any], tree: Taxonomy = DEFAULT) -> np.ndarray:
    """Make the rows of the table for a batch.

    Parameters
    ----------
    batch : GalaxyBatch
        The galaxies.
    dtype : dtype
        Structured type of a row, see `row_dtype`.
    tree : Taxonomy
        Tree in which the categories have their codes and names.

    Returns
    -------
    ndarray (n,) of `dtype`

    Raises
    ------
    InvalidValueError
        If a column is missing or unknown, or a category code is not in the tree.
    """
    names = dtype.names or ()
    others = {*IDENTITY, SPARE, *batch.carried}
    measured = [name for name in names if name not in others]
    if unknown := [name for name in batch.carried if name not in names]:
        raise InvalidValueError("carried columns", unknown, ", ".join(names))
    if set(batch.measured) != set(measured):
        raise InvalidValueError("measured columns", sorted(batch.measured), ", ".join(measured))
    outside_n = (batch.category_n < 0) | (batch.category_n >= len(tree))
    if outside_n.any():
        code = int(batch.category_n[outside_n][0])
        raise InvalidValueError("category code", code, f"0..{len(tree) - 1}")
    rows = np.zeros(len(batch), dtype)
    rows["GALAXY_ID"] = batch.galaxy_id_n
    rows["SEED"] = batch.seed
    rows["CATEGORY"] = batch.category_n
    rows["CATEGORY_NAME"] = np.array(tree.names, "S18")[batch.category_n]
    for name in measured:
        rows[name] = batch.measured[name]
    for name, values in batch.carried.items():
        rows[name] = values
    return rows
