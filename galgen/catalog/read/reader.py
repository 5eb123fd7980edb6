"""Read a catalogue, memory-mapped."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType

import fitsio
import numpy as np
from astropy.io import fits
from astropy.table import QTable

from galgen.batch import IDENTITY, SPARE, GalaxyBatch
from galgen.catalog.format import headers
from galgen.catalog.format.parts import Part, read_parts
from galgen.catalog.format.stamps import decode
from galgen.catalog.format.tiled import TiledCube
from galgen.catalog.read.opening import read_headers
from galgen.catalog.read.qtable import as_table
from galgen.columns import Column, numbered_dtype, read_columns
from galgen.errors import CatalogError, DataError, InvalidValueError, reading
from galgen.system.cfitsio import open_cfitsio
from galgen.system.inputs import open_input


class CatalogFile:
    """A finished catalogue, open for reading; use it in a ``with`` block or `close` it.

    Pixels and rows are read from disk when they are asked for.

    Parameters
    ----------
    path : str or Path
        The catalogue, or one file of several.

    Attributes
    ----------
    path : Path
        The file.
    info : RunInfo
        Provenance. Text outside ASCII is not kept by FITS. Where catalogues were put together it
        names several runs or the first one; `parts` has each.
    hdus : astropy.io.fits.HDUList
        The file itself; stamps as they are stored, int16 is not scaled.

    Raises
    ------
    DataError
        If there is no such file, or it cannot be opened.
    CatalogError
        If it is not a galgen catalogue, or damaged so far that it cannot be read. What reads well
        may be damaged too: see `galgen.catalog.check.file`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            # Opened here because astropy leaves a file open whose first header is cut off.
            self._file = open_input(self.path)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be opened: {error.strerror}.") from error
        try:
            self.hdus, self.info = read_headers(self.path, self._file)
        except BaseException:
            self._file.close()
            raise

    def __len__(self) -> int:
        """Galaxies in the file; fewer than `info.n` if the run was stopped."""
        return int(self.hdus[0].header["NGAL"])

    @property
    def bands(self) -> tuple[str, ...]:
        """Band names, bluest first."""
        return self.info.bands

    @property
    def compressed(self) -> bool:
        """Whether stamps are compressed; they are read as if they were not."""
        return any(isinstance(hdu, fits.CompImageHDU) for hdu in self.hdus)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The runs that the galaxies are from, one unless catalogues were put together."""
        with reading(self.path, "parts of a catalogue", CatalogError, values=True):
            try:
                return read_parts(self.hdus, int(self.rows["GALAXY_ID"][0]))
            except CatalogError as error:  # knows of no path
                raise CatalogError(f"{self.path}: {error}") from error

    @cached_property
    def rows(self) -> np.ndarray:
        """The table as it is in the file, structured, big-endian and memory-mapped."""
        rows: np.ndarray = self.hdus[headers.CATALOG].data.view(np.ndarray)
        return rows

    @cached_property
    def stored(self) -> np.ndarray:
        """The same of `numbered_dtype`, for `Column.values`: types of astropy differ from it."""
        stored: np.ndarray = self.rows.view(numbered_dtype(self.columns))
        return stored

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Columns of the table, in file order."""
        return tuple(read_columns(self.hdus[headers.CATALOG].header))

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in file order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Read the values of one column, see `galgen.columns.Column.values`.

        Parameters
        ----------
        name : str
            The column.
        rows : slice or ndarray of int
            Which rows; by default all.

        Returns
        -------
        ndarray (n, ...)
            In native byte order, text as str; a masked array where integers or logicals are null.

        Raises
        ------
        InvalidValueError
            If there is no such column, or its rows differ in length.
        """
        if name not in self.column_names:
            raise InvalidValueError("column", name, ", ".join(self.column_names))
        number = self.column_names.index(name)
        raw = self.stored[f"{number}"]
        return self.columns[number].values(raw[rows])

    @cached_property
    def _carried(self) -> frozenset[str]:
        """Names of the columns that are carried over from an input table."""
        return frozenset(column.name for column in self.info.carried)

    @cached_property
    def table(self) -> QTable:
        """The whole table with units and descriptions; NaN where something was not measured."""
        return as_table(self.columns, self.column)

    def stamps(self, index: int | slice | np.ndarray = slice(None)) -> np.ndarray:
        """Read the stamps of some galaxies.

        Parameters
        ----------
        index : int, slice or ndarray of int
            Rows of the table; by default all.

        Returns
        -------
        ndarray (n, b, h, w) float32
            Flux per pixel in `info.flux_unit`; without the first axis for an int.

        Raises
        ------
        InvalidValueError
            If the catalogue was written without stamps.
        """
        self.check_stamps()
        cubes = [self._flux(number, index) for number in range(len(self.bands))]
        return np.stack(cubes, axis=-3, dtype=np.float32)

    def check_stamps(self) -> None:
        """Raise InvalidValueError if the catalogue was written without stamps."""
        if self.info.stamps == "none":
            hint = "It was written with `stamps='none'` and has its table only."
            allowed = "a catalogue that has them"
            raise InvalidValueError(f"stamps of {self.path}", "none", allowed, hint)

    def _flux(self, number: int, index: int | slice | np.ndarray) -> np.ndarray:
        """Stamps (n, h, w) of band `number`, as flux."""
        name = headers.stamps_name(self.bands[number])
        if self._tiles:
            return TiledCube(self._tiles[name])[index]  # scaled by CFITSIO
        stored = self.hdus[name].data[index]
        return decode(stored, *self.info.scaling[number]) if self.info.scaling else stored

    @cached_property
    def _tiles(self) -> fitsio.FITS | None:
        """The file as CFITSIO sees it, where stamps are compressed."""
        return open_cfitsio(self.path) if self.compressed else None

    def batches(self, size: int = 1024) -> Iterator[GalaxyBatch]:
        """Read the galaxies in order, up to `size` of one part at a time, as they were written.

        Raises
        ------
        InvalidValueError
            If the catalogue was written without stamps.
        """
        others = {*IDENTITY, SPARE, *self._carried}
        names = [name for name in self.column_names if name not in others]
        for part in self.parts:
            for start in range(part.start, part.stop, size):
                index = slice(start, min(start + size, part.stop))
                rows = self.rows[index]
                yield GalaxyBatch(
                    galaxy_id_n=_native(rows["GALAXY_ID"]),
                    category_n=_native(rows["CATEGORY"]),
                    stamps_nbhw=self.stamps(index),
                    measured={name: _native(rows[name]) for name in names},
                    bands=self.bands,
                    seed=part.info.seed,
                    carried={column.name: rows[column.name] for column in self.info.carried},
                )

    def __enter__(self) -> CatalogFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; arrays got from it before stay valid."""
        if "_tiles" in vars(self) and self._tiles:
            self._tiles.close()
        self.hdus.close()
        self._file.close()


def _native(values: np.ndarray) -> np.ndarray:
    """Convert to native byte order."""
    return values.astype(values.dtype.newbyteorder("="))
