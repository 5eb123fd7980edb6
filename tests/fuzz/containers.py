"""Damage to PNG, ZIP and HDF5 that keeps them readable: what they state of their sizes."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from random import Random

import h5py
import numpy as np

from tests.fuzz.texts import cell, json_value

Bytes = Callable[[Random, bytes], bytes]


def sides(rng: Random, whole: bytes) -> bytes:
    """State another size or depth, with the checksum that belongs to it."""
    head = bytearray(whole[12:29])
    if rng.random() < 0.7:
        head[4:12] = struct.pack(">II", *rng.choices([0, 1, 31, 4000, 65_535, 2**31 - 1], k=2))
    else:
        head[12 + rng.randrange(5)] = rng.choice([0, 1, 3, 4, 6, 16, 255])
    return whole[:12] + bytes(head) + struct.pack(">I", zlib.crc32(head)) + whole[33:]


PNG: dict[str, Bytes] = {"sides of a PNG": sides}


def _bomb(size: int) -> bytes:
    """Deflate zeros, a mebibyte repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    mebibyte = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return mebibyte * (size >> 20) + packer.flush()


def member(rng: Random, whole: bytes) -> bytes:
    """Change a member: its bytes, its name, or what is said of it."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(made, "w") as new:
        infos = old.infolist()
        chosen = rng.choice(infos)
        for info in infos:
            data, name = old.read(info), info.filename
            if info is chosen:
                match rng.randrange(4):
                    case 0:
                        change = {"png": sides, "csv": cell, "json": json_value}
                        data = change[name.rpartition(".")[2]](rng, data)
                    case 1:
                        names = ["../../x.png", "/x.png", "a\\b.png", "é.png", "x" * 300, "a/b/c/"]
                        name = rng.choice([*names, "labels.csv", "galgen.json"])
                    case 2:
                        continue
                    case _:
                        new.writestr(f"extra/{name}", data)
            new.writestr(name, data, rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    return made.getvalue()


def bomb(rng: Random, whole: bytes) -> bytes:
    """Have a member of 4 GB in 4 MB."""
    name = rng.choice([b"labels.csv", b"spiral/0.png", b"galgen.json"])
    packed, size = _bomb(2**32 - 2**20), 2**32 - 2**20
    crc = 0
    local = struct.pack(
        "<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 33, crc, len(packed), size, len(name), 0
    )
    central = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 33, crc, len(packed), size,
                          len(name), 0, 0, 0, 0, 0, 0)  # fmt: skip
    body = local + name + packed
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(central + name), len(body), 0)
    return body + central + name + end


def entry(rng: Random, whole: bytes) -> bytes:
    """Say something else of a member in the list at the end: its method, flags, sizes, place."""
    at = [found.start() for found in re.finditer(b"PK\1\2", whole)]
    if not at:
        return whole
    start = rng.choice(at) + rng.choice([6, 8, 10, 16, 20, 24, 28, 30, 32, 42])
    patch = rng.choice([b"\xff\xff", b"\1\0", b"\x0e\0", b"\xff\xff\xff\x7f", b"\0\0\0\0"])
    return whole[:start] + patch + whole[start + len(patch) :]


ZIP: dict[str, Bytes] = {"a member": member, "a bomb": bomb, "what is said of a member": entry}


def data_set(rng: Random, whole: bytes) -> bytes:
    """Change a data set or an attribute with h5py."""
    made = io.BytesIO(whole)
    with h5py.File(made, "r+") as file:
        found: list[str] = []
        file.visit(found.append)
        name = rng.choice(found)
        shape = getattr(file[name], "shape", ())
        match rng.randrange(6):
            case 0:
                del file[name]
            case 1:  # never written: of no size on disk
                dtype = getattr(file[name], "dtype", "f4")
                del file[name]
                file.create_dataset(name, (10**8, *shape[1:]), dtype, chunks=(1, *shape[1:]))
            case 2:
                del file[name]
                file[name] = rng.choice([np.zeros(0), np.bytes_(b"x"), np.full(shape, np.nan), 1])
            case 3:
                del file[name]
                link = rng.choice(["soft", "external"])
                file[name] = (
                    h5py.SoftLink(f"/{name}") if link == "soft" else h5py.ExternalLink("x", "y")
                )
            case 4:
                del file[name]
                file.create_group(name)
            case _:
                here = rng.choice([file, file[name]])
                key = rng.choice([*here.attrs, "bands", "unit"])
                values = [1e308, -1, "x" * 9999, "", np.nan, np.zeros(0), ["é", "x"]]
                here.attrs[key] = rng.choice(values)
    return made.getvalue()


HDF5: dict[str, Bytes] = {"an HDF5 data set": data_set}
