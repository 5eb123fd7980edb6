"""A finisher is trained: what changes, what stays, and a run that is stopped and goes on."""

from __future__ import annotations

import copy
import csv
import dataclasses
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from galgen.data import open_stamps
from galgen.diffusion.config import DiffusionConfig
from galgen.diffusion.denoiser import Denoiser
from galgen.errors import InvalidValueError, NonFiniteOutputError, OutputError, WeightsError
from galgen.training.config import Preset
from galgen.training.finisher import trainer
from galgen.training.finisher.config import FinisherConfig
from galgen.training.finisher.run import (
    check_level,
    train_finisher,
    training_galaxies,
    with_finisher,
)
from galgen.training.finisher.states import States, sample_states
from galgen.training.finisher.trainer import FinisherTrainer
from galgen.training.prepare import Prepared, prepare
from galgen.weights.checkpoint import Checkpoint, export, load
from galgen.weights.tensors import load_tensors
from tests.tiny import CARD, randomise
from tests.training.running import SIZE

GALAXIES = Path(__file__).parents[1] / "fixtures" / "galaxies64.zip"
CONFIG = FinisherConfig(
    images=1000,
    batch=4,
    features=0.0,
    noised=0.5,
    warmup=0,
    states=8,
    samplers=(("ddim", 2),),
    penalty_every=2,
    critic_steps=1,
)


def make_checkpoint(prepared: Prepared) -> Checkpoint:
    denoiser = Denoiser(prepared.preset.model, prepared.preset.diffusion)
    randomise(denoiser.net)
    denoiser.eval().requires_grad_(False)
    card = CARD | {"train": {"validation": prepared.preset.train.validation}}
    return Checkpoint(denoiser, prepared.space, prepared.population, SIZE, card, "0" * 64)


@pytest.fixture(scope="module")
def checkpoint(prepared: Prepared) -> Checkpoint:
    return make_checkpoint(prepared)


@pytest.fixture(scope="module")
def states(prepared: Prepared, checkpoint: Checkpoint) -> States:
    source = prepared.training
    return sample_states(
        checkpoint.denoiser,
        source.stamps.category,
        source.z_np,
        SIZE,
        level=CONFIG.level,
        samplers=CONFIG.samplers,
        n=CONFIG.states,
        balance=CONFIG.balance,
        seed=CONFIG.seed,
    )


Make = Callable[..., FinisherTrainer]


@pytest.fixture
def make(prepared: Prepared, checkpoint: Checkpoint, states: States) -> Make:
    def trainer(out: Path, **changes: object) -> FinisherTrainer:
        config = dataclasses.replace(CONFIG, **changes)
        out.mkdir(exist_ok=True)
        stamps, z_np = prepared.training.stamps, prepared.training.z_np
        return FinisherTrainer(checkpoint, stamps, z_np, states, config, out)

    return trainer


def steps(n: int) -> Callable[[], bool]:
    """Stop after n steps."""
    left = iter(range(n))
    return lambda: next(left, None) is None


def saved(out: Path) -> dict[str, torch.Tensor]:
    return load_tensors(out / "checkpoint.safetensors")[0]


def differing(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> list[str]:
    assert one.keys() == other.keys()
    return [name for name in one if not torch.equal(one[name], other[name])]


def test_what_a_step_changes(make: Make, checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Critics alone at first, then the finisher too; never the denoiser that it is a copy of."""
    before = copy.deepcopy(checkpoint.denoiser.state_dict())
    run = make(tmp_path, warmup=1)
    for _ in range(2):
        critics = copy.deepcopy(run.panel.state_dict())
        warm = differing(before, run.finisher.state_dict())
        run.run(steps(1))
        changed = differing(critics, run.panel.state_dict())
        assert {name.split(".")[1] for name in changed} == {"pixels", "grain", "profiles"}
        assert not any(name.endswith(("mean", "std")) for name in changed)
        assert warm == []
    assert len(differing(before, run.finisher.state_dict())) > 10
    assert len(differing(before, run.average.state_dict())) > 10
    assert differing(before, checkpoint.denoiser.state_dict()) == []


def test_critics_take_more_steps(make: Make, tmp_path: Path) -> None:
    """Neither the finisher nor its average moves in a step of the critics alone."""
    run = make(tmp_path, critic_steps=2)
    for moves in (True, False, True):
        before = [copy.deepcopy(m.state_dict()) for m in (run.finisher, run.average, run.panel)]
        run._train_step()
        after = [m.state_dict() for m in (run.finisher, run.average, run.panel)]
        changed = [bool(differing(a, b)) for a, b in zip(before, after, strict=True)]
        assert changed == [moves, moves, True]


def test_weights_with_a_finisher_go_on_from_it(
    prepared: Prepared, checkpoint: Checkpoint, states: States, tmp_path: Path
) -> None:
    plain = checkpoint.denoiser
    denoiser = Denoiser(plain.net.config, plain.config, finished=True)
    denoiser.net = plain.net
    assert denoiser.finisher is not None
    randomise(denoiser.finisher, 1)
    begun = denoiser.finisher.state_dict()
    source, given = prepared.training, dataclasses.replace(checkpoint, denoiser=denoiser)
    run = FinisherTrainer(given, source.stamps, source.z_np, states, CONFIG, tmp_path)
    for network in (run.finisher, run.average):
        assert network.finisher is None
        assert differing(begun, network.net.state_dict()) == []
    run.run(steps(1))
    assert len(differing(begun, run.finisher.net.state_dict())) > 10
    finished = with_finisher(given, run.average, CONFIG, run.images).denoiser
    assert differing(plain.net.state_dict(), finished.net.state_dict()) == []
    assert finished.finisher is run.average.net


def test_hold_alone_brings_colours_back(make: Make, tmp_path: Path) -> None:
    """What the denoiser gets wrong on large scales falls where critics hardly count."""
    others = {"pixels": 0.0, "grain": 0.0, "profiles": 1e-6, "moments": 0.0, "critic_steps": 1}
    run = make(tmp_path, hold=10.0, generator_rate=1e-3, batch=8, **others)
    held = [run._train_step()["hold"].item() for _ in range(12)]
    assert np.mean(held[-3:]) < 0.8 * np.mean(held[:3])


def test_resumed_run_is_the_uninterrupted_one(make: Make, tmp_path: Path) -> None:
    """Bit for bit, and so is another run of the same seed; a run of another seed is not."""
    whole, parts, other = tmp_path / "whole", tmp_path / "parts", tmp_path / "other"
    make(whole).run(steps(4))
    make(parts).run(steps(1))
    for n in (2, 1):
        torch.manual_seed(99)  # nothing may hang on the global generator
        run = make(parts)
        run.resume()
        run.run(steps(n))
    assert (run.step, run.images) == (4, 16)
    assert differing(saved(whole), saved(parts)) == []
    make(other, seed=1).run(steps(4))
    assert len(differing(saved(whole), saved(other))) > 10


def test_checkpoint_of_another_configuration_is_refused(make: Make, tmp_path: Path) -> None:
    make(tmp_path).run(steps(1))
    with pytest.raises(WeightsError, match="its configuration is"):
        make(tmp_path, hold=0.5).resume()
    longer = make(tmp_path, images=2000)
    longer.resume()
    assert longer.step == 1


def test_log(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "LOG_SECONDS", 0.0)
    reported: list[dict[str, float]] = []
    assert make(tmp_path, images=8, critic_steps=2).run(
        lambda: False, lambda row: reported.append(dict(row))
    )
    with open(tmp_path / "finisher.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["images"] for row in rows] == ["4", "8"]
    assert rows[0]["features"] == ""  # there is no such critic
    assert all(0 <= float(row["pixels"]) <= 1 for row in rows)
    assert float(rows[0]["hold"]) > 0
    assert rows[1]["hold"] == ""  # a step of the critics alone
    assert [row["images"] for row in reported] == [4, 8]


def test_what_is_not_finite_is_not_saved(make: Make, tmp_path: Path) -> None:
    run = make(tmp_path)
    run.run(steps(1))
    before = saved(tmp_path)
    with torch.no_grad():
        next(run.finisher.parameters()).fill_(torch.nan)
    with pytest.raises(NonFiniteOutputError, match="lower the learning rates"):
        run.save()
    assert differing(before, saved(tmp_path)) == []


@pytest.mark.parametrize("level", [0.001, 80.0])
def test_level_that_samplers_cannot_stop_at(checkpoint: Checkpoint, level: float) -> None:
    with pytest.raises(InvalidValueError, match="level"):
        check_level(level, checkpoint.denoiser)


def test_steps_of_a_ddpm_have_no_finisher(checkpoint: Checkpoint) -> None:
    model = checkpoint.denoiser.net.config
    with pytest.raises(InvalidValueError, match="edm"):
        check_level(0.5, Denoiser(model, DiffusionConfig(preconditioning="vp")))


def test_neither_held_out_galaxies_nor_those_that_teach(prepared: Prepared, tmp_path: Path) -> None:
    marked = tmp_path / "marked.zip"
    with zipfile.ZipFile(GALAXIES) as old, zipfile.ZipFile(marked, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "labels.csv":
                rows = list(csv.DictReader(io.StringIO(content.decode())))
                text = io.StringIO()
                writer = csv.DictWriter(text, [*rows[0], "teach"])
                writer.writeheader()
                writer.writerows(row | {"teach": i % 2} for i, row in enumerate(rows))
                content = text.getvalue().encode()
            new.writestr(name, content)
    preset: Preset = prepared.preset
    marks = prepare([marked], preset, SIZE)
    stamps, z_np = training_galaxies(make_checkpoint(marks), [marked])
    source = marks.training
    plain = source.stamps.columns["teach"] == 0
    assert 0 < plain.sum() < len(plain) < len(open_stamps(GALAXIES))
    assert stamps.ids.tolist() == source.stamps.ids[plain].tolist()
    np.testing.assert_allclose(z_np, source.z_np[plain], atol=1e-5)
    with pytest.raises(InvalidValueError, match="properties of the data"):
        training_galaxies(make_checkpoint(marks), [GALAXIES])


def test_from_data_to_weights(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """One process and two make the same, but for the rounding of sums in half precision."""
    export(checkpoint, tmp_path / "given", "# Card\n")
    config = dataclasses.replace(CONFIG, images=8)
    made = {}
    for workers in (1, 2):
        out = tmp_path / str(workers)
        done = train_finisher(
            [GALAXIES], tmp_path / "given", out, config, device="cpu", workers=workers
        )
        assert (done.images, done.total, done.interrupted) == (8, 8, False)
        made[workers] = saved(out)
    away, apart = (
        torch.cat([(a[n] - b[n]).flatten() for n in a if n.startswith("trained.finisher")]).norm()
        for a, b in ((made[1], _start(checkpoint, made[1])), (made[1], made[2]))
    )
    assert apart < 0.3 * away
    finished = load(done.weights)
    assert finished.denoiser.config.sigma_last == config.level
    assert finished.card["finisher"]["images_seen"] == 8
    assert (done.weights / "README.md").read_text().startswith("# Card\n\n## Finisher\n")
    with pytest.raises(OutputError, match="resume=True"):
        train_finisher([GALAXIES], tmp_path / "given", out, config)


def _start(checkpoint: Checkpoint, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Where the finisher began: exported weights have half precision."""
    own = {f"trained.finisher.{k}": v for k, v in checkpoint.denoiser.state_dict().items()}
    return tensors | {name: value.half().float() for name, value in own.items()}
