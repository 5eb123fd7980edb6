"""Files that are damaged, or made to harm who reads them; each a few kilobytes."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

HUGE = 10**8


def png(width: int = 8, height: int = 8, compressed: bytes | None = None) -> bytes:
    """A PNG image of any sides, which need not be those of its pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    if compressed is None:
        compressed = zlib.compress(height * (b"\0" + 3 * width * b"\x80"))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", compressed)
        + chunk(b"IEND", b"")
    )  # fmt: skip


def archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip file."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def bomb(path: Path, name: str, size: int, head: bytes = b"") -> Path:
    """A zip file with an image and a member of `size` bytes, all the same after `head`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr("spiral/a.png", png())
        with file.open(name, "w", force_zip64=True) as member:
            member.write(head)
            for _ in range(size >> 24):
                member.write(bytes(1 << 24).replace(b"\0", b"a"))
    return path


def encrypted(path: Path) -> Path:
    """A zip file whose members say that they need a password."""
    archive(path, {"spiral/a.png": png()})
    data = bytearray(path.read_bytes())
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + flags] |= 1
    path.write_bytes(bytes(data))
    return path


def claiming(path: Path, size: int) -> Path:
    """A zip file whose image says to have `size` bytes."""
    archive(path, {"spiral/a.png": png()})
    data = bytearray(path.read_bytes())
    for magic, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = data.index(magic) + at
        data[start : start + 4] = struct.pack("<I", size)
    path.write_bytes(bytes(data))
    return path


def never_written(path: Path, **shapes: tuple[str, tuple[int, ...]]) -> Path:
    """An HDF5 file of data sets of which no value is stored: (dtype, shape) of each."""
    with h5py.File(path, "w") as file:
        for name, (dtype, shape) in shapes.items():
            file.create_dataset(name, shape, dtype, chunks=tuple(min(n, 16) for n in shape))
        file.attrs["bands"] = "gri"
    return path


def huge_chunk(path: Path) -> Path:
    """An HDF5 file of a small data set in one chunk of 2 GB, compressed to 2 MB."""
    with h5py.File(path, "w") as file:
        flux = file.create_dataset(
            "flux", (1, 3, 8, 8), "f4", maxshape=(None, 3, None, None),
            chunks=(2, 3, 9000, 9000), compression="gzip",
        )  # fmt: skip
        flux.attrs["bands"] = "gri"
        flux.id.write_direct_chunk((0, 0, 0, 0), zlib.compress(bytes(1000)))
    return path


def fits_header(**cards: object) -> bytes:
    """A FITS header, padded."""
    lines = [f"{k:8s}= {('T' if v is True else v)!s:>20s}".ljust(80) for k, v in cards.items()]
    text = "".join([*lines, "END".ljust(80)])
    return text.ljust(-(-len(text) // 2880) * 2880).encode()


def fits_of(path: Path, *sides: int, bitpix: int = -32) -> Path:
    """A FITS file whose image says to have these sides, and has no data."""
    axes = {f"NAXIS{i}": n for i, n in enumerate(reversed(sides), 1)}
    head = {"SIMPLE": True, "BITPIX": bitpix, "NAXIS": len(sides), **axes, "BANDS": "'gri     '"}
    path.write_bytes(fits_header(**head) + bytes(2880))
    return path


def fits_gzip_bomb(path: Path, size: int) -> Path:
    """A FITS file in gzip, of which there is far more than the file has."""
    with gzip.open(path, "wb", 1) as file:
        head = {"SIMPLE": True, "BITPIX": 8, "NAXIS": 1, "NAXIS1": size}
        file.write(fits_header(**head))
        for _ in range(size >> 24):
            file.write(bytes(1 << 24))
    return path


def deep(depth: int = 100_000) -> bytes:
    """JSON nested so deep that parsers run out of stack."""
    return depth * b'{"a":' + b"1" + depth * b"}"


def digits(n: int = 5000) -> bytes:
    """JSON with an integer of so many digits."""
    return b'{"pixel_scale": ' + n * b"9" + b"}"


def damaged(data: bytes, seed: int = 0, flips: int = 16) -> Iterator[bytes]:
    """Cut data at every sixteenth, then flip bits, zero stretches and repeat some."""
    for part in range(16):
        yield data[: part * len(data) // 16]
    rng = np.random.default_rng(seed)
    for _ in range(flips):
        changed = bytearray(data)
        # Half of them near the start or the end, where formats keep their tables.
        near = rng.integers(0, min(len(data), 600)) if rng.random() < 0.5 else None
        where = rng.integers(0, len(data)) if near is None else near
        where = len(data) - 1 - where if rng.random() < 0.3 else where
        match rng.integers(0, 4):
            case 0:
                changed[where] ^= 1 << rng.integers(0, 8)
            case 1:
                changed[where] = rng.integers(0, 256)
            case 2:
                changed[where : where + 64] = bytes(len(changed[where : where + 64]))
            case _:
                changed[where : where + 8] = rng.bytes(8)
        yield bytes(changed)


def webp(side: int) -> bytes:
    """An image of one colour, which WebP stores in next to nothing."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), (9, 9, 9)).save(file, "WEBP", lossless=True)
    return file.getvalue()


def settings(value: object) -> bytes:
    """Content of galgen.json."""
    return json.dumps(value).encode()


HOSTILE: dict[str, Callable[[Path], Path]] = {
    "labels.csv of 400 MB": lambda p: bomb(
        p / "a.zip", "labels.csv", 400 << 20, b"file,category\n"
    ),
    "image of 400 MB": lambda p: bomb(p / "a.zip", "spiral/b.png", 400 << 20),
    "one line of 100 MB": lambda p: bomb(p / "a.zip", "labels.csv", 100 << 20),
    "encrypted": lambda p: encrypted(p / "a.zip"),
    "LZMA": lambda p: archive(p / "a.zip", {"spiral/a.png": png()}, zipfile.ZIP_LZMA),
    "a member says 4 GB": lambda p: claiming(p / "a.zip", 2**32 - 2),
    "deep galgen.json": lambda p: archive(
        p / "a.zip", {"spiral/a.png": png(), "galgen.json": deep()}
    ),
    "digits in galgen.json": lambda p: archive(
        p / "a.zip", {"spiral/a.png": png(), "galgen.json": digits()}
    ),
    "PNG of 10^5 x 10^5": lambda p: archive(p / "a.zip", {"spiral/a.png": png(10**5, 10**5, b"")}),
    "PNG of 2^31 x 1": lambda p: archive(p / "a.zip", {"spiral/a.png": png(2**31 - 1, 1, b"")}),
    "many WebP of one colour": lambda p: archive(
        p / "a.zip", dict.fromkeys([f"spiral/{i}.webp" for i in range(40)], webp(4000))
    ),
    "an image that is EPS": lambda p: archive(
        p / "a.zip", {"spiral/a.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"}
    ),
    "long names": lambda p: archive(
        p / "a.zip", {f"spiral/{i}{60_000 * 'x'}.png": png() for i in range(1500)}
    ),
    "Galaxy10 of 10^8": lambda p: never_written(
        p / "a.h5", images=("u1", (HUGE, 256, 256, 3)), ans=("u1", (HUGE,))
    ),
    "Galaxy10 of 10^7 pixels": lambda p: never_written(
        p / "a.h5", images=("u1", (10**7, 1, 1, 3)), ans=("u1", (10**7,))
    ),
    "Galaxy10 of long labels": lambda p: never_written(
        p / "a.h5", images=("u1", (4, 8, 8, 3)), ans=("u1", (HUGE * 1000,))
    ),
    "flux of 10^8": lambda p: never_written(p / "a.h5", flux=("f4", (HUGE, 3, 64, 64))),
    "flux of one number": lambda p: never_written(p / "a.h5", flux=("f4", ())),
    "flux of text": lambda p: never_written(p / "a.h5", flux=("S1000000", (1000, 3, 8, 8))),
    "flux in one chunk": lambda p: huge_chunk(p / "a.h5"),
    "FITS of 10^8": lambda p: fits_of(p / "a.fits", HUGE, 3, 64, 64),
    "FITS of 10^7 pixels": lambda p: fits_of(p / "a.fits", 10**7, 3, 1, 1),
    "FITS of negative sides": lambda p: fits_of(p / "a.fits", -4, 3, 8, 8),
    "FITS in gzip": lambda p: fits_gzip_bomb(p / "a.fits.gz", 400 << 20),
}
