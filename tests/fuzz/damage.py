"""Damage done to a file or folder: what a disk, a copy, an editor or an attacker leaves."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.fuzz import extremes, formats

Bytes = Callable[[Random, bytes], bytes]


def damage(rng: Random, path: Path, guard: Path) -> str:
    """Damage a file, or one file of a folder; say how.

    Parameters
    ----------
    rng : Random
        What it depends on.
    path : Path
        What is damaged in place. It is removed, or becomes another kind of file, at times.
    guard : Path
        A file elsewhere, to which links lead: nothing may write through them.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        path = rng.choice(files)
        if rng.random() < 0.25:
            return f"{path.name}: {_entry(rng, path, rng.choice(files), guard)}"
    elif rng.random() < 0.06:
        return f"{path.name}: {_entry(rng, path, path, guard)}"
    whole = path.read_bytes()
    for _ in range(20):
        kinds = formats.of(whole, path) if rng.random() < 0.6 else {}
        name, change = rng.choice(list((kinds or BYTES).items()))
        if (changed := change(rng, whole)) != whole:
            path.write_bytes(changed)
            return f"{path.name}: {name}"
    path.write_bytes(b"")
    return f"{path.name}: empty"


def _entry(rng: Random, path: Path, other: Path, guard: Path) -> str:
    """Change what a name stands for."""
    what = rng.choice(list(ENTRIES))
    ENTRIES[what](path, guard if what == "a link elsewhere" else other)
    return what


def _link(path: Path, target: object) -> None:
    path.unlink()
    path.symlink_to(str(target))


def _folder(path: Path, other: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path, other: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _rename(path: Path, other: Path) -> None:
    path.rename(path.with_name(f"{path.name}~"))


def _name(path: Path, other: Path) -> None:
    """Put a file beside it whose name no encoding has."""
    Path(os.fsdecode(os.fsencode(path.parent) + b"/\xff\xfe.png")).write_bytes(b"galaxy")


ENTRIES: dict[str, Callable[[Path, Path], None]] = {
    "removed": lambda path, other: path.unlink(),
    "a link to itself": lambda path, other: _link(path, path.name),
    "a link to nothing": lambda path, other: _link(path, "not-there"),
    "a link elsewhere": _link,
    "a folder": _folder,
    "a pipe": _pipe,
    "renamed": _rename,
    "beside a name in no encoding": _name,
    "another's bytes": lambda path, other: path.write_bytes(other.read_bytes()[::-1]),
}


def _span(rng: Random, whole: bytes, longest: int = 8192) -> tuple[int, int]:
    """Choose a stretch."""
    start = rng.randrange(len(whole) + 1)
    return start, min(len(whole), start + rng.randint(1, longest))


def _over(whole: bytes, start: int, patch: bytes) -> bytes:
    """Write bytes over those from `start`; the length stays."""
    patch = patch[: len(whole) - start]
    return whole[:start] + patch + whole[start + len(patch) :]


def truncate(rng: Random, whole: bytes) -> bytes:
    """Cut the end off, often at a block of FITS."""
    size = rng.randrange(len(whole) + 1)
    return whole[: size // 2880 * 2880 if rng.random() < 0.3 else size]


def zero(rng: Random, whole: bytes) -> bytes:
    """Have a block of zeros, as after a power cut."""
    start, stop = _span(rng, whole)
    return _over(whole, start, bytes(stop - start))


def noise(rng: Random, whole: bytes) -> bytes:
    """Have random bytes in a block."""
    start, stop = _span(rng, whole, 512)
    return _over(whole, start, rng.randbytes(stop - start))


def flip(rng: Random, whole: bytes) -> bytes:
    """Flip some bits."""
    changed = bytearray(whole)
    for _ in range(rng.choice([1, 1, 1, 2, 8, 64]) if whole else 0):
        changed[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def insert(rng: Random, whole: bytes) -> bytes:
    """Insert bytes."""
    start = rng.randrange(len(whole) + 1)
    return whole[:start] + rng.randbytes(rng.choice([1, 2, 80, 2880])) + whole[start:]


def drop(rng: Random, whole: bytes) -> bytes:
    """Leave a stretch out."""
    start, stop = _span(rng, whole)
    return whole[:start] + whole[stop:]


def _blocks(rng: Random, whole: bytes) -> tuple[int, int, int]:
    """Choose a size, and two blocks of it."""
    size = rng.choice([size for size in (4, 64, 512, 2880, 4096) if 2 * size <= len(whole)] or [1])
    count = max(1, len(whole) // size)
    return size, rng.randrange(count) * size, rng.randrange(count) * size


def duplicate(rng: Random, whole: bytes) -> bytes:
    """Have one block in place of another."""
    size, a, b = _blocks(rng, whole)
    return _over(whole, b, whole[a : a + size])


def swap(rng: Random, whole: bytes) -> bytes:
    """Exchange two blocks."""
    size, a, b = _blocks(rng, whole)
    return _over(_over(whole, b, whole[a : a + size]), a, whole[b : b + size])


def extreme(rng: Random, whole: bytes) -> bytes:
    """Have a number of four or eight bytes that is as large as can be, or none."""
    start = rng.randrange(len(whole) + 1) // 4 * 4
    return _over(whole, start, rng.choice(extremes.BINARY))


def append(rng: Random, whole: bytes) -> bytes:
    """Have something after the end."""
    return whole + rng.randbytes(rng.choice([1, 80, 2880, 5760]))


BYTES: dict[str, Bytes] = {
    "truncated": truncate,
    "a block of zeros": zero,
    "random bytes": noise,
    "bits flipped": flip,
    "bytes inserted": insert,
    "bytes left out": drop,
    "a block twice": duplicate,
    "blocks swapped": swap,
    "an extreme number": extreme,
    "bytes appended": append,
    "empty": lambda rng, whole: b"",
}
