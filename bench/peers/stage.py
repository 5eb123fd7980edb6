"""Where contenders play: their processes, what these are told, and the file that they write."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from bench.peers.checks import check_stamps
from bench.peers.memory import Watch
from bench.peers.process import TURN_LIMIT, Contender, Facts, LeftOutError, Process

ROOT = Path(__file__).parents[2]
UNSET = ("OMP_WAIT_POLICY", "KMP_BLOCKTIME", "TRITON_INTERPRET")  # peers run as for anybody


class Stage:
    """Where contenders of a part play: their processes, and the file that they write.

    Parameters
    ----------
    folder : Path
        For what they write; nothing is left there.
    pythons : dict
        Interpreters by peer; by default the one that runs this.
    extra : dict
        Of the environment.
    """

    def __init__(self, folder: Path, pythons: dict[str, str], extra: dict[str, str]) -> None:
        self._out, self._pythons = folder / "turn.fits", pythons
        inherited = {k: v for k, v in os.environ.items() if k not in UNSET}
        paths = [ROOT, ROOT / "kernels", Path(__file__).parent, os.environ.get("PYTHONPATH")]
        path = os.pathsep.join(str(p) for p in paths if p)
        self._environment = inherited | {"PYTHONPATH": path} | extra
        self._ready: dict[str, Process] = {}
        self.versions: dict[str, str] = {}

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._ready.values():
            process.close()

    def facts(self, contender: Contender) -> Facts:
        """Return what a contender says of itself."""
        process = self._ready.get(contender.name)
        return process.facts if process else {}

    def turn(self, contender: Contender, way: str) -> Facts:
        """Give a contender a turn, and check what it wrote.

        Raises
        ------
        LeftOutError, WrongOutputError
            If it cannot take it, or its output is wrong.
        """
        told: Facts = {"way": way} | contender.ways[way] | {"out": str(self._out)}
        self._out.unlink(missing_ok=True)
        try:
            found = (
                self._fresh(contender, told) if contender.fresh else self._waiting(contender, told)
            )
            if "n" in told:
                check_stamps(self._out, told["n"], found)
                megabytes = self._out.stat().st_size / 1e6
                found |= {"stamps_per_second": told["n"] / found["seconds"], "megabytes": megabytes}
            return {k: v for k, v in found.items() if k not in ("mean", "noise")}
        finally:
            self._out.unlink(missing_ok=True)

    def _waiting(self, contender: Contender, told: Facts) -> Facts:
        if contender.name not in self._ready:
            process = self._start(contender)
            self._ready[contender.name] = process
        return self._ready[contender.name].turn(told)

    def _start(self, contender: Contender) -> Process:
        python = self._pythons.get(contender.peer, sys.executable)
        begun = perf_counter()
        process = Process(contender, python, self._environment | _threads(contender))
        process.facts["ready_seconds"] = perf_counter() - begun
        self.versions |= process.versions
        return process

    def _fresh(self, contender: Contender, told: Facts) -> Facts:
        begun = perf_counter()
        if contender.program == "command":
            found, memory = self._command(contender, told)
        else:
            process = self._start(contender)
            with Watch(process.pid) as memory:
                try:
                    found = process.turn(told)
                finally:
                    process.close(60)
        return found | {"seconds": perf_counter() - begun, "peak_mib": memory.mib}

    def _command(self, contender: Contender, told: Facts) -> tuple[Facts, Watch]:
        python = self._pythons.get("galgen", sys.executable)
        words = [python, "-P", "-m", *told["words"], "--n", told["n"], "--out", told["out"]]
        with tempfile.TemporaryFile() as errors:
            program = subprocess.Popen(
                [str(word) for word in words],
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=self._environment | _threads(contender),
            )
            with Watch(program.pid) as memory:
                try:
                    code = program.wait(TURN_LIMIT)
                except subprocess.TimeoutExpired:
                    program.kill()
                    program.wait()
                    raise LeftOutError(f"not done after {TURN_LIMIT:.0f} s") from None
            if code:
                errors.seek(0)
                raise LeftOutError(f"exit code {code}: {errors.read()[-300:].decode()}")
        return {}, memory


def _threads(contender: Contender) -> dict[str, str]:
    return dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(contender.threads))
