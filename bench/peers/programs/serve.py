"""How a program is given its turns: a line of JSON in, a line of JSON out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

Facts = dict[str, Any]
Turn = Callable[[Facts], Facts]


class LeftOutError(RuntimeError):
    """There is nothing to time; the message is why."""


class WrongOutputError(RuntimeError):
    """What was timed is not what it should be."""


def serve(start: Callable[[Facts], tuple[Turn, Facts]]) -> None:
    """Get ready as the first argument says, and take a turn for every line of standard input.

    Parameters
    ----------
    start : callable
        Given the settings, returns what takes a turn and facts about it. `needs` of the settings
        are the distributions without which it is not called.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer

    def answer(found: Facts) -> None:
        print(json.dumps(found), file=answers, flush=True)

    settings = json.loads(sys.argv[1])
    try:
        versions = _versions(settings["needs"])
        turn, facts = start(settings)
        answer({"versions": versions, "facts": facts})
        for line in sys.stdin:
            answer(turn(json.loads(line)))
    except LeftOutError as error:
        answer({"left_out": str(error)})
    except WrongOutputError as error:
        answer({"wrong": str(error)})


def _versions(needs: list[str]) -> dict[str, str]:
    try:
        return {name: version(name) for name in needs}
    except PackageNotFoundError as error:
        raise LeftOutError(f"{error.name} is not installed") from None
