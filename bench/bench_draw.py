"""What it costs to draw what is asked of galaxies: a core's time for each, in microseconds.

    python -m bench.bench_draw [--out draw.json]

Requests fix none or some of a model's properties, as tables of surveys do; the others are drawn
from the galaxies of the training population that resemble them. ``weigh_all`` is how that was done
before `galgen.request.likeness`, timed beside it on the same galaxies in turns.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import thread_time
from typing import Annotated

import numpy as np
import torch
import typer

from bench.record import save
from galgen.categories.rules import ROOT
from galgen.generate import load_model
from galgen.request.likeness import Likeness
from galgen.request.mixture import Request, parse_mixture
from galgen.request.population import MATCH

BATCHES = (32, 512)  # micro-batches of a CPU and of a GPU
ROUNDS = 7


def weigh_all(known_nd: np.ndarray, wanted_md: np.ndarray, uniform_m: np.ndarray) -> np.ndarray:
    """Draw galaxies by weighing every one: the definition of what `Likeness.pick` draws.

    Parameters
    ----------
    known_nd, wanted_md : ndarray
        What galaxies have, and what is wanted, in units of the width of the Gaussian.
    uniform_m : ndarray
        Uniform numbers in [0, 1).
    """
    distance_mn = np.zeros((len(wanted_md), len(known_nd)))
    for wanted_m, known_n in zip(wanted_md.T.astype(float), known_nd.T, strict=True):
        distance_mn += (wanted_m[:, None] - known_n) ** 2
    distance_mn -= distance_mn.min(axis=1, keepdims=True)
    cumulative_mn = np.cumsum(np.exp(-0.5 * distance_mn), axis=1)
    target_m = uniform_m * cumulative_mn[:, -1]
    place_m: np.ndarray = (cumulative_mn < target_m[:, None]).sum(axis=1)
    return np.minimum(place_m, len(known_nd) - 1)


def microseconds(calls: dict[str, Callable[[], object]], galaxies: int) -> dict[str, float]:
    """Return this thread's time per galaxy: the median of several rounds, the calls in turns."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = thread_time()
            call()
            taken[name].append(thread_time() - start)
    return {name: round(1e6 * median(times) / galaxies, 2) for name, times in taken.items()}


def main(
    weights: Annotated[Path | None, typer.Option(help="Folder of weights.")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON to write.")] = None,
) -> None:
    """Time draws with none, one, two ... of the properties given, of all categories."""
    torch.set_num_threads(1)
    population = load_model(weights, "cpu").checkpoint.population
    results: dict[str, object] = {"galaxies": len(population.code_n), "rows": []}
    rows: list[dict[str, object]] = []
    for batch in BATCHES:
        for given in range(len(population.names)):
            z_mp = population.z_np[np.linspace(0, len(population.z_np) - 1, batch).astype(int)]
            known_nd, wanted_md = (z_np[:, :given] / MATCH for z_np in (population.z_np, z_mp))
            uniform_m = np.random.default_rng(given).random(batch)
            calls: dict[str, Callable[[], object]] = {}
            if given:
                alike = Likeness(known_nd)
                calls["pick"] = lambda a=alike, w=wanted_md, u=uniform_m: a.pick(w, u)
                calls["weigh_all"] = lambda k=known_nd, w=wanted_md, u=uniform_m: weigh_all(k, w, u)
            index_n = torch.arange(batch)
            middle = np.quantile(population.z_np, (0.25, 0.75), axis=0)
            low, high = middle * population.scale + population.centre
            ranges = {name: (low[p], high[p]) for p, name in enumerate(population.names[:given])}
            request = Request(parse_mixture(ROOT), ranges)
            calls["request"] = lambda r=request, i=index_n: r.ask(population, i)
            rows.append({"batch": batch, "given": given} | microseconds(calls, batch))
            print(rows[-1], flush=True)
            save(out, results | {"rows": rows, "unit": "us per galaxy, one thread"})


if __name__ == "__main__":
    typer.run(main)
