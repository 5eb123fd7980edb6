"""Kill every command that writes, at random moments, and see what is left and what becomes of it.

    python -m bench.kill_test FOLDER --kills 200 --out bench/results/kills.json

A name must hold nothing, what was there before, or the whole file: never half of one. The same
command, or `galgen resume`, must then end with the bytes of a run that was left alone, with nothing
beside them. Of `train` the checkpoint must be readable, and the weights of the resumed run those of
one that was not killed. Exit code 1 if anything is not so.

Commands are children of a process that has imported galgen: they are killed in their work, not
while Python starts. Long runs can be made in pieces: `--max-time 400` ends after so many seconds,
and the same command goes on from there.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from typer import Argument, Option

from bench.fuzz import warm
from bench.killed import Writer
from bench.record import save
from bench.writers import WRITERS, prepare


def main(
    folder: Annotated[Path, Argument(help="Where to write, on a real disk.")],
    kills: Annotated[int, Option(help="Of commands that were still at work.")] = 200,
    galaxies: int = 1000,
    only: Annotated[list[str] | None, Option(help="A command by its name. Repeatable.")] = None,
    max_time: Annotated[float, Option(help="Seconds, of this piece.")] = 1e9,
    out: Annotated[Path | None, Option(help="JSON to write, or to go on with.")] = None,
) -> None:
    """Kill commands at random moments and compare what becomes of them."""
    writers = [w for w in WRITERS if not only or w.name in only]
    end = time.monotonic() + max_time
    warm()
    folder = folder.resolve() / "kills"
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        prepare(folder, galaxies, writers)
        (folder / "ready").touch()
    rounds = json.loads(out.read_text())["rounds"] if out and out.exists() else []
    while sum(one["killed"] for one in rounds) < kills and time.monotonic() < end:
        rounds.append(one_round(writers, folder, len(rounds)))
        print(rounds[-1], flush=True)
        save(out, summary(galaxies, rounds))
    found = summary(galaxies, rounds)
    save(out, found)
    print({name: value for name, value in found.items() if name != "rounds"})
    if found["wrong"]:
        raise typer.Exit(1)


def one_round(writers: list[Writer], folder: Path, number: int) -> dict[str, Any]:
    """Kill one of the commands once or twice, and bring it to its end."""
    rng = Random(f"kill {number}")
    writer = writers[number % len(writers)]
    place = folder / "round"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return {"command": writer.name, **writer.round(rng, folder, place)}


def summary(galaxies: int, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Count kills, and what came of them: of all, and by command."""

    def count(some: list[dict[str, Any]]) -> dict[str, int]:
        left = Counter(state for one in some for state in one["left"])
        return {
            "kills": sum(one["killed"] for one in some),
            "over_before": sum(len(one["after_s"]) - one["killed"] for one in some),
            "runs": len(some),
            "identical": sum(one["same"] for one in some),
            "half_files": left["half"],
            "aside_for_good": sum(bool(one["beside"]) for one in some),
            "wrong": sum(bool(one["wrong"]) for one in some),
        }

    names = sorted({one["command"] for one in rounds})
    by = {name: count([one for one in rounds if one["command"] == name]) for name in names}
    return {"galaxies": galaxies, **count(rounds), "by_command": by, "rounds": rounds}


if __name__ == "__main__":
    typer.run(main)
