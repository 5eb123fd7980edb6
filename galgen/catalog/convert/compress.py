"""Compress the stamps of catalogues."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from galgen.catalog.format import checksum, seal
from galgen.catalog.format.hdus import RawHdu, StreamSum, data_of, raw_hdus
from galgen.catalog.format.layout import BLOCK
from galgen.catalog.format.tiled import BITPIX_TYPES, DITHER_PERIOD, Codec
from galgen.catalog.read.reader import CatalogFile
from galgen.errors import CatalogError, InvalidValueError
from galgen.system.cfitsio import open_cfitsio
from galgen.system.files import check_output, written_output

QUANTIZE = 16.0
SUFFIX = ".fz"
_CHUNK = 256  # stamps at a time
_DITHER_STRIDE = 1009  # from band to band, so that their quantisation noise is unlike


@dataclass(frozen=True)
class Compressed:
    """What `compress_catalog` did; prints as text.

    Attributes
    ----------
    path : Path
        The file written.
    before, after : int
        Size in bytes of the catalogue and of this file.
    unit : str
        Unit of the errors, that of the flux.
    rms_error, largest_error : dict of str to float
        Errors of the pixels, by band; 0 where nothing was lost.
    """

    path: Path
    before: int
    after: int
    unit: str
    rms_error: dict[str, float]
    largest_error: dict[str, float]

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.before / self.after:.2f} times smaller"]
        if not any(self.largest_error.values()):
            return f"{lines[0]}, every bit kept"
        lines += [
            f"  {band}: error {rms:.3g} {self.unit} rms, {self.largest_error[band]:.3g} at most"
            for band, rms in self.rms_error.items()
        ]
        return "\n".join(lines)


def compress_catalog(
    path: str | Path,
    out: str | Path | None = None,
    quantize: float = QUANTIZE,
    lossless: bool = False,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Compressed:
    """Compress the stamps of a catalogue, one tile per stamp; the table stays as it is.

    Integers are compressed with Rice without loss. Floats are first quantised, with subtractive
    dithering (Pence, Seaman & White 2009), in steps of a fraction of each stamp's own noise:
    ``sigma / quantize``, sigma from the median of third-order differences. That adds
    ``1 / (sqrt(12) * quantize)`` sigma of noise and no bias. `CatalogFile`, and every reader of
    FITS that knows the tiled-image convention, reads the result as if it were not compressed.

    Parameters
    ----------
    path : str or Path
        The catalogue.
    out : str or Path, optional
        File to write, by default ``<path>.fz``. It has its name once it is finished.
    quantize : float
        Quantisation steps per sigma of noise, 1 to 1,000.
    lossless : bool
        Keep every bit of floats too (GZIP_2). `decompress_catalog` then restores the very file.
    overwrite : bool
        Replace an existing file.
    progress : callable, optional
        Called with the number of stamps compressed so far, of all bands.

    Returns
    -------
    Compressed
        Measured by reading the result with CFITSIO before it gets its name.

    Raises
    ------
    OutputError
        If `out` cannot be written; nothing has been then.
    InvalidValueError
        If `quantize` is out of range, or the catalogue is compressed or has no stamps.
    CatalogError, DataError
        If the catalogue is missing, damaged or not one, or has pixels that are not finite.

    Notes
    -----
    Memory does not depend on the number of galaxies.
    """
    path = Path(path)
    out = path.with_name(path.name + SUFFIX) if out is None else Path(out)
    if not 1 <= quantize <= 1000:
        raise InvalidValueError("quantize", quantize, "1 to 1000 steps per sigma of noise")
    check_output(out, overwrite, [path])
    with CatalogFile(path) as catalog:
        catalog.check_stamps()
        if catalog.compressed:
            raise InvalidValueError("catalogue", str(path), "one that is not compressed")
        unit = catalog.info.flux_unit
    done = 0
    codecs: dict[str, Codec] = {}
    with written_output(out, overwrite) as aside:
        with aside.open("wb+") as file:
            for hdu in raw_hdus(path):
                if hdu.name.startswith("STAMPS_"):
                    bitpix = hdu.header["BITPIX"]
                    q = None if lossless or bitpix > 0 else float(quantize)
                    codec = Codec(bitpix, q, _DITHER_STRIDE * len(codecs) % DITHER_PERIOD + 1)
                    codecs[hdu.name] = codec
                    for n in _compress_hdu(file, path, hdu, codec):
                        done += n
                        if progress is not None:
                            progress(done)
                else:
                    file.writelines(data_of(path, hdu, whole=True))
        rms, largest = _measure(path, aside, codecs)
        return Compressed(out, path.stat().st_size, aside.stat().st_size, unit, rms, largest)


def _compress_hdu(file: BinaryIO, path: Path, hdu: RawHdu, codec: Codec) -> Iterator[int]:
    """Append an image, compressed; yield how many stamps at a time."""
    start, n = file.tell(), hdu.header["NAXIS3"]
    table_start = start + len(codec.header(hdu.header, 0, [0] * len(codec.blobs)).tostring())
    heap_start = table_start + n * codec.row.itemsize
    table_sum, heap_sum = StreamSum(), StreamSum(heap_start - table_start)
    heap_bytes = 0
    longest = [0] * len(codec.blobs)
    for first, stamps_nhw in _stored_stamps(path, hdu):
        rows, heap = codec.compress(stamps_nhw, first)
        blobs = [rows[name] for name in codec.blobs]
        for blob in blobs:
            blob[:, 1] += heap_bytes * (blob[:, 0] > 0)
        longest = [max(a, int(blob[:, 0].max())) for a, blob in zip(longest, blobs, strict=True)]
        file.seek(table_start + first * codec.row.itemsize)
        file.write(rows.tobytes())
        file.seek(heap_start + heap_bytes)
        file.write(heap)
        table_sum.add(rows.tobytes())
        heap_sum.add(heap)
        heap_bytes += len(heap)
        yield len(stamps_nhw)
    end = heap_start + heap_bytes
    file.write(bytes(-(end - table_start) % BLOCK))
    stop = file.tell()
    header = codec.header(hdu.header, heap_bytes, longest)
    file.seek(start)
    # The table is a multiple of 4 bytes long, so that the sums can be added.
    data = checksum.together(table_sum.value, heap_sum.value)
    file.write(seal.header_bytes(header, data.words, data.crc32(stop - table_start)))
    file.seek(stop)


def _stored_stamps(path: Path, hdu: RawHdu) -> Iterator[tuple[int, np.ndarray]]:
    """Stamps as they are stored, some at a time, and the number of the first."""
    header = hdu.header
    dtype = BITPIX_TYPES[header["BITPIX"]]
    shape = (header["NAXIS2"], header["NAXIS1"])
    size = dtype.itemsize * shape[0] * shape[1]
    buffer, first = bytearray(), 0
    for chunk in data_of(path, hdu):
        buffer += chunk
        while n := min(_CHUNK, len(buffer) // size):
            if n < _CHUNK and first + n < header["NAXIS3"]:
                break  # until more of them are here
            stamps_nhw = np.frombuffer(bytes(buffer[: n * size]), dtype).reshape(n, *shape)
            del buffer[: n * size]
            if dtype.kind == "f" and not np.isfinite(stamps_nhw).all():
                raise CatalogError(f"{path}: {hdu.name} has pixels that are not finite.")
            yield first, stamps_nhw.astype(dtype.newbyteorder("="))
            first += n


def _measure(
    path: Path, compressed: Path, codecs: dict[str, Codec]
) -> tuple[dict[str, float], dict[str, float]]:
    """Read all stamps of both files with CFITSIO; rms and largest difference by band."""
    rms: dict[str, float] = {}
    largest: dict[str, float] = {}
    with open_cfitsio(path) as before, open_cfitsio(compressed) as after:
        for name in codecs:
            squares = most = 0.0
            pixels = 0
            n = before[name].get_dims()[0]
            for start in range(0, n, _CHUNK):
                index = slice(start, min(start + _CHUNK, n))
                wanted = before[name][index, :, :].astype(np.float64)
                error = after[name][index, :, :] - wanted
                squares += float((error**2).sum())
                most = max(most, float(np.abs(error).max()))
                pixels += error.size
            band = name.removeprefix("STAMPS_").lower()
            rms[band], largest[band] = (squares / pixels) ** 0.5, most
            if codecs[name].quantize is None and most > 0:
                raise CatalogError(f"{compressed}: {name} does not come back as it was.")
    return rms, largest
