"""Damage to JSON and other texts that leaves them texts: values, keys, words and lines."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from random import Random

from tests.fuzz import extremes

Bytes = Callable[[Random, bytes], bytes]


# As text: what Python cannot write can be there too.


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
        return rng.choice(extremes.JSON).encode()
    here[0][here[1]] = marker
    return json.dumps(tree).replace(json.dumps(marker), rng.choice(extremes.JSON)).encode()


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
    "JSON that nests": lambda rng, whole: b"[" * extremes.DEEP,
    "JSON of another kind": lambda rng, whole: rng.choice(extremes.JSON).encode(),
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
SUFFIXES = {".csv", ".ecsv", ".txt", ".vot", ".yaml", ".md"}
_CELL = re.compile(rb"[^,\s\t:;<>\"=]+")


def cell(rng: Random, whole: bytes) -> bytes:
    """Change one word."""
    cells = list(_CELL.finditer(whole))
    if not cells:
        return whole
    found = rng.choice(cells)
    word = rng.choice(extremes.WORDS).encode()
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
    what = [b"\0", b'"', b"'", b"\xff", b"\xef\xbb\xbf", b"\r", b"[" * extremes.DEEP, b"&a [*a]",
            b"{" * 5000, b",", b"\n\n\n", b"x" * 200_000, b"!!python/object:os.system x\n",
            b"%YAML 9.9\n", b"<!DOCTYPE x [<!ENTITY a 'a'>]>", "é".encode("utf-16")]  # fmt: skip
    return whole[:start] + rng.choice(what) + whole[start:]


TEXT: dict[str, Bytes] = {
    "a word": cell,
    "a line": line,
    "hostile text": hostile_text,
    "UTF-16": lambda rng, whole: whole.decode("utf-8", "replace").encode("utf-16"),
    "aliases": lambda rng, whole: (
        b"a: &a [x,x]\n"
        + b"".join(
            b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9))
            for i in range(20)
        )
    ),
}
