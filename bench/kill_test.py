"""Kill `galgen mass` at random moments, resume it, and compare the bytes.

    python -m bench.kill_test FOLDER --kills 100 --out bench/results/kills.json

Each round starts a run of random weights, kills it with SIGKILL (the process alone, or its workers
too) at a random moment, mostly while it writes, and resumes it with another number of workers.
Every third one is killed a second time while it is resumed. The finished file must be that of a
run that was left alone, byte for byte. Exit code 1 if any is not.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from bench.record import save
from galgen.weights.checkpoint import export
from tests.tiny import make_checkpoint


def main(
    folder: Annotated[Path, Argument(help="Where to write, on a real disk.")],
    kills: int = 100,
    galaxies: int = 2000,
    seed: int = 0,
    out: Annotated[Path | None, Option(help="JSON to write.")] = None,
) -> None:
    """Kill runs at random moments and compare what becomes of them."""
    random.seed(seed)
    folder = folder / "kills"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    export(make_checkpoint(), folder / "tiny", "# tiny\n")
    asked = ["--category", "spiral:1,smooth:1", "--n", str(galaxies), "--steps", "1"]
    asked += ["--weights", str(folder / "tiny"), "--batch", "16", "--quiet"]

    start = time.monotonic()
    subprocess.run(mass(folder / "expected.fits", asked, 1), check=True)
    seconds = time.monotonic() - start
    expected = digest(folder / "expected.fits")

    rounds = []
    for number in range(kills):
        path = folder / "cat.fits"
        rounds.append(one_round(path, asked, seconds, number))
        rounds[-1]["same"] = digest(path) == expected
        path.unlink()
        summary = {
            "galaxies": galaxies,
            "kills": sum(len(done["kills"]) for done in rounds),
            "runs": len(rounds),
            "identical": sum(done["same"] for done in rounds),
            "while_unfinished": sum(any(k["left"] for k in done["kills"]) for done in rounds),
            "rounds": rounds,
        }
        save(out, summary)
        print({key: value for key, value in summary.items() if key != "rounds"}, flush=True)
    shutil.rmtree(folder)
    if summary["identical"] < len(rounds):
        raise typer.Exit(1)


def one_round(path: Path, asked: list[str], seconds: float, number: int) -> dict:
    """Kill a run once or twice, and resume it to its end."""
    workers, kills = 1 + number % 2, []
    command = mass(path, asked, workers)
    for _ in range(2 if number % 3 == 2 else 1):
        kills.append(kill(command, path, random.uniform(0.25, 1.05) * seconds, number % 4 < 2))
        workers = 3 - workers
        # Killed before it began, or after its end, there is nothing to resume.
        begun = path.with_name(f"{path.name}.part").exists() or path.exists()
        command = mass(path, asked, workers)
        if begun:
            command = galgen("resume", path, "--workers", workers, "--quiet")
    subprocess.run(command, check=True)
    return {"kills": kills, "workers_at_end": workers}


def kill(command: list[str], path: Path, after: float, with_workers: bool) -> dict:
    """Kill a command after some seconds; what is recorded then."""
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        if with_workers:
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
    code = process.wait()
    names = path.with_name(f"{path.name}.part").glob("0*-*.json")
    spans = [name.stem.split("-") for name in names]
    return {
        "after_s": round(after, 2),
        "killed": code == -signal.SIGKILL,
        "left": path.with_name(f"{path.name}.part").exists(),
        "recorded": sum(int(stop) - int(start) for start, stop in spans),
    }


def mass(path: Path, asked: list[str], workers: int) -> list[str]:
    """Return the command that makes the catalogue."""
    return galgen("mass", *asked, "--out", path, "--workers", workers)


def galgen(*arguments: object) -> list[str]:
    """Return a command line of galgen."""
    return [sys.executable, "-m", "galgen", *map(str, arguments)]


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    typer.run(main)
