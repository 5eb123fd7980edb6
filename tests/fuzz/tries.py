"""Numbered tries: damage, a command on it, and what is wrong with how it ends."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from astropy.io import fits

from tests.fuzz import child, names, options
from tests.fuzz.damage import damage
from tests.fuzz.readers import READERS, Reader

REFUSAL_CPU = 2.0  # seconds, to refuse what is wrong
MEMORY = 5 * 2**28  # 1 GiB beyond what honest files of this size take, 0.25 GiB
CODES = (0, 1, 2, 3, 4)
_WRITES_IN_PLACE = ("resume", "finish", "train")
# Each is tried once before any is tried again.
KINDS: tuple[tuple[Reader | None, str], ...] = (
    *((reader, command) for reader in READERS for command in reader.commands),
    *((None, line) for line in options.HONEST for _ in range(3)),
)


@dataclass
class Try:
    """What was tried, and how it ended.

    Attributes
    ----------
    number : int
        All else follows from it.
    reader, command, what : str
        The kind of input, the command, and the damage.
    code : int
        Exit code.
    seconds, cpu : float
    memory : int
        Bytes beyond those at its start.
    findings : list of str
        What is wrong, the kind first; none if it was handled.
    last : str
        The last line that it printed as an error.
    """

    number: int
    reader: str
    command: str
    what: str = ""
    code: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    findings: list[str] = field(default_factory=list)
    last: str = ""

    def json(self) -> dict[str, Any]:
        """Return all of it."""
        return asdict(self)


def run(corpus: Path, work: Path, numbers: Iterator[int] | range) -> Iterator[Try]:
    """Make tries, each in an empty folder; the folder of the last one stays.

    Parameters
    ----------
    corpus : Path
        Of `tests.fuzz.corpus.build`.
    work : Path
        A folder to work in.
    numbers : iterable of int
    """
    before = _listed(corpus)
    for number in numbers:
        shutil.rmtree(work, ignore_errors=True)
        for name in ("in", "out", "tmp", "home", "here"):
            (work / name).mkdir(parents=True)
        os.environ |= {"TMPDIR": f"{work}/tmp", "HOME": f"{work}/home"}
        done = _try(corpus, work, number)
        if (after := _listed(corpus)) != before:
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
        words, done.what = options.awkward(rng, line)
    else:
        given, judged = _input(rng, corpus, work, reader, done)
        words, places = line.split(), places | {"in": str(given)}
    words = [_filled(word, places) for word in words]
    before = _listed(work / "in")
    ended = child.command(words, work / "here")
    done.code, done.seconds, done.cpu = ended.code, ended.seconds, ended.cpu
    done.memory, done.last = ended.memory, (ended.err.strip().splitlines() or [""])[-1][:300]
    done.findings += _findings(ended)
    _look(done, work, words, before, "out" in line)
    if reader is not None and judged:
        _verdicts(done, corpus, work, reader, places["in"])
    return done


def _filled(word: str, places: dict[str, str]) -> str:
    """Put places into a word; what else is in braces stays."""
    for name, place in places.items():
        word = word.replace(f"{{{name}}}", place)
    return word


def _input(
    rng: Random, corpus: Path, work: Path, reader: Reader, done: Try
) -> tuple[Path, bool]:
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
    """Tell whether bytes were changed that a reader takes: not those after the last HDU."""
    if source.is_dir():
        return True
    if not copied.is_file():
        return False
    old, new = source.read_bytes(), copied.read_bytes()
    if not old.startswith(b"SIMPLE"):
        return old != new
    with fits.open(source) as hdus:
        last = hdus[-1]
        end = last.fileinfo()["datLoc"] + last.size
    return old[:end] != new[:end]


def _findings(ended: child.Ended) -> list[str]:
    """Look at how a command has ended."""
    found, lines = [], ended.err.splitlines()
    if "Traceback (most recent call last)" in ended.err or ended.code == child.UNCAUGHT:
        found.append(f"traceback: {lines[-1][:200] if lines else ''}{_raised(lines)}")
    elif ended.code == -14:
        found.append(f"hang: over {child.SECONDS} s")
    elif ended.code not in CODES:
        found.append(f"crash: exit code {ended.code}")
    elif ended.code in (1, 2) and not re.search(r"^(galgen: |Usage: )", ended.err, re.M):
        found.append("message: none")
    elif re.search(r"<[\w.]+ object at 0x|<_io\.|\bErrno\b.*\bErrno\b", ended.err):
        found.append(f"message: {lines[-1][:200]}")
    elif sum(line.startswith("galgen: ") and "warning" not in line for line in lines) > 12:
        found.append(f"message: {len(lines)} lines")
    elif re.search("MemoryError|Unable to allocate|not enough memory", ended.err):
        found.append(f"memory: {lines[-1][:200]}")
    if ended.code in (2, 4) and ended.cpu > REFUSAL_CPU:
        found.append(f"slow: {ended.cpu:.1f} s of CPU to refuse it")
    if ended.memory > MEMORY:
        found.append(f"memory: {ended.memory / 2**30:.1f} GiB")
    return found


def _raised(lines: list[str]) -> str:
    """Where galgen called what raised, as file:line."""
    places = [m for line in lines if (m := re.search(r'File ".*/(galgen/\S+)", line (\d+)', line))]
    return f" ({places[-1][1]}:{places[-1][2]})" if places else ""


def _look(
    done: Try, work: Path, words: list[str], before: dict[str, tuple[int, ...]], writes: bool
) -> None:
    """Look for files that should not be there, or are not as they were."""
    in_place = words[0] in _WRITES_IN_PLACE
    after = _listed(work / "in")
    if not in_place and after != before:
        changed = {name for name, _ in before.items() ^ after.items()}
        done.findings.append(f"outside: changed the input: {sorted(changed)[:3]}")
    for place in ("here", "tmp", "home"):
        left = sorted(_listed(work / place))
        if left and not (done.reader == "options" and place == "here"):
            done.findings.append(f"leftovers: {left[:3]} in {place}")
    left = sorted(os.listdir(work / "out"))
    if left and done.code in (1, 2, 4) and words[0] not in ("mass", "train"):
        done.findings.append(f"leftovers: {left[:3]} after exit code {done.code}")


def _verdicts(done: Try, corpus: Path, work: Path, reader: Reader, given: str) -> None:
    """Compare what was said of damage, or made of it, with what is so."""
    word, path = done.command.split()[0], Path(given)
    if reader.name.startswith("catalogue") and word == "verify" and done.code == 0:
        if "no checksums" not in done.what:
            done.findings.append("verdict: damaged, and `verify` says good")
    if not reader.whole or done.code != 0 or word not in ("resume", "finish"):
        return
    expected = corpus / reader.whole
    if "--partial" not in done.command:
        for whole in sorted(expected.parent.glob(f"{expected.stem}*.fits")):
            made = path.with_name(path.stem + whole.name.removeprefix(expected.stem))
            if not made.is_file() or _digest(made) != _digest(whole):
                done.findings.append(f"verdict: exit code 0, and other bytes in {made.name}")
        return
    checked = child.command(["verify", str(path)], work / "here")
    if checked.code != 0:
        done.findings.append("verdict: exit code 0, and a file that `verify` refuses")
    elif path.is_file() and expected.parent == corpus:
        done.findings += _begins(path, expected)


def _begins(path: Path, expected: Path) -> list[str]:
    """Compare the galaxies of a part with those of the whole."""
    with fits.open(path) as made, fits.open(expected) as whole:
        for one, other in zip(made[1:], whole[1:], strict=True):
            n = len(one.data)
            if one.data.tobytes() != other.data[:n].tobytes():
                return [f"verdict: exit code 0, and other galaxies in {one.name}"]
    return []


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _listed(folder: Path) -> dict[str, tuple[int, ...]]:
    """List what is in a folder, with what changes when it is written."""
    found = {}
    for root, folders, files in os.walk(folder):
        if "cache" in folders:
            folders.remove("cache")
        for name in (*folders, *files):
            path = os.path.join(root, name)
            state = os.lstat(path)
            key = os.path.relpath(path, folder)
            found[key] = (state.st_mode, state.st_ino)
            if name in files:
                found[key] += (state.st_size, state.st_mtime_ns)
    return found


def summary(done: list[Try], seconds: float) -> dict[str, Any]:
    """Count tries, how they ended, and findings: of all, by reader and by command."""

    def count(tries: list[Try]) -> dict[str, int]:
        kinds = [finding.partition(":")[0] for one in tries for finding in one.findings]
        return {
            "tries": len(tries),
            "read": sum(one.code == 0 for one in tries),
            "refused": sum(one.code in (2, 4) for one in tries),
            "failed": sum(one.code in (1, 3) for one in tries),
            "handled": sum(not one.findings for one in tries),
            **{kind: kinds.count(kind) for kind in sorted(set(kinds))},
        }

    def by(key: Any) -> dict[str, dict[str, int]]:
        return {
            name: count([one for one in done if key(one) == name])
            for name in sorted({key(one) for one in done})
        }

    def command(one: Try) -> str:
        words = one.command.split()
        return " ".join(words[: 2 if words[0] == "export" else 1])

    return {
        **count(done),
        "seconds": round(seconds),
        "slowest_refusal_cpu_s": round(
            max((one.cpu for one in done if one.code in (2, 4)), default=0), 2
        ),
        "most_memory_bytes": max((one.memory for one in done), default=0),
        "by_reader": by(lambda one: one.reader),
        "by_command": by(command),
        "findings": [one.json() for one in done if one.findings],
    }


def timed(corpus: Path, work: Path, numbers: range, seconds: float) -> Iterator[Try]:
    """Make tries until the time is up."""
    end = time.monotonic() + seconds
    for one in run(corpus, work, numbers):
        yield one
        if time.monotonic() > end:
            return
