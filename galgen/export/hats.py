"""Catalogues as HATS: parquet files partitioned by HEALPix pixel, which LSDB reads.

HATS is the IVOA note "HATS: hierarchical adaptive tiling scheme" (https://hats.readthedocs.io).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units

from galgen import __version__
from galgen.catalog import CatalogFile
from galgen.columns import Column, numbered_dtype
from galgen.errors import InvalidValueError, MissingPackageError
from galgen.export.partition import Partition, partition_pixels
from galgen.export.positions import Positions, Range
from galgen.system.files import check_folder_output, written_output
from galgen.system.inputs import open_input

ROWS = 1_000_000
_HEALPIX, _ORDER = "_healpix_29", 29
_SKY, _STORED = "sky", "stored"  # in the scratch file: position in degrees, bytes of the catalogue
_FINEST = 10  # order of the smallest partitions
_CHUNK = 1 << 16  # rows at a time
_BUILDER = f"galgen {__version__}"


def export_hats(
    catalog_path: str | Path,
    out: str | Path,
    ra: Range | None = None,
    dec: Range | None = None,
    rows: int = ROWS,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write the table of a catalogue as a HATS catalogue, without stamps.

    Columns have the names of the catalogue, with ``unit`` and ``description`` in the metadata of
    each, and null where FITS has a null; ``RA`` and ``DEC`` where positions are drawn, ``RA_DEG``
    and ``DEC_DEG`` where those of the catalogue are not numbers in degrees; and ``_healpix_29``, in
    which the rows of a partition rise. GALAXY_ID and SEED lead back to the stamps.

    Parameters
    ----------
    catalog_path : str or Path
        The catalogue.
    out : str or Path
        Folder to write; its name is that of the HATS catalogue. It has its name once it is
        finished.
    ra, dec : tuple of float, optional
        Draw positions from this part of the sky; see `galgen.export.positions.Positions`. By
        default they are columns RA and DEC of the catalogue.
    rows : int
        Most rows of a partition: pixels are as large as that allows.
    overwrite : bool
        Replace a folder that was exported before.
    progress : callable, optional
        Called with the number of galaxies read so far, for the second time.

    Returns
    -------
    int
        Galaxies written.

    Raises
    ------
    MissingPackageError
        Without pyarrow or astropy-healpix.
    OutputError
        If `out` cannot be written; nothing has been then.
    InvalidValueError
        If there are no positions or no valid ranges, or more than `rows` galaxies are in one pixel
        of order 10 (3.4 arcmin).
    DataError, CatalogError
        If the catalogue is missing, not one, or has positions that are none.

    Notes
    -----
    Two passes: galaxies are counted by pixel, then moved to their partition's place in a scratch
    file in the output folder, as large as the table. Memory is that of one partition.
    """
    pyarrow = _pyarrow()
    out = Path(out)
    if not 1 <= rows < 2**63:
        raise InvalidValueError("rows", rows, "1 to 2^63 - 1 per partition")
    check_folder_output(out, overwrite, _is_export, [Path(catalog_path)])
    with CatalogFile(catalog_path) as catalog, written_output(out, overwrite) as aside:
        positions = Positions(catalog, ra, dec)
        counts = np.zeros(12 * 4**_FINEST, np.int64)
        for chunk in _located(catalog, positions):
            pixel, n = np.unique(_coarser(chunk[_HEALPIX]), return_counts=True)
            counts[pixel] += n
        partitions, owner = partition_pixels(counts, rows)
        scratch = aside / ".scratch"
        (aside / "dataset").mkdir(parents=True)
        _scatter(scratch, _located(catalog, positions), partitions, owner, progress)
        schema = _schema(pyarrow, catalog, positions)
        _write(pyarrow, aside / "dataset", scratch, catalog.columns, partitions, schema)
        scratch.unlink()
        info = "".join(f"{p.order},{p.pixel}\n" for p in partitions)
        (aside / "partition_info.csv").write_text("Norder,Npix\n" + info)
        name = out.name.encode(errors="replace").decode()  # which may be any bytes
        text = _properties(name, catalog, positions, partitions, rows)
        for name in ("hats.properties", "properties"):  # the second is what older readers look for
            (aside / name).write_text(text)
        return len(catalog)


def _pyarrow() -> Any:
    """Import pyarrow, and astropy-healpix for later: only this export needs them."""
    try:
        import astropy_healpix  # noqa: F401
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingPackageError("What export to HATS needs", "hats", error) from error
    return pyarrow


def _coarser(healpix_n: np.ndarray) -> np.ndarray:
    """Pixels of the finest order of partitions, of pixels of the order in the catalogue."""
    coarser_n: np.ndarray = healpix_n >> 2 * (_ORDER - _FINEST)
    return coarser_n


def _row(columns: Sequence[Column]) -> np.dtype[Any]:
    """Structured type of a row of the scratch file: that of the catalogue, and its position."""
    return np.dtype([(_HEALPIX, "i8"), (_SKY, "f8", (2,)), (_STORED, numbered_dtype(columns))])


def _located(catalog: CatalogFile, positions: Positions) -> Iterator[np.ndarray]:
    """Yield the rows of the table with their positions, some at a time."""
    from astropy_healpix import lonlat_to_healpix  # not everybody has it, see `_pyarrow`

    dtype = _row(catalog.columns)
    for number, part in enumerate(catalog.parts):
        for start in range(part.start, part.stop, _CHUNK):
            stop = min(start + _CHUNK, part.stop)
            chunk = np.empty(stop - start, dtype)
            chunk[_STORED] = catalog.stored[start:stop]
            ra_n, dec_n = positions.of(number, part, start, stop)
            chunk[_SKY][:, 0], chunk[_SKY][:, 1] = ra_n, dec_n
            chunk[_HEALPIX] = lonlat_to_healpix(
                ra_n * units.deg, dec_n * units.deg, 2**_ORDER, order="nested"
            )
            yield chunk


def _scatter(
    scratch: Path,
    chunks: Iterator[np.ndarray],
    partitions: list[Partition],
    owner: np.ndarray,
    progress: Callable[[int], None] | None,
) -> None:
    """Write rows to the places of their partitions."""
    place = np.array([p.start for p in partitions])
    done = 0
    with scratch.open("wb") as file:
        for chunk in chunks:
            of_row = owner[_coarser(chunk[_HEALPIX])]
            chunk = chunk[np.argsort(of_row, kind="stable")]
            numbers, counts = np.unique(of_row, return_counts=True)
            first = 0
            for number, n in zip(numbers, counts, strict=True):
                file.seek(int(place[number]) * chunk.itemsize)
                file.write(chunk[first : first + n].tobytes())
                place[number] += n
                first += n
            done += len(chunk)
            if progress is not None:
                progress(done)


def _schema(pyarrow: Any, catalog: CatalogFile, positions: Positions) -> Any:
    """Make the schema of the parquet files, with unit and description of each column."""
    fields = [pyarrow.field(_HEALPIX, pyarrow.int64(), nullable=False)]
    for column in catalog.columns:
        values = _plain(catalog.column(column.name, slice(0)))
        about = {"unit": column.unit, "description": column.description}
        about = {key: value for key, value in about.items() if value}
        if values.ndim > 1 + len(column.shape):
            about["complex"] = "real, imaginary"
        text = values.dtype.kind == "U"
        kind = pyarrow.string() if text else pyarrow.from_numpy_dtype(values.dtype)
        for length in reversed(values.shape[1:]):
            kind = pyarrow.list_(kind, length)
        fields.append(pyarrow.field(column.name, kind, metadata=about))
    about = {"unit": "deg", "description": positions.origin}
    fields += [pyarrow.field(name, pyarrow.float64(), metadata=about) for name in positions.added]
    return pyarrow.schema(fields)


def _plain(values: np.ndarray) -> np.ndarray:
    """Complex numbers as (..., 2) real ones: parquet has none; others as they are."""
    if values.dtype.kind != "c":
        return values
    return np.stack([values.real, values.imag], axis=-1)


def _write(
    pyarrow: Any,
    dataset: Path,
    scratch: Path,
    columns: Sequence[Column],
    partitions: list[Partition],
    schema: Any,
) -> None:
    """Write one parquet file per partition, and what all have in common."""
    collected: list[Any] = []
    with scratch.open("rb") as file:
        for part in partitions:
            found = np.fromfile(file, _row(columns), part.n)
            found = found[np.argsort(found[_HEALPIX], kind="stable")]
            stored = [found[_STORED][f"{i}"] for i in range(len(columns))]
            values = [c.values(raw) for c, raw in zip(columns, stored, strict=True)]
            # Columns of positions come last, if there are any.
            values = [found[_HEALPIX], *values, *found[_SKY].T][: len(schema)]
            fields = zip(values, schema, strict=True)
            arrays = [_array(pyarrow, _plain(array), field.type) for array, field in fields]
            path = dataset / part.path
            path.parent.mkdir(parents=True, exist_ok=True)
            pyarrow.parquet.write_table(
                pyarrow.Table.from_arrays(arrays, schema=schema),
                path,
                compression="zstd",
                metadata_collector=collected,
            )
            collected[-1].set_file_path(part.path)
    pyarrow.parquet.write_metadata(schema, dataset / "_common_metadata")
    pyarrow.parquet.write_metadata(schema, dataset / "_metadata", metadata_collector=collected)


def _array(pyarrow: Any, values: np.ndarray, kind: Any) -> Any:
    """Values (n, ...) as an array of pyarrow; those that are masked are null."""
    if values.ndim > 1:
        flat = _array(pyarrow, values.reshape(-1, *values.shape[2:]), kind.value_type)
        return pyarrow.FixedSizeListArray.from_arrays(flat, type=kind)
    mask = np.ma.getmaskarray(values) if np.ma.is_masked(values) else None
    return pyarrow.array(np.ascontiguousarray(np.ma.getdata(values)), type=kind, mask=mask)


def _properties(
    name: str, catalog: CatalogFile, positions: Positions, partitions: list[Partition], rows: int
) -> str:
    """Text of ``hats.properties``."""
    info = catalog.info
    weights = f"{info.model} {info.weights_sha256}"
    fluxes = f"{info.flux_unit} ({info.flux_calibration})"
    about = f"Weights {weights}, seed {info.seed}; fluxes in {fluxes}. {info.credit}"
    sky = sum(4.0**-p.order / 12 for p in partitions)
    values = {
        "obs_collection": name,
        "dataproduct_type": "object",
        "obs_title": f"Galaxies made by galgen: {info.request}",
        "obs_description": about,
        "hats_nrows": len(catalog),
        "hats_col_ra": positions.columns[0],
        "hats_col_dec": positions.columns[1],
        "hats_col_healpix": _HEALPIX,
        "hats_col_healpix_order": _ORDER,
        "hats_npix_suffix": ".parquet",
        "hats_order": max(p.order for p in partitions),
        "hats_max_rows": rows,
        "moc_sky_fraction": f"{sky:.8g}",
        "hats_builder": _BUILDER,
        "hats_version": "v1.0",
    }
    return "#HATS catalog\n" + "".join(f"{key}={value}\n" for key, value in values.items())


def _is_export(folder: Path) -> bool:
    """Whether `export_hats` has written a folder."""
    try:
        with open_input(folder / "hats.properties") as file:
            return b"hats_builder=galgen " in file.read()
    except (OSError, ValueError):
        return False
