"""Contenders take turns, so that what else the machine does meets all of them alike."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from time import perf_counter

from bench.peers.checks import WrongOutputError
from bench.peers.process import Contender, Facts, LeftOutError
from bench.peers.stage import Stage


def take_turns(
    contenders: list[Contender],
    stage: Stage,
    rows: list[Facts],
    rounds: int,
    warm: bool,
    deadline: float,
) -> Iterator[None]:
    """Give everybody turns until all have `rounds`, or time is up; yield after each.

    Parameters
    ----------
    contenders : list of Contender
        In the order of their turns.
    stage : Stage
        Where they play.
    rows : list of dict
        Found so far, a row per contender and way; more is added to them.
    rounds : int
        Turns of each.
    warm : bool
        Whether each has a turn before its first one in this process, which does not count.
    deadline : float
        Of `perf_counter`, after which no turn begins.
    """
    known = {(row["contender"], row["way"]): row for row in rows}
    order = [(c, way) for c in contenders for way in c.ways]
    for contender, way in order:
        if (contender.name, way) not in known:
            row: Facts = {"contender": contender.name, "way": way, "turns": []}
            known[contender.name, way] = row
            rows.append(row)
    warmed: set[tuple[str, str]] = set()

    def missing(contender: Contender, way: str) -> bool:
        row = known[contender.name, way]
        return "left_out" not in row and len(row["turns"]) < rounds

    while left := [pair for pair in order if missing(*pair)]:
        contender, way = min(left, key=lambda pair: len(known[pair[0].name, pair[1]]["turns"]))
        if perf_counter() > deadline:
            return
        row = known[contender.name, way]
        try:
            if warm and (contender.name, way) not in warmed:
                warmed.add((contender.name, way))
                stage.turn(contender, way)
            row["turns"].append(stage.turn(contender, way))
            row["facts"] = stage.facts(contender)
        except (LeftOutError, WrongOutputError) as error:
            wrong = isinstance(error, WrongOutputError)
            # What fails in one way fails in all of them: its process is over.
            gone = [row] if contender.fresh else [known[contender.name, w] for w in contender.ways]
            for each in gone:
                each["left_out"], each["wrong"] = str(error), wrong
        print(_describe(row), flush=True)
        yield


def spread(row: Facts) -> Facts:
    """Return median, lowest and highest of every figure of a row's turns."""
    names = row["turns"][0] if row["turns"] else ()
    figures = {name: [turn[name] for turn in row["turns"]] for name in names}
    return {
        name: {"median": statistics.median(v), "lowest": min(v), "highest": max(v)}
        for name, v in figures.items()
        if None not in v
    }


def _describe(row: Facts) -> str:
    what = f"{row['contender']:44}{row['way']:18}"
    if "left_out" in row:
        return f"{what}  left out: {row['left_out']}"
    last = row["turns"][-1]
    return what + "  ".join(f"{name} {value:.4g}" for name, value in last.items() if value)
