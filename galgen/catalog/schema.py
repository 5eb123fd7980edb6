"""The columns of the table ``CATALOG``: names, types, units and meanings, defined here only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from galgen import categories
from galgen.batch import GalaxyBatch
from galgen.errors import InvalidValueError
from galgen.measure.columns import measured_columns

# FITS standard 4.0, table 18. Big-endian, as in the file.
_TFORM = {">i8": "K", ">i2": "I", ">f4": "E", "S18": "18A"}
_NAMES = np.array([category.name for category in categories.CATEGORIES], dtype="S18")


@dataclass(frozen=True)
class CatalogColumn:
    """One column of the table.

    Attributes
    ----------
    name : str
        ``TTYPEn``.
    dtype : str
        NumPy type as stored, big-endian.
    unit : str
        ``TUNITn``; empty for a number without unit.
    description : str
        ``TCOMMn``.
    """

    name: str
    dtype: str
    unit: str
    description: str

    @property
    def tform(self) -> str:
        """FITS type, ``TFORMn``."""
        return _TFORM[self.dtype]


def catalog_columns(bands: Sequence[str], flux_unit: str) -> list[CatalogColumn]:
    """Columns of a catalogue with these bands, in file order.

    Rows are a multiple of 4 bytes long, so that DATASUM parts of any rows can be added: the name
    takes 18 bytes to go with the 2 of its code.

    Parameters
    ----------
    bands : sequence of str
        Bluest first.
    flux_unit : str
        FITS unit of the fluxes.
    """
    return [
        # Signed, because TOPCAT turns unsigned 64-bit columns into strings.
        CatalogColumn("GALAXY_ID", ">i8", "", "index of the galaxy in its run"),
        CatalogColumn("SEED", ">i8", "", "seed of the run; with GALAXY_ID, one galaxy"),
        CatalogColumn("CATEGORY", ">i2", "", "morphology asked for, code n of card CATnnn"),
        CatalogColumn("CATEGORY_NAME", "S18", "", "morphology asked for"),
        *(
            CatalogColumn(column.name, ">f4", column.unit, column.description)
            for column in measured_columns(bands, flux_unit)
        ),
    ]


def row_dtype(columns: Sequence[CatalogColumn]) -> np.dtype:
    """Structured type of one row, without gaps."""
    dtype = np.dtype([(column.name, column.dtype) for column in columns])
    assert dtype.itemsize % 4 == 0
    return dtype


def pack_rows(batch: GalaxyBatch, dtype: np.dtype) -> np.ndarray:
    """Rows of the table for a batch.

    Raises
    ------
    InvalidValueError
        If a measured column is missing or unknown, or a category code is not in the taxonomy.
    """
    measured = [name for name in dtype.names if dtype[name] == np.dtype(">f4")]
    if set(batch.measured) != set(measured):
        raise InvalidValueError("measured columns", sorted(batch.measured), ", ".join(measured))
    unknown = (batch.category_n < 0) | (batch.category_n >= len(_NAMES))
    if unknown.any():
        code = int(batch.category_n[unknown][0])
        raise InvalidValueError("category code", code, f"0..{len(_NAMES) - 1}")
    rows = np.empty(len(batch), dtype)
    rows["GALAXY_ID"] = batch.galaxy_id_n
    rows["SEED"] = batch.seed
    rows["CATEGORY"] = batch.category_n
    rows["CATEGORY_NAME"] = _NAMES[batch.category_n]
    for name in measured:
        rows[name] = batch.measured[name]
    return rows
