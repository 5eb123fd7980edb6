"""How commands that write are killed and brought to their ends."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from bench.left import State, digests, result, visible
from galgen.weights.checkpoint import load
from galgen.weights.tensors import load_tensors
from tests.fuzz.child import Child, Ended

LIMIT = 300  # seconds
DATA = Path(__file__).parents[1] / "tests" / "fixtures" / "galaxies64.zip"
_CLUSTER = """
import time
from distributed import LocalCluster
if __name__ == "__main__":
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")
    print(cluster.scheduler_address, flush=True)
    time.sleep(600)
"""


@dataclass(frozen=True)
class Writer:
    """A command that writes.

    Attributes
    ----------
    name : str
        As it is counted.
    words : str
        The command; {in} is the folder of inputs.
    """

    name: str
    words: str

    def begin(self, folder: Path, place: Path, extra: str = "") -> Child:
        """Begin it in `place`."""
        galaxies = (folder / "galaxies").read_text()
        words = f"{self.words} {extra}".replace("{n}", galaxies).replace("{in}", str(folder))
        return Child.command(words.split(), place, LIMIT)

    def expect(self, folder: Path) -> None:
        """Run it twice without kills; keep what it makes, and how long it takes at least."""
        seconds = []
        place = folder / "expected" / self.name
        for _ in range(2):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            start = time.monotonic()
            self.finish(folder, place)
            seconds.append(time.monotonic() - start)
        place.with_name(f"{self.name}.seconds").write_text(str(min(seconds)))

    def finish(self, folder: Path, place: Path, extra: str = "") -> None:
        """Run it to its end."""
        succeed(self.begin(folder, place, extra).wait())

    def moment(self, rng: Random, folder: Path) -> float:
        """Choose when to kill it, before its end, mostly."""
        seconds = (folder / "expected" / f"{self.name}.seconds").read_text()
        return rng.uniform(0, 1) * float(seconds)

    def round(self, rng: Random, folder: Path, place: Path) -> dict[str, Any]:
        """Kill it, look, and run it again."""
        expected = digests(folder / "expected" / self.name)
        before: State = {}
        if rng.random() < 0.4:  # it replaces what an earlier one has made
            self.finish(folder, place)
            before = digests(place)
        extra = "--overwrite" if before else ""
        after = self.moment(rng, folder)
        killed = kill(self.begin(folder, place, extra), after, True)
        found = visible(digests(place))
        states = {name: expected.get(name) for name in found}
        whole = all(found[name] in (states[name], before.get(name)) for name in found)
        left = "none" if not found else "whole" if whole and found.keys() >= expected.keys() else ""
        # Of outputs of several files, and folders, a part is half.
        left = left or ("half" if not self.several or not whole else "some")
        self.finish(folder, place, "--overwrite" if found else "")
        return result([after], killed, [left], digests(place), expected)

    @property
    def several(self) -> bool:
        """Whether it writes files that each get their names alone."""
        return "meds" in self.name or "realgalaxy" in self.name


@dataclass(frozen=True)
class Run(Writer):
    """A run that keeps a ledger; another command ends it.

    Attributes
    ----------
    again : str
        What goes on.
    """

    again: str = "resume cat.fits --quiet"
    group: bool = True

    def round(self, rng: Random, folder: Path, place: Path) -> dict[str, Any]:
        """Kill it, kill at times what goes on, and bring it to its end."""
        expected, afters, killed, left = digests(folder / "expected" / self.name), [], 0, []
        again = dataclasses.replace(self, words=self.again)
        for turn in range(rng.choice([1, 1, 2])):
            begun = (place / "cat.fits.part").exists() or (place / "cat.fits").exists()
            afters.append(self.moment(rng, folder))
            child = (again if turn and begun else self).begin(folder, place)
            killed += kill(child, afters[-1], self.group)
            time.sleep(0 if self.group else 0.5)  # its workers end by themselves
            found = visible(digests(place))
            whole = all(found[name] == expected.get(name) for name in found)
            left.append("none" if not found else "whole" if whole else "half")
        if (place / "cat.fits.part").exists() or (place / "cat.fits").exists():
            again.finish(folder, place)
        else:
            self.finish(folder, place)
        return result(afters, killed, left, digests(place), expected)


@dataclass(frozen=True)
class Array(Run):
    """Jobs of an array, then `finish`; one of them is killed and made again."""

    def finish(self, folder: Path, place: Path, extra: str = "") -> None:
        """Make all jobs that are not made, and finish."""
        for job in range(3):
            super().finish(folder, place, f"--njobs 3 --job {job}")
        if (place / "cat.fits").exists():
            return
        succeed(Child.command(["finish", "cat.fits", "--quiet"], place, LIMIT).wait())

    def round(self, rng: Random, folder: Path, place: Path) -> dict[str, Any]:
        """Kill one job beside another, or `finish`."""
        expected, after = digests(folder / "expected" / self.name), self.moment(rng, folder) / 3
        victim = rng.randrange(4)
        jobs = [self.begin(folder, place, f"--njobs 3 --job {job}") for job in range(3)]
        killed = kill(jobs[victim], after, True) if victim < 3 else 0
        for job in jobs[:victim] + jobs[victim + 1 :]:
            succeed(job.wait())
        if victim == 3:
            after = rng.uniform(0, 0.3)
            finishing = Child.command(["finish", "cat.fits", "--quiet"], place, LIMIT)
            killed = kill(finishing, after, True)
        found = visible(digests(place))
        left = "none" if not found else "whole" if found == expected else "half"
        self.finish(folder, place)
        return result([after], killed, [left], digests(place), expected)


@dataclass(frozen=True)
class OnDask(Run):
    """A run whose galaxies are made by a Dask cluster."""

    def begin(self, folder: Path, place: Path, extra: str = "") -> Child:
        """Begin it with the scheduler that is up, if this is not what goes on without it."""
        address = (folder / "scheduler").read_text().strip()
        extra = f"--scheduler {address}" if self.words.startswith("mass") else ""
        return super().begin(folder, place, extra)

    def expect(self, folder: Path) -> None:
        """Run it on a cluster."""
        with cluster(folder):
            super().expect(folder)

    def round(self, rng: Random, folder: Path, place: Path) -> dict[str, Any]:
        """Kill what asks the cluster."""
        with cluster(folder):
            return super().round(rng, folder, place)


@dataclass(frozen=True)
class Training(Writer):
    """A training run, whose checkpoint is written after every step."""

    workers: int = 1

    def begin(self, folder: Path, place: Path, extra: str = "") -> Child:
        """Begin or resume it."""
        return Child(lambda: self._train(folder, place / "run"), place, LIMIT)

    def _train(self, folder: Path, out: Path) -> None:
        from galgen.training import train
        from galgen.training.presets import tiny

        often = {"images": 64, "batch": 8, "checkpoint_minutes": 1e-9, "validation": 0.2}
        preset = tiny()
        preset = dataclasses.replace(preset, train=dataclasses.replace(preset.train, **often))
        train([DATA], preset, out, size=16, workers=self.workers, device="cpu", resume=True)

    def round(self, rng: Random, folder: Path, place: Path) -> dict[str, Any]:
        """Kill it once or twice; its checkpoint is readable, and its weights come out the same."""
        afters, killed, left = [], 0, []
        for _ in range(rng.choice([1, 1, 2])):
            afters.append(self.moment(rng, folder))
            killed += kill(self.begin(folder, place), afters[-1], rng.random() < 0.5)
            time.sleep(0.5)  # its workers end by themselves
            left.append(_readable(place / "run"))
        self.finish(folder, place)
        whole, made = (_weights(where) for where in (folder / "expected" / self.name, place))
        return result(afters, killed, left, made, whole)


def _weights(place: Path) -> State:
    """Digest what must come out the same: the log and the model card tell the time."""
    names = ("weights/model.safetensors", ".")
    return {n: d for n, d in digests(place / "run").items() if n.startswith(names)}


def _readable(run: Path) -> str:
    """Say what there is of a training run: each of its files must be whole."""
    checkpoint = run / "checkpoint.safetensors"
    try:
        if checkpoint.exists():
            load_tensors(checkpoint)
        if (run / "weights").exists():
            load(run / "weights")
    except Exception:  # whatever it is, the file is not whole
        return "half"
    return "whole" if checkpoint.exists() else "none"


def kill(child: Child, after: float, group: bool) -> bool:
    """Kill a command after some seconds; whether it was still at work."""
    time.sleep(after)
    child.kill(group)
    return child.wait().code < 0


def succeed(ended: Ended) -> None:
    """Raise if a command has not ended well."""
    if ended.code != 0:
        raise RuntimeError(f"exit code {ended.code}: {ended.err}")


@contextmanager
def cluster(folder: Path) -> Iterator[None]:
    """Have two Dask workers, and their address in a file."""
    words = [sys.executable, "-c", _CLUSTER]
    # What makes galaxies is imported by workers, from where this was.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    try:
        (folder / "scheduler").write_text(process.stdout.readline())
        yield
    finally:
        process.terminate()
        process.wait()
