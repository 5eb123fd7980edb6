"""Tile-compressed images (FITS standard 4.0, section 10.1), one stamp per tile.

CFITSIO compresses a run of stamps in memory; here the pieces become one table with 64-bit
descriptors. So memory does not depend on the number of stamps, nor does CFITSIO's limit of 2 GiB
per image apply.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fitsio
import numpy as np
from astropy.io import fits

from galgen.catalog.format import seal

# Type of the pixels in the file, by BITPIX.
BITPIX_TYPES: dict[int, np.dtype[Any]] = {
    -32: np.dtype(">f4"),
    16: np.dtype(">i2"),
    32: np.dtype(">i4"),
}
# Cards of an image, and what they are called in the table that it is compressed to.
_TABLE_CARDS = {
    "XTENSION": "ZTENSION",
    "BITPIX": "ZBITPIX",
    "NAXIS": "ZNAXIS",
    "NAXIS1": "ZNAXIS1",
    "NAXIS2": "ZNAXIS2",
    "NAXIS3": "ZNAXIS3",
    "PCOUNT": "ZPCOUNT",
    "GCOUNT": "ZGCOUNT",
    "CHECKSUM": "ZHECKSUM",
    "DATASUM": "ZDATASUM",
}
_IMAGE_CARDS = {stored: key for key, stored in (_TABLE_CARDS | seal.COMPRESSED).items()}
DITHER_PERIOD = 10_000  # of section 10.2.1: the noise of a tile depends on its number modulo this
_BLOBS = ("COMPRESSED_DATA", "GZIP_COMPRESSED_DATA")  # the second where noise cannot be measured
_SCALES = ("ZSCALE", "ZZERO")


@dataclass(frozen=True)
class Codec:
    """How stamps are compressed.

    Attributes
    ----------
    bitpix : int
        ``BITPIX`` of the image: -32, or 16 or 32 for integers.
    quantize : float or None
        Quantisation steps per sigma of a stamp's own noise; None keeps every bit.
    dither : int
        Seed of the dither of the first stamp, ``ZDITHER0``: 1 to 10,000.
    """

    bitpix: int
    quantize: float | None
    dither: int = 1

    @property
    def blobs(self) -> tuple[str, ...]:
        """Names of the columns, the first ones, that hold (length, offset) of compressed stamps."""
        return _BLOBS[:1] if self.quantize is None else _BLOBS

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns of the table."""
        return self.blobs if self.quantize is None else (*self.blobs, *_SCALES)

    @property
    def row(self) -> np.dtype[Any]:
        """Structured type of one row of the table, big-endian."""
        scales = self.names[len(self.blobs) :]
        return np.dtype(
            [*((name, ">i8", 2) for name in self.blobs), *((name, ">f8") for name in scales)]
        )

    @property
    def algorithm(self) -> str:
        """Name of the algorithm: Rice for integers, also those that floats are quantised to."""
        return "RICE_1" if self.bitpix > 0 or self.quantize is not None else "GZIP_2"

    def compress(self, stamps_nhw: np.ndarray, first: int) -> tuple[np.ndarray, bytes]:
        """Compress stamps.

        Parameters
        ----------
        stamps_nhw : ndarray (n, h, w)
            Pixels of the type of the file, in native byte order.
        first : int
            Number of the first stamp, on which the dither depends.

        Returns
        -------
        rows : ndarray (n,) of `row`
            Rows of the table, whose offsets count from the start of `heap`.
        heap : bytes
            The compressed stamps.
        """
        options: dict[str, Any] = {"compress": self.algorithm, "qlevel": None}
        if self.quantize is not None:
            seed = (self.dither - 1 + first) % DITHER_PERIOD + 1
            options |= {"qlevel": self.quantize, "dither_seed": seed}
            options["qmethod"] = "SUBTRACTIVE_DITHER_1"
        n, *shape = stamps_nhw.shape
        with fitsio.FITS("mem://", "rw") as file:
            # At once: of an image that is created first and written then, fitsio forgets `qlevel`.
            file.write_image(stamps_nhw, tile_dims=(1, *shape), **options)
            content = file.read_raw()
        rows = np.zeros(n, self.row)
        with fits.open(io.BytesIO(content), disable_image_compression=True) as hdus:
            hdu = hdus[1]
            place, header = hdu.fileinfo()["datLoc"], hdu.header
            stored = np.frombuffer(content, _stored_row(hdu.columns), n, place)
            start = place + header.get("THEAP", n * header["NAXIS1"])
            heap = content[start : place + n * header["NAXIS1"] + header["PCOUNT"]]
        for name in hdu.columns.names:
            rows[name] = stored[name]
        return rows, heap

    def header(self, image: fits.Header, heap_bytes: int, longest: Sequence[int]) -> fits.Header:
        """Make the header of the table that an image is compressed to.

        Parameters
        ----------
        image : Header
            Header of the image.
        heap_bytes : int
            Size of all compressed stamps.
        longest : sequence of int
            Size in bytes of the largest compressed stamp in each column of `blobs`.

        Returns
        -------
        Header
            Complete but for the values of its checksums.
        """
        n = image["NAXIS3"]
        formats = [*(f"1QB({length})" for length in longest), "1D", "1D"][: len(self.names)]
        cards = [
            ("XTENSION", "BINTABLE", "one compressed stamp per row"),
            ("BITPIX", 8, ""),
            ("NAXIS", 2, ""),
            ("NAXIS1", self.row.itemsize, "bytes per row"),
            ("NAXIS2", n, "stamps"),
            ("PCOUNT", heap_bytes, "bytes of compressed stamps"),
            ("GCOUNT", 1, ""),
            ("TFIELDS", len(self.names), ""),
        ]
        for i, (name, form) in enumerate(zip(self.names, formats, strict=True), 1):
            cards += [(f"TTYPE{i}", name, ""), (f"TFORM{i}", form, "")]
        cards += [
            ("ZIMAGE", True, "a compressed image"),
            ("ZCMPTYPE", self.algorithm, "compression algorithm"),
            ("ZTILE1", image["NAXIS1"], "one stamp per tile"),
            ("ZTILE2", image["NAXIS2"], ""),
            ("ZTILE3", 1, ""),
        ]
        if self.algorithm == "RICE_1":
            cards += [("ZNAME1", "BLOCKSIZE", ""), ("ZVAL1", 32, "pixels per block")]
            bytes_per_pixel = abs(self.bitpix) // 8
            cards += [("ZNAME2", "BYTEPIX", ""), ("ZVAL2", bytes_per_pixel, "bytes per pixel")]
        if self.quantize is not None:
            cards += [
                ("ZQUANTIZ", "SUBTRACTIVE_DITHER_1", "how floats became integers"),
                ("ZDITHER0", self.dither, "dither of the first stamp"),
            ]
        elif self.bitpix < 0:
            cards += [("ZQUANTIZ", "NONE", "no bit is lost")]
        names = _TABLE_CARDS | ({} if seal.is_broken(image) else seal.COMPRESSED)
        for card in image.cards:
            cards.append((names.get(card.keyword, card.keyword), card.value, card.comment))
        if self.quantize is not None:
            cards.append(("QLEVEL", self.quantize, "stamps were quantised: noise sigma / step"))
        cards += [(key, "0", seal.CARDS[key]) for key in ("CHECKSUM", "DATASUM")]
        header = fits.Header()
        for card in cards:
            header.append(card, end=True)
        return header


def _stored_row(columns: fits.ColDefs) -> np.dtype[Any]:
    """Structured type of a row as CFITSIO has written it."""
    fields: list[tuple[str, str] | tuple[str, str, int]] = []
    for column in columns:
        kind = next(letter for letter in column.format if not letter.isdigit())
        fields.append((column.name, ">f8") if kind == "D" else (column.name, ">i4", 2))
    return np.dtype(fields)


def image_header(table: fits.Header) -> fits.Header:
    """Make the header of the image that a table holds: what `Codec.header` was given.

    After quantisation the card ``QLEVEL`` is left, before the checksums.
    """
    own = {"ZIMAGE", "ZCMPTYPE", "ZQUANTIZ", "ZDITHER0", "CHECKSUM", "DATASUM"}
    own |= {"XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "TFIELDS"}
    numbered = ("TTYPE", "TFORM", "ZTILE", "ZNAME", "ZVAL")
    header = fits.Header()
    quantised = None
    for card in table.cards:
        key = card.keyword
        if key == "QLEVEL":
            quantised = card
        elif key not in own and key.rstrip("0123456789") not in numbered:
            header.append((_IMAGE_CARDS.get(key, key), card.value, card.comment), end=True)
    for key in {"CHECKSUM", "DATASUM"} - set(header):  # compressed by another program
        header.append((key, ""), end=True)
    if quantised is not None:
        header.insert("CHECKSUM", quantised)
    return header


class TiledCube:
    """A compressed image, indexed like the array it holds; only tiles asked for are decompressed.

    astropy's ``section`` copies the whole table of tiles at each call; CFITSIO seeks.

    Parameters
    ----------
    hdu : fitsio.hdu.ImageHDU
        The image, (n, h, w) in NumPy's order.

    Raises
    ------
    IndexError
        If a stamp is asked for that is not there.
    """

    def __init__(self, hdu: fitsio.hdu.ImageHDU) -> None:
        self._hdu, self._n = hdu, hdu.get_dims()[0]

    def __getitem__(self, index: int | slice | np.ndarray) -> np.ndarray:
        if isinstance(index, slice):
            start, stop, step = index.indices(self._n)
            if step == 1:
                return self._rows(start, max(start, stop))
            index = np.arange(start, stop, step)
        index = np.asarray(index)
        index = np.flatnonzero(index) if index.dtype == bool else index
        if ((index < -self._n) | (index >= self._n)).any():
            raise IndexError(f"rows {index} of {self._n}")
        if index.ndim == 0:
            one: np.ndarray = self[index[None]][0]
            return one
        stamps = [self._rows(row, row + 1) for row in (index % self._n).tolist()]
        return np.concatenate([self._rows(0, 0), *stamps])

    def _rows(self, start: int, stop: int) -> np.ndarray:
        """Stamps `start` to before `stop`, (n, h, w)."""
        shape = self._hdu.get_dims()[1:]
        if start == stop:
            return np.empty((0, *shape), np.float32)
        stamps: np.ndarray = self._hdu[start:stop, :, :]  # without an axis of length 1
        return stamps.reshape(stop - start, *shape)
