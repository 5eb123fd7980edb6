"""How fast galaxies are made: what is timed is what is made, and nothing of it stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import galgen.cli
from galgen.catalog.format.layout import plan_files
from galgen.generate import GalaxyModel, Run
from galgen.generate.sampling import Sampling
from galgen.produce.pace import MILLION, measure_pace
from tests.tiny import make_checkpoint


@pytest.fixture
def run() -> Run:
    model = GalaxyModel(make_checkpoint(), torch.device("cpu"))
    return model.generate("spiral", MILLION, sampling=Sampling(steps=1, micro_batch=4))


def test_parts_and_the_whole(run: Run, tmp_path: Path) -> None:
    pace = measure_pace(run, tmp_path, 0.01)
    assert list(pace.parts) == ["drawing", "network", "measuring", "writing"]
    assert pace.bound_by in pace.parts
    assert pace.galaxies % (4 * run.lanes) == 0
    # All of it is never faster than its slowest part; what is timed apart may differ by chance.
    assert pace.galaxies_per_second < 10 * min(pace.parts.values())
    assert pace.million_seconds == pytest.approx(MILLION / pace.galaxies_per_second)
    assert pace.million_bytes == sum(layout.total_bytes for layout in plan_files(run.info))
    assert not list(tmp_path.iterdir())


def test_timing_changes_no_galaxy(run: Run) -> None:
    parts: list[str] = []

    class Clock:
        def __init__(self, part: str) -> None:
            parts.append(part)

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    (timed,), (plain,) = (list(r.batches([(0, 4)])) for r in (run.timed(Clock), run))
    assert timed.stamps_nbhw.tobytes() == plain.stamps_nbhw.tobytes()
    assert parts == ["drawing", "network", "measuring"]


def test_the_command(tiny_weights: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    words = ["galgen", "bench", "--weights", tiny_weights, "--steps", "1", "--batch", "2"]
    words += ["--seconds", "0.1", "--folder", tmp_path]
    monkeypatch.setattr("sys.argv", [*map(str, words), "--json"])
    with pytest.raises(SystemExit) as end:
        galgen.cli.main()
    assert end.value.code == 0
    said = json.loads(capsys.readouterr().out)
    assert said["steps"] == 1
    assert said["million_bytes"] > MILLION
    monkeypatch.setattr("sys.argv", [*map(str, words)])
    with pytest.raises(SystemExit):
        galgen.cli.main()
    assert "bound by" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--folder", "none", "there is no folder none"),
        ("--stamps", "int16", "float32 or none"),
        ("--seconds", "0", "--seconds"),
        ("--seconds", "nan", "--seconds"),
        ("--category", "quasar", "quasar"),
    ],
)
def test_bad_requests(tiny_weights, tmp_path, monkeypatch, capsys, option, value, said) -> None:
    words = ["galgen", "bench", "--weights", str(tiny_weights), "--steps", "1", option, value]
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        galgen.cli.main()
    assert end.value.code == 2
    assert said in capsys.readouterr().err
