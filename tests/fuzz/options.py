"""Every option of every command, with values that nobody means."""

from __future__ import annotations

import functools
from random import Random
from typing import Any

from tests.fuzz import extremes

_TINY = "--steps 1 --batch 2 --weights {corpus}/weights"
# A command that succeeds; the values of its options are replaced, and others are added.
HONEST = (
    f"mass --category spiral --n 2 --out {{out}}/a.fits {_TINY}",
    f"mass --like {{corpus}}/table.ecsv --pixscale 0.4 --out {{out}}/a.fits {_TINY}",
    "resume {corpus}/float32.fits",
    "finish {corpus}/float32.fits",
    "train --data {corpus}/images.zip --out {out}/run --preset tiny --images 4 --workers 1",
    "preview {corpus}/float32.fits --out {out}/a.png",
    "evaluate {corpus}/float32.fits --reference {corpus}/stamps.h5 --out {out}/a.json",
    "verify {corpus}/float32.fits",
    "schema {corpus}/float32.fits",
    "schema --bands g,r",
    "cat {corpus}/float32.fits {corpus}/other.fits --out {out}/a.fits",
    "compress {corpus}/float32.fits --out {out}/a.fits.fz",
    "scene --galaxies {corpus}/observed.fits --out {out}/a.fits --size 64 --n 3",
    "scene --galaxies {corpus}/observed.fits --catalog {corpus}/drawn.csv --out {out}/a.fits"
    " --size 64",
    f"scene --out {{out}}/a.fits --size 64 --n 2 {_TINY}",
    "info --weights {corpus}/weights",
    "export imagefolder {corpus}/float32.fits {out}/images",
    "export hdf5 {corpus}/float32.fits {out}/a.h5",
    "export meds {corpus}/float32.fits {out}/a.fits",
    "export realgalaxy {corpus}/float32.fits {out}/a.fits",
    "export imsim {corpus}/float32.fits {out}/imsim --ra 10:20 --dec 1:2"
    " --pixel-scale 0.4 --mag-zero 25",
    "export hats {corpus}/float32.fits {out}/hats --ra 10:20 --dec 1:2",
    "shear-test {corpus}/float32.fits --n 3 --psf-fwhm 0.7 --snr inf --out {out}/a.json",
)
# Others start processes, look for a network, or compile for minutes.
_LEFT_OUT = {"workers", "slurm", "scheduler", "compile", "help", "install_completion"}
_LONG = {"n", "images", "steps", "rows", "max_time", "per_category"}  # honest, and take for ever
_FILES = {
    *("out", "catalog", "catalogs", "weights", "like", "galaxies", "psf", "counts", "clustering"),
    *("data", "teach", "reference", "relabel", "init", "categories"),
}
_PATHS = (
    "{corpus}/float32.fits",
    "{corpus}/weights",
    "{corpus}/table.csv",
    "{corpus}/images",
    "{corpus}/stamps.h5",
    "{corpus}/not-there",
    "{corpus}/float32.fits/x",
    "{out}/a[1].fits",
    "{out}/!a.fits",
    "{out}/é\N{MILKY WAY}.fits",
    "{out}/\udcff.fits",
    "{out}/a\nb.fits",
    "{out}/" + "x" * 300,
    "{out}/x/y/z.fits",
    "{out}",
    "{out}/.",
    "{out}/a.csv",
    "{out}/a.tar",
)
WORDS = [word for word in extremes.WORDS if "\0" not in word] + ["\udcff"]


@functools.cache
def _app() -> Any:
    import typer.main

    from galgen.cli import app

    return typer.main.get_command(app)


def parameters(words: list[str], all_of_them: bool = False) -> list[Any]:
    """Return what the command of these words takes, as click knows it."""
    command = _app()
    for word in words:
        if not hasattr(command, "commands"):
            break
        command = command.commands[word]
    return [one for one in command.params if all_of_them or one.name not in _LEFT_OUT]


def awkward(rng: Random, line: str) -> tuple[list[str], str]:
    """Replace or add one or two values of an honest command; say which."""
    words, said = line.split(), []
    for option in rng.choices(parameters(words), k=rng.choice([1, 1, 1, 2])):
        if getattr(option, "is_flag", False):
            flags = [*option.opts, *option.secondary_opts]
            words.append(rng.choice(flags))
            said.append(words[-1])
            continue
        value = _value(rng, option)
        said.append(f"{option.opts[0]}={value[:60]!r}")
        if option.param_type_name == "argument":
            places = [i for i, word in enumerate(words) if _argument(words, i)]
            if places:
                words[rng.choice(places)] = value
            else:
                words.append(value)
        elif option.opts[0] in words and words.index(option.opts[0]) + 1 < len(words):
            words[words.index(option.opts[0]) + 1] = value
        else:
            words += [option.opts[0], value]
    return words, " ".join(said)


def _argument(words: list[str], i: int) -> bool:
    """Tell whether a word is a file by its place, not by an option."""
    return words[i].startswith("{") and not words[i - 1].startswith("-")


def _value(rng: Random, option: Any) -> str:
    """Choose one of the kind that it takes, mostly."""
    words = WORDS
    if option.name in _FILES and rng.random() < 0.9:
        words = list(_PATHS)
    if option.name in _LONG:
        words = [word for word in words if word.strip("0123456789")] + ["0", "-1"]
    return rng.choice(words)
