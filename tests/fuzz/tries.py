"""Numbered tries: damage, a command on it, and what is wrong with how it ends."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

from astropy.io import fits

from tests.fuzz import child, judge, names, options
from tests.fuzz.damage import damage
from tests.fuzz.judge import Try
from tests.fuzz.readers import READERS, Reader

_NOT_COPIED = shutil.ignore_patterns("cache", "run")
# In an order in which the first few are of all sorts; each is tried before any is tried again.
KINDS: list[tuple[Reader | None, str]] = [
    *((reader, command) for reader in READERS for command in reader.commands),
    *((None, line) for line in options.HONEST for _ in range(4)),
]
Random("kinds").shuffle(KINDS)


def run(corpus: Path, work: Path, numbers: Iterable[int]) -> Iterator[Try]:
    """Make tries, each in an empty folder; the folder of the last one stays.

    Parameters
    ----------
    corpus : Path
        Of `tests.fuzz.corpus.build`.
    work : Path
        A folder to work in.
    numbers : iterable of int
    """
    before = judge.listed(corpus)
    for number in numbers:
        shutil.rmtree(work, ignore_errors=True)
        for name in ("in", "out", "tmp", "home", "here"):
            (work / name).mkdir(parents=True)
        os.environ |= {"TMPDIR": f"{work}/tmp", "HOME": f"{work}/home"}
        done = _try(corpus, work, number)
        if (after := judge.listed(corpus)) != before:
            changed = {name for name, _ in before.items() ^ after.items()}
            done.findings.append(f"outside: changed {sorted(changed)[:3]} of others' files")
            before = after
        yield done


def _try(corpus: Path, work: Path, number: int) -> Try:
    """Make one try."""
    rng = Random(f"galgen {number}")
    reader, line = KINDS[number % len(KINDS)]
    places = {"corpus": str(corpus), "out": str(work / "out")}
    done = Try(number, reader.name if reader else "options", line)
    judged = None
    if reader is None:
        # Its own copies, which an option may name as the output, too.
        shutil.copytree(corpus, work / "in", dirs_exist_ok=True, ignore=_NOT_COPIED)
        places["corpus"] = str(work / "in")
        words, done.what = options.awkward(rng, line)
    else:
        given, judged = _input(rng, corpus, work, reader, done)
        words, places = line.split(), places | {"in": str(given)}
    words = [_filled(word, places) for word in words]
    before = judge.listed(work / "in")
    ended = child.command(words, work / "here")
    done.code, done.seconds, done.cpu = ended.code, ended.seconds, ended.cpu
    done.memory, done.last = ended.memory, (ended.err.strip().splitlines() or [""])[-1][:300]
    done.findings += judge.findings(ended)
    judge.look(done, work, words, before)
    if reader is not None and judged:
        judge.verdicts(done, corpus, work, reader, places["in"])
    return done


def _filled(word: str, places: dict[str, str]) -> str:
    """Put places into a word; what else is in braces stays."""
    for name, place in places.items():
        word = word.replace(f"{{{name}}}", place)
    return word


def _input(rng: Random, corpus: Path, work: Path, reader: Reader, done: Try) -> tuple[Path, bool]:
    """Copy and damage an input; where it is, and whether its bytes are other ones now."""
    source, copied = corpus / reader.copied, work / "in" / reader.copied
    if source.is_dir():
        shutil.copytree(source, copied)
    else:
        shutil.copy(source, copied)
        if rng.random() < 0.03:
            copied, done.what = names.renamed(rng, copied)
            return copied, False
    done.what = damage(rng, copied, corpus / "guard")
    return copied / reader.path if reader.path else copied, _relied_on(source, copied)


def _relied_on(source: Path, copied: Path) -> bool:
    """Tell whether what a reader takes was changed: not bytes after the last HDU."""
    if source.is_dir():
        return any(
            _relied_on(file, copied / file.relative_to(source))
            for file in source.rglob("*")
            if file.is_file()
        )
    if not copied.is_file():
        return True
    old, new = source.read_bytes(), copied.read_bytes()
    if not old.startswith(b"SIMPLE"):
        return old != new
    with fits.open(source) as hdus:
        last = hdus[-1]
        end = last.fileinfo()["datLoc"] + last.size
    return old[:end] != new[:end]


def timed(corpus: Path, work: Path, numbers: range, seconds: float) -> Iterator[Try]:
    """Make tries until the time is up."""
    end = time.monotonic() + seconds
    for one in run(corpus, work, numbers):
        yield one
        if time.monotonic() > end:
            return
