"""A contender, and the process in which it waits for its turns."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
from dataclasses import dataclass, field
from typing import Any

from bench.peers.checks import WrongOutputError

CORES = os.cpu_count() or 1
TURN_LIMIT = 480.0  # seconds
Facts = dict[str, Any]


class LeftOutError(RuntimeError):
    """A contender cannot take part; the message is why."""


@dataclass(frozen=True)
class Contender:
    """Somebody who takes turns.

    Attributes
    ----------
    name : str
        As tables call it.
    program : str
        Module of `bench.peers.programs`; or 'command', and every turn is the command of `told`.
    ways : dict
        What it is told at each turn, by the name of the way.
    needs : tuple of str
        Distributions without which it is left out.
    settings : dict
        What it is started with.
    peer : str
        Whose interpreter it gets.
    fresh : bool
        Whether every turn is a process of its own, timed from its start to its end.
    limit : float
        Seconds until it must be ready.
    threads : int
        OMP_NUM_THREADS.
    """

    name: str
    program: str
    ways: dict[str, Facts]
    needs: tuple[str, ...] = ()
    settings: Facts = field(default_factory=dict)
    peer: str = "galgen"
    fresh: bool = False
    limit: float = 120.0
    threads: int = CORES


class Process:
    """A program that waits for its turns."""

    def __init__(self, contender: Contender, python: str, environment: dict[str, str]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (`close` closes it)
        settings = json.dumps(contender.settings | {"needs": contender.needs})
        self._program = subprocess.Popen(
            [python, "-P", "-m", "programs", contender.program, settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            bufsize=0,
        )
        self.pid = self._program.pid
        try:
            ready = self._read(contender.limit, "not ready")
            if "left_out" in ready:
                raise LeftOutError(ready["left_out"])
        except BaseException:
            self.close()
            raise
        self.facts: Facts = ready["facts"]
        self.versions: dict[str, str] = ready["versions"]

    def turn(self, told: Facts) -> Facts:
        """Ask for a turn, and wait for what it says."""
        assert self._program.stdin is not None
        try:
            self._program.stdin.write(json.dumps(told).encode() + b"\n")
        except BrokenPipeError:
            raise LeftOutError(self._last_words()) from None
        return self._read(TURN_LIMIT, "no answer")

    def close(self, limit: float = 10.0) -> None:
        """Let it end, or end it."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.close()
        try:
            self._program.wait(limit if self._program.poll() is None else 0)
        except subprocess.TimeoutExpired:
            self._program.kill()
            self._program.wait()
        self._program.stdout.close()
        self._errors.close()

    def _read(self, limit: float, what: str) -> Facts:
        out = self._program.stdout
        assert out is not None
        if not select.select([out], [], [], limit)[0]:
            self._program.kill()
            raise LeftOutError(f"{what} after {limit:.0f} s")
        line = out.readline()
        if not line:
            raise LeftOutError(self._last_words())
        found: Facts = json.loads(line)
        if "wrong" in found:
            raise WrongOutputError(found["wrong"])
        return found

    def _last_words(self) -> str:
        self._program.wait(10)
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1][-300:] if lines else f"exit code {self._program.returncode}"
