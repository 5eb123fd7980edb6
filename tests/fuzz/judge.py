"""What is wrong with how a try has ended."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from astropy.io import fits

from tests.fuzz import child
from tests.fuzz.readers import Reader

Listing = dict[str, tuple[int, ...]]
REFUSAL_CPU = 2.0  # seconds, to refuse what is wrong
MEMORY = 5 * 2**28  # 1 GiB beyond what honest files of this size take, 0.25 GiB
CODES = (0, 1, 2, 3, 4)
_WRITES_IN_PLACE = ("resume", "finish", "train")


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


def findings(ended: child.Ended) -> list[str]:
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


def look(done: Try, work: Path, words: list[str], before: Listing) -> None:
    """Look for files that should not be there, or are not as they were."""
    changed = {name for name, _ in before.items() ^ listed(work / "in").items()}
    if done.reader == "options":
        changed -= _written(work, words, before)
    if changed and words[0] not in _WRITES_IN_PLACE:
        done.findings.append(f"outside: changed the input: {sorted(changed)[:3]}")
    for place in ("here", "tmp", "home"):
        left = sorted(listed(work / place))
        if left and not (done.reader == "options" and place == "here"):
            done.findings.append(f"leftovers: {left[:3]} in {place}")
    left = sorted(os.listdir(work / "out"))
    if left and done.code in (1, 2, 4) and words[0] not in ("mass", "train"):
        done.findings.append(f"leftovers: {left[:3]} after exit code {done.code}")


def _written(work: Path, words: list[str], before: Listing) -> set[str]:
    """Say which files among the inputs a command was told to write, and may.

    Some write several, whose names begin with the one that is given.
    """
    # Of an export it is the second argument, which options may follow.
    by_name = words.index("--out") + 1 if "--out" in words[:-1] else -1
    out = words[3] if words[0] == "export" and len(words) > 3 else words[by_name]
    named = [os.path.relpath(word or ".", work / "in") for word in words]
    name = os.path.relpath(out or ".", work / "in")
    stem = name.rpartition(".")[0] or name
    may = {one for one in listed(work / "in").keys() - before.keys() if one.startswith(stem)}
    if "--overwrite" in words and named.count(name) == 1:
        may.add(name)
    return may


def verdicts(done: Try, corpus: Path, work: Path, reader: Reader, given: str) -> None:
    """Compare what was said of damage, or made of it, with what is so."""
    word, path = done.command.split()[0], Path(given)
    # Without checksums a file may be right, and only another one.
    catalogue = reader.name.startswith("catalogue") and "no checksums" not in done.what
    if catalogue and word == "verify" and done.code == 0:
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


def listed(folder: Path) -> Listing:
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
