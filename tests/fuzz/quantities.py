"""Every option that is a number, of every command, with numbers that nobody means."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, get_type_hints

from typer.main import get_command_name

from tests.fuzz import child, options
from tests.fuzz.corpus import build

WHOLE = ("-1", "0", "1e30", "1000000000", str(2**63), "1" + 400 * "0")
BROKEN = ("-1", "0", "nan", "inf", "1e30", "1e-300", "1" + 400 * "0")
NEEDED = ("float32.fits", "other.fits", "observed.fits", "stamps.h5", "images.zip")
# Beside the commands of the fuzzer, which other options decide on.
MORE = (
    ("mass --category spiral --n 3 --out {out}/a.fits --weights {corpus}/weights", "--batch"),
    (
        "mass --category spiral --n 3 --njobs 2 --out {out}/a.fits --weights {corpus}/weights",
        "--job",
    ),
    (
        "mass --category spiral --n 3 --job 0 --out {out}/a.fits --weights {corpus}/weights",
        "--njobs",
    ),
    ("scene --out {out}/a.fits --size 64 --n 2 --weights {corpus}/weights", "--steps"),
    ("scene --out {out}/a.fits --size 64 --n 2 --weights {corpus}/weights", "--batch"),
    ("scene --galaxies {corpus}/observed.fits --out {out}/a.fits --size 64", "--mag"),
    ("scene --galaxies {corpus}/observed.fits --out {out}/a.fits --n 3", "--size"),
    ("scene --galaxies {corpus}/observed.fits --out {out}/a.fits --size 64", "--counts"),
)
# Texts that are numbers, too.
_TEXTS = {
    *("psf", "noise", "max_file_size", "size", "mag", "depth", "sky", "split", "max_time"),
    *("ra", "dec", "psf_fwhm", "snr", "counts", "clustering"),
}
# Of texts that are several numbers.
_SEVERAL = {
    "counts": ("1e30,1,20", "46,1e30,25", "46,0.31,1e30", "46,-1,25", "nan,nan,nan", "1e-9,1,20"),
    "clustering": ("1e30,1", "100,1.5", "0.01,1e30", "-1,1", "nan,nan", "0,1", "1e-300,1"),
}
SECONDS = 10  # on the clock, after which a command is ended


def of(line: str) -> Iterator[Any]:
    """Yield the options of the command of a line that are numbers."""
    words = line.split()
    known = {one.name: one for one in options.parameters(words, all_of_them=True)}
    for name, kind in get_type_hints(_function(words)).items():
        if name in known and known[name].param_type_name == "option":
            number = any(str(one) in str(kind) for one in ("int", "float")) or kind in (int, float)
            if number or name in _TEXTS:
                yield known[name]


def _function(words: list[str]) -> Any:
    """Return the function of a command."""
    from galgen.cli import app, export

    commands = app.registered_commands
    if words[0] == "export":
        words, commands = words[1:], export.app.registered_commands
    return next(c.callback for c in commands if name_of(c) == words[0])


def name_of(command: Any) -> str:
    """Return the name of a command of the command line."""
    return command.name or get_command_name(command.callback.__name__)


def command_of(line: str) -> tuple[str, ...]:
    """Return the command of a line, with its group."""
    return tuple(word for word in line.split()[:2] if re.fullmatch("[a-z][a-z0-9-]*", word))


def cases() -> list[tuple[str, str]]:
    """List an honest command and an option of it, for each option that is a number."""
    found: dict[tuple[str, str], str] = {}
    for line in options.HONEST:
        for option in of(line):
            found.setdefault((" ".join(command_of(line)), option.opts[0]), line)
    return [*((line, option) for (_, option), line in found.items()), *MORE]


def values(line: str, option: str) -> tuple[str, ...]:
    """Choose the values of an option."""
    kinds = get_type_hints(_function(line.split()))
    name = next(one.name for one in of(line) if one.opts[0] == option)
    if name in _TEXTS and "str" in str(kinds[name]):
        given = (
            *WHOLE,
            *BROKEN,
            "1:1e30",
            "nan:nan",
            "1e9x1e9",
            "1000000000x1",
            "19:1e30",
            "1e30GB",
            *_SEVERAL.get(name, ()),
        )
        return tuple(dict.fromkeys(given))
    return WHOLE if "int" in str(kinds[name]) else BROKEN


def main(out: Path) -> None:
    """Try all, and write how each has ended."""
    _warm()
    corpus = out.parent / "corpus"
    build(corpus, NEEDED)
    ended = []
    for number, (line, option) in enumerate(cases()):
        for value in values(line, option):
            work = out.parent / f"{number}"
            (work / "here").mkdir(parents=True)
            words = line.format(corpus=corpus, out=work / "here").split()
            words = _without(words, option)
            done = child.command([*words, f"{option}={value}"], work / "here", SECONDS)
            left = sorted(path.name for path in (work / "here").iterdir())
            ended.append({
                "line": line, "option": option, "value": value, "code": done.code,
                "seconds": done.seconds, "cpu": done.cpu, "memory": done.memory,
                "said": done.err[-2000:], "left": left,
            })  # fmt: skip
            shutil.rmtree(work)
    out.write_text(json.dumps(ended, indent=1))


def _warm() -> None:
    """Import what children would each import again."""
    import typer.rich_utils  # noqa: F401

    import galgen.scene
    import galgen.shear  # noqa: F401
    from galgen.cli import app, route  # noqa: F401

    with suppress(Exception):  # what reads values is imported with the first of them
        app(["mass", "--out", "a.fits", "--n", "x"], standalone_mode=False)


def _without(words: list[str], option: str) -> list[str]:
    """Leave an option and its value out."""
    if option not in words:
        return words
    at = words.index(option)
    return words[:at] + words[at + 2 :]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
