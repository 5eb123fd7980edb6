"""Tables in Parquet, of which only the columns that are wanted are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from galgen.errors import MissingPackageError
from galgen.system.bounds import check_unpacked, text_array

if TYPE_CHECKING:
    import pyarrow as pa

_VALUE = 8  # bytes that a row takes at least, once it is read


class Parquet:
    """Columns of a Parquet file, by their names.

    Attributes
    ----------
    names : list of str
        Names of its columns.
    n : int
        How many rows it has.
    by_astropy : bool
        Whether astropy has written it: then it alone knows which columns belong together.

    Raises
    ------
    MissingPackageError
        If pyarrow is not installed.
    DataError
        If it says to have far more than a file of its size can.
    """

    def __init__(self, path: Path) -> None:
        try:
            from pyarrow import parquet
        except ImportError as error:
            raise MissingPackageError(f"pyarrow, which reads {path},", "hats", error) from None
        self._path, self._stored = path, path.stat().st_size
        self._file = parquet.ParquetFile(path)
        metadata = self._file.metadata
        groups = [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]
        check_unpacked(path, max(sum(groups), _VALUE * metadata.num_rows), self._stored)
        schema = self._file.schema_arrow
        self.names, self.n = list(schema.names), int(self._file.metadata.num_rows)
        self.by_astropy = b"table_meta_yaml" in (schema.metadata or {})

    def column(self, i: int) -> tuple[np.ndarray, np.ndarray, str, str]:
        """Read a column: values, where there is none, unit and description."""
        field = self._file.schema_arrow.field(i)
        about = {key.lower(): text.decode() for key, text in (field.metadata or {}).items()}
        chunks = self._file.read(columns=[field.name]).column(0)
        values, mask = _arrays(chunks, f"{self._path}: {field.name}", self._stored)
        return values, mask, about.get(b"unit", ""), about.get(b"description", "")


def _arrays(chunks: pa.ChunkedArray, where: str, stored: int) -> tuple[np.ndarray, np.ndarray]:
    """Return values (n, ...) and mask of the same shape."""
    import pyarrow as pa

    if pa.types.is_dictionary(chunks.type):
        chunks = chunks.cast(chunks.type.value_type)
    kind, n = chunks.type, len(chunks)
    none_n = np.asarray(chunks.is_null().to_numpy(), bool)
    if pa.types.is_decimal(kind):
        chunks, kind = chunks.cast(pa.float64()), pa.float64()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        zero = pa.scalar(0).cast(kind)
        return chunks.fill_null(zero).to_numpy(), none_n
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_duration(kind):
        return chunks.to_numpy().astype(_precise(kind)), none_n
    items: list[Any] = chunks.to_pylist()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return text_array(where, [item or "" for item in items], stored), none_n
    objects = np.empty(n, object)
    for i, item in enumerate(items):  # item by item, as lists would become another axis
        objects[i] = item
    return objects, none_n


def _precise(kind: pa.DataType) -> str:
    """Return NumPy's type of dates or spans, as precise as they are."""
    span = "m8" if str(kind).startswith("duration") else "M8"
    return f"{span}[{getattr(kind, 'unit', 'D')}]"
