"""Time galgen beside its peers: ``python -m bench.peers FOLDER``; see README.md."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import torch
import typer

from bench.peers import parts as questions
from bench.peers.process import CORES, Contender, LeftOutError
from bench.peers.stage import Stage
from bench.peers.turns import spread, take_turns
from bench.record import environment, save

SAME = ("cpu", "cores", "torch", "python", "galgen", "tiny")  # of all pieces of a run
NAMES = list(questions.parts(questions.Size(), Path()))


def machine(tiny: bool) -> dict[str, Any]:
    """Return what figures depend on beside `record.environment`."""
    return {"cpu": cpu_model(), "cores": CORES, "tiny": tiny}


def cpu_model() -> str:
    """Return the name that the processor gives itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = [line.split(": ", 1)[1] for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


def found_before(path: Path, now: dict[str, Any]) -> dict[str, Any]:
    """Return what an earlier piece of this run found.

    Raises
    ------
    BadParameter
        If it was made elsewhere, or with other versions.
    """
    if not path.exists():
        return {"versions": {}, "runs": [], "parts": {}}
    before: dict[str, Any] = json.loads(path.read_text())
    other = [f"{k} {before[k]}, now {now[k]}" for k in SAME if before[k] != now[k]]
    if other:
        raise typer.BadParameter(f"{path} is of {'; '.join(other)}: choose another folder.")
    return before


def save_networks(folder: Path, stage: Stage) -> None:
    """Have the networks of the peers saved, if they are installed."""
    for contender in questions.saved(folder):
        if not Path(contender.settings["folder"]).exists():
            try:
                stage.turn(contender, "once")
            except LeftOutError as error:
                print(f"{contender.name}: {error}")


def interpreters(texts: list[str]) -> dict[str, str]:
    """Read PEER=PATH.

    Raises
    ------
    BadParameter
        If there is no such interpreter.
    """
    found = dict(text.partition("=")[::2] for text in texts)
    for peer, path in found.items():
        if not os.access(path, os.X_OK):
            raise typer.BadParameter(f"no interpreter for {peer}: {path!r}; give PEER=PATH.")
    return found


def chosen_of(contenders: list[Contender], without: list[str]) -> list[Contender]:
    """Return all but those whose names begin with one of `without`."""
    return [c for c in contenders if not c.name.startswith(tuple(without))]


def all_taken(rows: list[dict[str, Any]], rounds: int) -> bool:
    """Tell whether nobody who takes part has turns left."""
    return all("left_out" in row or len(row["turns"]) >= rounds for row in rows)


def record(path: Path, results: dict[str, Any], stage: Stage, begun: float) -> None:
    """Write all that is known so far."""
    for part in results["parts"].values():
        for row in part["rows"]:
            row["figures"] = spread(row)
    results["versions"] |= stage.versions
    results["runs"][-1]["seconds"] = perf_counter() - begun
    save(path, results)


def main(
    folder: Annotated[Path, typer.Argument(help="For peers.json, and all that is written.")],
    only: Annotated[list[str], typer.Option(help=f"Repeat: {', '.join(NAMES)}.")] = NAMES,
    max_time: Annotated[float, typer.Option(help="Seconds, then no turn begins.")] = float("inf"),
    python: Annotated[list[str], typer.Option(help="Interpreter, as galsim=PATH. Repeat.")] = [],  # noqa: B006
    without: Annotated[list[str], typer.Option(help="Leave out who begins so. Repeat.")] = [],  # noqa: B006
    tiny: Annotated[bool, typer.Option("--tiny", help="Only show that all of it runs.")] = False,
) -> None:
    """Time everybody. Where time was up, the same command goes on.

    Exits with 1 if an output is wrong.
    """
    if torch.cuda.is_available():
        raise typer.BadParameter("these are comparisons on a CPU: set CUDA_VISIBLE_DEVICES to ''.")
    if unknown := set(only) - set(NAMES):
        raise typer.BadParameter(f"no part {', '.join(unknown)}: there are {', '.join(NAMES)}.")
    begun, folder = perf_counter(), folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    path, size = folder / "peers.json", questions.TINY if tiny else questions.Size()
    now = machine(tiny)
    results = found_before(path, environment() | now) | now
    run = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "load": os.getloadavg()[0]}
    results["runs"].append(run)
    extra = {
        "GALGEN_BENCH_GALAXIES": str(size.written),
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "compiled"),
    }
    finished = True
    for name in only:
        part = questions.parts(size, folder)[name]
        threads = {contender.name: contender.threads for contender in part.contenders}
        new: dict[str, Any] = {
            "OMP_NUM_THREADS": threads,
            "about": part.about,
            "evaluations": part.evaluations,
            "rows": [],
        }
        found = results["parts"].setdefault(name, new)

        print(f"{name}: {part.about}", flush=True)
        with Stage(folder, interpreters(python), extra) as stage:
            if any("folder" in contender.settings for contender in part.contenders):
                save_networks(folder, stage)
            players = chosen_of(part.contenders, without)
            deadline, found["finished"] = begun + max_time, False
            turns = take_turns(players, stage, found["rows"], part.rounds, part.warm, deadline)
            for _ in turns:
                record(path, results, stage, begun)
            found["finished"] = all_taken(found["rows"], part.rounds)
            record(path, results, stage, begun)
        finished &= found["finished"]
    print(f"{path}: {'all turns are taken' if finished else 'time was up; run it again to go on'}")
    rows = [row for part in results["parts"].values() for row in part["rows"]]
    if any(row.get("wrong") for row in rows):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
