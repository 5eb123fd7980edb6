"""Damage that keeps a file one of its format: cards, values, cells, members and sides are changed."""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.fuzz import numbers

Bytes = Callable[[Random, bytes], bytes]
_BLOCK, _CARD = 2880, 80


def of(whole: bytes, path: Path) -> dict[str, Bytes]:
    """Return the changes that this format has; none if it is none of these."""
    if whole.startswith(b"SIMPLE"):
        return FITS
    if whole.startswith(b"\x89PNG"):
        return PNG
    if whole.startswith(b"PK"):
        return ZIP
    if whole.startswith(b"\x89HDF"):
        return HDF5
    if path.suffix == ".json":
        return JSON
    if path.suffix == ".safetensors":
        return SAFETENSORS
    return TEXT if path.suffix in TEXTS else {}


# FITS: cards, wherever they are.


def _cards(whole: bytes) -> list[int]:
    """Where cards begin that have a value."""
    return [
        start
        for start in range(0, len(whole) - _CARD + 1, _CARD)
        if re.match(rb"[A-Z0-9_-]{1,8} *= ", whole[start : start + 10])
    ]


def _set(whole: bytes, start: int, card: bytes) -> bytes:
    return whole[:start] + card[:_CARD].ljust(_CARD) + whole[start + _CARD :]


def _value(rng: Random, whole: bytes, starts: list[int]) -> bytes:
    if not starts:
        return whole
    start = rng.choice(starts)
    word = rng.choice([*numbers.WORDS, "T", "'x'", "'%s'" % ("y" * 60)])
    card = whole[start : start + 10] + word.encode("latin-1", "replace").rjust(20)
    return _set(whole, start, card)


def value(rng: Random, whole: bytes) -> bytes:
    """Change the value of a card."""
    return _value(rng, whole, _cards(whole))


def structure(rng: Random, whole: bytes) -> bytes:
    """Change the value of a card that says where things are."""
    names = (b"NAXIS", b"BITPIX", b"TFIELDS", b"TFORM", b"PCOUNT", b"GCOUNT", b"THEAP", b"ZNAXIS",
             b"ZTILE", b"ZBITPIX", b"ZCMPTYPE", b"BSCALE", b"BZERO", b"TSCAL", b"TZERO", b"TDIM")  # fmt: skip
    return _value(rng, whole, [s for s in _cards(whole) if whole[s : s + 8].startswith(names)])


def lost_card(rng: Random, whole: bytes) -> bytes:
    """Blank a card, or all that is said with it."""
    starts = _cards(whole)
    return _set(whole, rng.choice(starts), b"") if starts else whole


def renamed_card(rng: Random, whole: bytes) -> bytes:
    """Give a card the name of another."""
    starts = _cards(whole)
    if len(starts) < 2:
        return whole
    a, b = rng.sample(starts, 2)
    return _set(whole, a, whole[b : b + 8] + whole[a + 8 : a + _CARD])


def unchecked(rng: Random, whole: bytes) -> bytes:
    """Change a card, or a byte, of a file that has no checksums any more."""
    for start in _cards(whole):
        if whole[start : start + 8] in (b"CHECKSUM", b"DATASUM "):
            whole = _set(whole, start, b"")
    if rng.random() < 0.5:
        return rng.choice([value, structure, lost_card])(rng, whole)
    start = rng.randrange(len(whole))
    patch = rng.choice([*numbers.BINARY, b"\xff", b"\0"])
    return (whole[:start] + patch + whole[start + len(patch) :])[: len(whole)]


FITS: dict[str, Bytes] = {
    "a value of a card": value,
    "a size in a card": structure,
    "a card lost": lost_card,
    "a card renamed": renamed_card,
    "no checksums": unchecked,
}

# JSON, as text: what Python cannot write can be there too.


def json_value(rng: Random, whole: bytes) -> bytes:
    """Change one value, wherever it is."""
    try:
        tree = json.loads(whole)
    except ValueError:
        return whole
    marker = "\x07marker\x07"
    node, here = tree, None
    while isinstance(node, dict | list) and node and (here is None or rng.random() < 0.8):
        here = node, rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
        node = here[0][here[1]]
    if here is None:
        return rng.choice(numbers.JSON).encode()
    here[0][here[1]] = marker
    return json.dumps(tree).replace(json.dumps(marker), rng.choice(numbers.JSON)).encode()


def json_key(rng: Random, whole: bytes) -> bytes:
    """Lose a key, or rename it."""
    try:
        tree = json.loads(whole)
    except ValueError:
        return whole
    nodes = [tree, *(v for v in tree.values() if isinstance(v, dict))]
    node = rng.choice([n for n in nodes if n])
    key = rng.choice(list(node))
    lost = node.pop(key)
    if rng.random() < 0.3:
        node[rng.choice(["", "x", "\0", key.upper()])] = lost
    return json.dumps(tree).encode()


JSON: dict[str, Bytes] = {
    "a JSON value": json_value,
    "a JSON key": json_key,
    "JSON that nests": lambda rng, whole: b"[" * numbers.DEEP,
    "JSON of another kind": lambda rng, whole: rng.choice(numbers.JSON).encode(),
}


def tensors(rng: Random, whole: bytes) -> bytes:
    """Change the header of a safetensors file, its length with it."""
    size = int.from_bytes(whole[:8], "little")
    header = rng.choice([json_value, json_key])(rng, whole[8 : 8 + size])
    return len(header).to_bytes(8, "little") + header + whole[8 + size :]


def header_size(rng: Random, whole: bytes) -> bytes:
    """Change only the length of the header."""
    return struct.pack("<Q", rng.choice([0, 1, 2**31, 2**63, 2**64 - 1, len(whole)])) + whole[8:]


SAFETENSORS: dict[str, Bytes] = {"tensors changed": tensors, "header's length": header_size}

# Texts: CSV, ECSV, YAML, VOTable, Markdown.
TEXTS = {".csv", ".ecsv", ".txt", ".vot", ".yaml", ".md"}
_CELL = re.compile(rb"[^,\s\t:;<>\"=]+")


def cell(rng: Random, whole: bytes) -> bytes:
    """Change one word."""
    cells = list(_CELL.finditer(whole))
    if not cells:
        return whole
    found = rng.choice(cells)
    word = rng.choice(numbers.WORDS).encode()
    return whole[: found.start()] + word + whole[found.end() :]


def line(rng: Random, whole: bytes) -> bytes:
    """Lose, double, cut or move a line."""
    lines = whole.split(b"\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(4):
        case 0:
            del lines[i]
        case 1:
            lines.insert(j, lines[i])
        case 2:
            lines[i] = lines[i][: len(lines[i]) // 2]
        case _:
            lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


def hostile_text(rng: Random, whole: bytes) -> bytes:
    """Insert what parsers stumble on."""
    start = rng.choice([0, len(whole), rng.randrange(len(whole) + 1)])
    what = [b"\0", b'"', b"'", b"\xff", b"\xef\xbb\xbf", b"\r", b"[" * numbers.DEEP, b"&a [*a]",
            b"{" * 5000, b",", b"\n\n\n", b"x" * 200_000, b"!!python/object:os.system x\n",
            b"%YAML 9.9\n", b"<!DOCTYPE x [<!ENTITY a 'a'>]>", "é".encode("utf-16")]  # fmt: skip
    return whole[:start] + rng.choice(what) + whole[start:]


TEXT: dict[str, Bytes] = {
    "a word": cell,
    "a line": line,
    "hostile text": hostile_text,
    "UTF-16": lambda rng, whole: whole.decode("utf-8", "replace").encode("utf-16"),
    "aliases": lambda rng, whole: b"a: &a [x,x]\n"
    + b"".join(
        b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(20)
    ),
}

# PNG and ZIP: the sizes that they state.


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
                        kinds = of(data, Path(name)) or {"": lambda r, d: d[: len(d) // 2]}
                        data = rng.choice(list(kinds.values()))(rng, data)
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
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 33, crc, len(packed), size, len(name), 0)
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
    import h5py
    import numpy as np

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
