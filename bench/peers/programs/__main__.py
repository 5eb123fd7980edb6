"""Run a program: ``python -m programs NAME SETTINGS``; a line of JSON in, a line of JSON out."""

from __future__ import annotations

import importlib
import json
import os
import sys
from importlib.metadata import PackageNotFoundError, version

from .protocol import Facts, LeftOutError, WrongOutputError


def main(name: str, settings: Facts) -> None:
    """Get ready, and take a turn for every line of standard input.

    Parameters
    ----------
    name : str
        Of a module of this package.
    settings : dict
        For its `start`; `needs` are the distributions without which it is not imported.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer

    def answer(found: Facts) -> None:
        print(json.dumps(found), file=answers, flush=True)

    try:
        versions = versions_of(settings["needs"])
        turn, facts = importlib.import_module(f".{name}", __package__).start(settings)
        answer({"versions": versions, "facts": facts})
        for line in sys.stdin:
            answer(turn(json.loads(line)))
    except LeftOutError as error:
        answer({"left_out": str(error)})
    except WrongOutputError as error:
        answer({"wrong": str(error)})


def versions_of(needs: list[str]) -> dict[str, str]:
    """Return them by distribution.

    Raises
    ------
    LeftOutError
        If one is not installed.
    """
    try:
        return {name: version(name) for name in needs}
    except PackageNotFoundError as error:
        raise LeftOutError(f"{error.name} is not installed") from None


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
