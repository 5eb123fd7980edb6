"""A training run that stops and goes on where it stopped."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch

from galgen.diffusion.config import DiffusionConfig
from galgen.errors import WeightsError
from galgen.training.loop import Trainer
from galgen.training.prepare import Prepared
from tests.training.running import BATCH, log, saved, steps, trainer

pytestmark = pytest.mark.usefixtures("few_validation_batches")


def assert_same_tensors(one: Path, other: Path) -> None:
    (a, _), (b, _) = saved(one), saved(other)
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_resumed_run_is_the_uninterrupted_one(
    prepared: Prepared, tmp_path: Path, optimizer: str
) -> None:
    """Bit for bit: weights, average and moments."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    trainer(prepared, whole, optimizer=optimizer).run(steps(6))
    trainer(prepared, parts, optimizer=optimizer).run(steps(2))
    for n in (3, 1):
        torch.manual_seed(99)  # nothing may hang on the global generator
        resumed = trainer(prepared, parts, optimizer=optimizer)
        resumed.resume()
        resumed.run(steps(n))
    assert (resumed.step, resumed.images) == (6, 6 * BATCH)
    assert_same_tensors(whole, parts)


def test_complete_run(prepared: Prepared, tmp_path: Path) -> None:
    """Ends with the step that reaches its length; resuming it does nothing more."""
    run = trainer(prepared, tmp_path, images=10)
    assert run.run(steps(99))
    assert run.images == 12
    again = trainer(prepared, tmp_path, images=10)
    again.resume()
    assert again.run(steps(99))
    assert again.step == 3


@pytest.mark.usefixtures("every_step")
def test_resume_forgets_what_came_after_the_checkpoint(prepared: Prepared, tmp_path: Path) -> None:
    """As after a kill: three steps more are in the log than in the checkpoint."""
    run = trainer(prepared, tmp_path)
    run.run(steps(2))
    checkpoint = tmp_path / "checkpoint.safetensors"
    shutil.copy(checkpoint, tmp_path / "early")
    run.run(steps(3))
    complete = log(tmp_path)
    shutil.move(tmp_path / "early", checkpoint)
    resumed = trainer(prepared, tmp_path)
    resumed.resume()
    assert [int(row["images"]) for row in log(tmp_path)] == [4, 8, 8]
    resumed.run(steps(3))
    assert [row["loss"] for row in log(tmp_path)] == [row["loss"] for row in complete]


def test_resume_without_a_log(prepared: Prepared, tmp_path: Path) -> None:
    trainer(prepared, tmp_path).run(steps(1))
    (tmp_path / "loss.csv").unlink()
    run = trainer(prepared, tmp_path)
    run.resume()
    assert log(tmp_path) == []


@pytest.mark.usefixtures("every_step")
@pytest.mark.parametrize(
    "left",
    [
        "",  # killed between the file and its first line
        "4,1.0,0.5,,0.001,9.0\n",  # and then went on without the line that names the columns
        "images,seconds,loss\n4,1.0,0.5,9,9\n,,\n8",
    ],
)
def test_a_run_that_begins_again_has_a_log_of_its_own(
    prepared: Prepared, tmp_path: Path, left: str
) -> None:
    """As after a kill before the first checkpoint."""
    (tmp_path / "loss.csv").write_text(left)
    run = trainer(prepared, tmp_path)
    run.run(steps(2))
    assert [int(row["images"]) for row in log(tmp_path)] == [4, 8, 8]
    (tmp_path / "loss.csv").write_text(left)
    run.resume()
    assert all(0 < int(row["images"]) <= 8 for row in log(tmp_path))


def test_checkpoint_of_another_run_is_refused(prepared: Prepared, tmp_path: Path) -> None:
    """Of another network, and of the same network trained for something else."""
    trainer(prepared, tmp_path).run(steps(1))
    preset = prepared.preset
    others = [
        ("model", {"model": dataclasses.replace(preset.model, blocks=2)}),
        # The same shapes with other meanings:
        ("model", {"model": dataclasses.replace(preset.model, properties=tuple("abcde"))}),
        ("diffusion", {"diffusion": DiffusionConfig(preconditioning="vp")}),
        ("diffusion", {"diffusion": DiffusionConfig(sigma_skip=0.25)}),
        ("optimizer", {"train": dataclasses.replace(preset.train, optimizer="adamw")}),
    ]
    for named, changes in others:
        other = Trainer(
            dataclasses.replace(preset, **changes),
            prepared.training,
            prepared.validation,
            tmp_path,
        )
        with pytest.raises(WeightsError, match=rf"checkpoint\.safetensors: its {named} is"):
            other.resume()


def test_settings_that_may_change_on_resuming(prepared: Prepared, tmp_path: Path) -> None:
    trainer(prepared, tmp_path).run(steps(1))
    changed = {"images": 20_000, "learning_rate": 5e-4, "checkpoint_minutes": 9.0}
    train = dataclasses.replace(prepared.preset.train, **changed)
    noise = DiffusionConfig(log_sigma_mean=-0.5, log_sigma_std=1.0, sigma_min=0.01, sigma_max=9.0)
    preset = dataclasses.replace(prepared.preset, train=train, diffusion=noise)
    run = Trainer(preset, prepared.training, prepared.validation, tmp_path)
    run.resume()
    assert run.step == 1


def test_nothing_to_resume(prepared: Prepared, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"checkpoint\.safetensors"):
        trainer(prepared, tmp_path).resume()
