"""Start commands in one process that has only what a GPU machine has.

    python -m tests.first_gpu_steps FOLDER < commands.json > results.json

Commands are lists of words behind ``python -m``. Each runs in a fork of this process, in which
everything else that is installed here cannot be imported, until it ends or has run for a while: by
then it has started. Of pytest's tests it is only seen that they can be collected.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import runpy
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from types import ModuleType
from typing import ClassVar

ROOT = Path(__file__).parents[1]
WHILE = 1.0  # seconds
STARTED = 99  # exit code of what was still running
OURS = {"galgen", "galgen_kernels", "bench", "tests"}


class Present(PathFinder):
    """Finds what is installed, but for what is absent."""

    absent: ClassVar[set[str]] = set()

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        refused = path is None and fullname in cls.absent
        return None if refused else super().find_spec(fullname, path, target)


def with_requirements(names: set[str]) -> set[str]:
    """Distributions, and all that they need."""
    found: set[str] = set()
    while names:
        found |= names
        needed: set[str] = set()
        for name in names:
            try:
                lines = requires(name) or []
            except PackageNotFoundError:  # for another platform or version of Python
                continue
            needed |= {re.split(r"[^\w.-]", line)[0] for line in lines if "extra ==" not in line}
        names = {normal(name) for name in needed} - found
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def absent() -> set[str]:
    """Packages that are installed here and would not be there."""
    from bench.fetch_wheels import THERE, WHEELS

    there = with_requirements({normal(name) for name in (*THERE, *WHEELS)})
    return {
        package
        for package, owners in packages_distributions().items()
        if not there & {normal(owner) for owner in owners} and package not in OURS
    } - {"setuptools", "pkg_resources", "_distutils_hack", "pip"}


def start(words: list[str], log: Path) -> int:
    """Run in a fork; return the exit code."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what it has started itself
        return os.waitstatus_to_exitcode(status)
    os.setsid()
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    code = 1
    try:
        code = run(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else bool(end.code)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run(words: list[str]) -> int:
    module, *rest = words
    if module == "pytest":
        import pytest

        for option in ("-n", "--benchmark-json"):  # of what is not run
            if option in rest:
                del rest[rest.index(option) : rest.index(option) + 2]
        plugins = ("-p", "xdist.plugin", "-p", "pytest_benchmark.plugin")
        return int(pytest.main([*rest, "--collect-only", *plugins]))
    signal.signal(signal.SIGALRM, lambda *_: os._exit(STARTED))
    signal.setitimer(signal.ITIMER_REAL, WHILE)
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


def main() -> None:
    Present.absent = refused = absent()
    sys.meta_path[sys.meta_path.index(PathFinder)] = Present
    os.environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "TRITON_INTERPRET": "1"}
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):  # this process is none
        os.environ.pop(name, None)
    folder = Path(sys.argv[1])
    for name in ("bench.numerics", "galgen.training"):  # what most of them import, once for all
        importlib.import_module(name)
    results = []
    for number, words in enumerate(json.load(sys.stdin)):
        log, begun = folder / f"{number}.log", time.monotonic()
        code = start(words, log)
        seconds = time.monotonic() - begun
        results.append({"words": words, "code": code, "seconds": seconds, "log": log.read_text()})
    json.dump({"absent": sorted(refused), "steps": results}, sys.stdout)


if __name__ == "__main__":
    main()
