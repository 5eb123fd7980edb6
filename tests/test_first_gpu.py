"""A dry run of bench/first_gpu.sh: what it needs, how long it may take, and what it leaves."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from galgen_kernels.backend import HAS_TRITON

if not HAS_TRITON or sys.platform != "linux":
    pytest.skip("there are GPUs to run on under Linux only", allow_module_level=True)
if torch.cuda.is_available():
    pytest.skip("it can be run itself", allow_module_level=True)

from bench import first_training, same_bytes
from bench.fetch_wheels import MOST, THERE, WHEELS, pip_words, tree_bytes
from galgen.training.presets import get_preset
from galgen.weights import SHIPPED_WEIGHTS
from galgen.weights.checkpoint import export
from tests.tiny import make_checkpoint

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "bench" / "first_gpu.sh"
PARTS = ("A", "B", "C")
BOX = 500  # seconds of a part
INSTALLING = 2  # calls of Python before the first step: pip, and a look at what it has installed
PIECE = 16 << 20  # bytes
FAKE = {
    # Records where it is called and how, and leaves what `--out` names.
    "python3": """#!/bin/bash
printf '%s\\x1f' "$PYTHONPATH" "${GALGEN_TUNED:-}" "$@" >>"$RECORD"; printf '\\n' >>"$RECORD"
previous=
for word in "$@"; do
  [[ $previous == --out ]] && echo '{"choices": {}}' >"$word"
  previous=$word
done
[[ $* == *"$FAILS"* ]] && exit 3
echo done
""",
    "nvidia-smi": "#!/bin/sh\necho a GPU\n",
    "ncu": "#!/bin/sh\nwhile [ \"$1\" != python3 ]; do shift; done\nexec \"$@\"\n",
}  # fmt: skip


class Part(NamedTuple):
    """What came of a part: its exit code, calls of Python, and the folder of results."""

    code: int
    calls: list[list[str]]
    out: Path
    work: Path

    def steps(self) -> list[list[str]]:
        """Name, exit code and seconds."""
        lines = (self.work / "results" / "steps.txt").read_text().splitlines()
        return [re.split(r" +", line) for line in lines]


def run_part(folder: Path, part: str, *data: Path, fails: str = "nothing fails") -> Part:
    """Run a part with a Python that only records what it is asked for."""
    programs = folder / "programs"
    programs.mkdir(parents=True, exist_ok=True)
    for name, text in FAKE.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (folder / "wheels").mkdir(exist_ok=True)
    (folder / "wheels" / "astropy-0-py3-none-any.whl").touch()
    record, work, out = folder / f"record-{part}", folder / "work", folder / f"out-{part}"
    environment = {
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(folder),
        "PYTHONPATH": "/kept",
        "RECORD": str(record),
        "FAILS": fails,
        "GALGEN_DRY_RUN": "1",
        "GALGEN_FIRST_GPU": str(work),
        "GALGEN_WHEELS": str(folder / "wheels"),
    }
    command = ["bash", SCRIPT, part, out, *data]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    lines = record.read_text().splitlines() if record.exists() else []
    return Part(done.returncode, [line.split("\x1f")[:-1] for line in lines], out, work)


def unpacked(out: Path, to: Path) -> Path:
    """Put the pieces together as the script says."""
    to.mkdir()
    subprocess.run(f"cat {out}/results.tgz.* | tar xz -C {to}", shell=True, check=True)
    return to


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Part]:
    """All of them, one after the other on one machine."""
    folder = tmp_path_factory.mktemp("gpu")
    data = ROOT / "tests" / "fixtures" / "galaxies64.zip"
    return {part: run_part(folder, part, data) for part in PARTS}


@pytest.fixture(scope="module")
def started(parts, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every command of every part, started where only that is installed what is there."""
    commands = [call[3:] for part in parts.values() for call in part.calls[INSTALLING:]]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])}
    words = [sys.executable, "-W", "ignore", "-m", "tests.first_gpu_steps"]
    done = subprocess.run(
        [*words, tmp_path_factory.mktemp("logs")],
        input=json.dumps(commands),
        env=environment,
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout)


def test_limits_add_up() -> None:
    """With 3 s to kill what does not end, a second to pack, and 15 s to install."""
    bodies = re.split(r"^([ABC])\)$", SCRIPT.read_text(), flags=re.MULTILINE)[1:]
    assert bodies[::2] == list(PARTS)
    for body in bodies[1::2]:
        seconds = re.findall(r"(?:^|\s)(?:bench|tests|step) [\w-]+ (\d+) ", body)
        assert len(seconds) >= 3
        assert sum(map(int, seconds)) + 4 * len(seconds) + 15 <= BOX


@pytest.mark.parametrize("part", PARTS)
def test_every_step_runs_with_what_was_carried(parts, part) -> None:
    code, calls, _, work = parts[part]
    names = [step[1] for step in parts[part].steps() if step[0] == part]
    assert code == 0
    installing, steps = calls[0], calls[INSTALLING:]
    assert len(names) == len(set(names)) == len(steps)
    assert installing[2:5] == ["-m", "pip", "install"]
    assert "--no-index" in installing
    wanted = f"{ROOT}:{ROOT}/kernels:{work}/site:/kept"
    assert {call[0] for call in steps} == {wanted}
    tuned = f"{work}/results/tuned.json"
    assert {call[1] for call in steps[-2:]} == {tuned}  # what part A has found


@pytest.mark.parametrize("part", PARTS)
def test_results_are_few_small_files(parts, part, tmp_path) -> None:
    files = list(parts[part].out.iterdir())
    assert 1 <= len(files) <= 8
    assert all(file.stat().st_size <= PIECE for file in files)
    found = unpacked(parts[part].out, tmp_path / "found")
    assert {"results", "run"} == {path.name for path in found.iterdir()}
    assert "a GPU" in (found / "results" / "nvidia-smi.txt").read_text()
    assert (found / "results" / "steps.txt").read_text() in (
        parts["C"].work / "results" / "steps.txt"
    ).read_text()


def test_a_step_that_fails_is_no_end(tmp_path) -> None:
    whole = run_part(tmp_path / "whole", "A")
    failing = run_part(tmp_path / "failing", "A", fails="bench.numerics")
    assert (whole.code, failing.code) == (0, 1)
    assert len(failing.calls) == len(whole.calls)
    codes = {step[1]: step[3] for step in failing.steps()}
    assert codes.pop("numerics") == "3"
    assert set(codes.values()) == {"0"}


def test_weights_come_back_and_the_checkpoint_does_not(tmp_path) -> None:
    """Numbers that cannot be compressed, more than go into one file."""
    run = tmp_path / "work" / "run"
    (run / "weights").mkdir(parents=True)
    weights = os.urandom(20 << 20)
    (run / "weights" / "model.safetensors").write_bytes(weights)
    (run / "checkpoint.safetensors").write_bytes(weights)
    made = run_part(tmp_path, "B", ROOT / "tests" / "fixtures" / "galaxies64.zip")
    sizes = [file.stat().st_size for file in made.out.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) <= PIECE
    found = unpacked(made.out, tmp_path / "found") / "run"
    assert (found / "weights" / "model.safetensors").read_bytes() == weights
    assert not (found / "checkpoint.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "usage: bench/first_gpu.sh A|B|C OUT [DATA...]"),
        (("A",), "usage: bench/first_gpu.sh A|B|C OUT [DATA...]"),
        (("D", "out"), "usage: bench/first_gpu.sh A|B|C OUT [DATA...]"),
        (("B", "out"), "no data to train on"),
        (("B", "out", "nowhere.zip"), "nowhere.zip: no such data"),
    ],
)
def test_refused(tmp_path, words, said) -> None:
    words = [str(tmp_path / word) if word == "out" else word for word in words]
    command = ["bash", SCRIPT, *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_wheels_that_were_forgotten(tmp_path) -> None:
    made = run_part(tmp_path, "A", fails="import astropy")
    assert made.code == 2
    assert len(made.calls) == INSTALLING  # no step


def test_every_step_starts(started) -> None:
    """99: it was still running when it had been seen enough of."""
    bad = [step for step in started["steps"] if step["code"] not in (0, 99)]
    assert not bad, "\n".join(f"{step['words']}\n{step['log'][-1500:]}" for step in bad)
    modules = {step["words"][0] for step in started["steps"]}
    assert {"pytest", "bench.numerics", "bench.tune_kernels", "bench.first_training"} <= modules


def test_what_that_machine_lacks_is_refused(started) -> None:
    missing = {name for name in ("galsim", "sep", "photutils") if find(name)}
    assert missing <= set(started["absent"])
    assert not {*THERE.values(), *WHEELS.values()} & set(started["absent"])


def find(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(name) is not None


def test_all_that_galgen_needs_is_there_or_carried() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[^\w-]", line)[0] for line in project["dependencies"]}
    assert needed <= {*THERE, *WHEELS}


def test_wheels_are_for_the_other_python(tmp_path) -> None:
    words = pip_words(tmp_path)
    assert words[words.index("--python-version") + 1] == "3.12"
    assert "manylinux_2_28_x86_64" in words
    assert "--only-binary=:all:" in words
    assert set(WHEELS) <= set(words)


def test_training_starts_from_weights_of_the_same_network(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(first_training, "START", tmp_path / "start")
    assert first_training.start_for(get_preset("tiny")) is None
    export(make_checkpoint(), tmp_path / "start", "# Of an earlier training\n")
    assert first_training.start_for(get_preset("tiny")) == tmp_path / "start"
    assert first_training.start_for(get_preset("fast")) is None


def test_rate_that_was_not_measured(tmp_path) -> None:
    (tmp_path / "rate.json").write_text('{"median": 12.5}')
    assert first_training.rate(tmp_path / "rate.json") == 12.5
    assert first_training.rate(tmp_path / "missing.json") == first_training.rate(None) == 0


def test_same_bytes(tmp_path) -> None:
    same_bytes.main(tmp_path / "made", tmp_path / "out.json", n=2)
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["same_bytes"]
    first, second = (tmp_path / "made" / f"{run}.fits" for run in "ab")
    assert same_bytes.far(first, second) == 0


@pytest.mark.skipif(not shutil.which("git") or not (ROOT / ".git").exists(), reason="no clone")
def test_tree_leaves_room_for_data() -> None:
    """44 MiB, as large as the galaxies with labels that the shipped weights were trained on.

    Training needs none of these weights, which may be left out; with them there is room for wheels.
    """
    shipped = sum(file.stat().st_size for file in SHIPPED_WEIGHTS.iterdir())
    assert 1 << 20 < tree_bytes() - shipped < MOST - (44 << 20)
    assert tree_bytes() < MOST - (14 << 20)
