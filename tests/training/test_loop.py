"""The training loop: it learns, logs, and refuses to go wrong."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from galgen.diffusion.denoiser import Denoiser
from galgen.errors import NonFiniteOutputError
from galgen.training import loop
from galgen.training.batches import TrainingBatch
from galgen.training.log import FIELDS
from galgen.training.loop import Progress
from galgen.training.prepare import Prepared
from tests.training.running import BATCH, log, saved, steps, trainer

pytestmark = pytest.mark.usefixtures("few_validation_batches")


def test_loss_falls(prepared: Prepared, tmp_path: Path) -> None:
    """On a batch seen again and again, and of the average on galaxies never seen."""
    run = trainer(prepared, tmp_path, learning_rate=3e-3, ema_relative_width=0.25)
    first = prepared.training.batch(0)
    run.training = SimpleNamespace(batch=lambda *_: first)

    def loss() -> float:
        with torch.no_grad():
            return run._batch_loss(run.denoiser, first, 0).mean().item()

    before = loss(), run.validation_loss()
    assert not run.run(steps(30))  # not complete
    assert loss() < 0.7 * before[0]
    assert run.validation_loss() < 0.9 * before[1]


@pytest.mark.usefixtures("every_step")
def test_log(prepared: Prepared, tmp_path: Path) -> None:
    reports: list[Progress] = []
    trainer(prepared, tmp_path, warmup=8).run(steps(3, reports.append))
    rows = log(tmp_path)
    assert tuple(rows[0]) == FIELDS
    *training, validation = rows
    assert [int(row["images"]) for row in training] == [4, 8, 12]
    assert [float(row["learning_rate"]) for row in training] == [0, 5e-4, 1e-3]  # of the step
    assert validation["loss"] == ""
    assert float(validation["validation_loss"]) > 0
    for report, row in zip(reports, training, strict=True):
        assert (report.images, report.total) == (int(row["images"]), 10_000)
        assert row["loss"] == f"{report.loss:.5f}"


def test_rate_leaves_out_previews(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock on which a step takes 1 s and a preview 100 s."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(loop, "LOG_SECONDS", 4.0)

    def preview(denoiser: Denoiser, images: int) -> None:
        clock.now += 100

    reports: list[Progress] = []
    run = trainer(prepared, tmp_path, preview_minutes=5 / 60)
    train_step = run._train_step

    def slow_step(batch: TrainingBatch) -> torch.Tensor:
        clock.now += 1
        return train_step(batch)

    monkeypatch.setattr(run, "_train_step", slow_step)
    run.run(steps(14, reports.append, preview))
    assert clock.now > 200
    assert [report.images_per_second for report in reports] == [BATCH] * 3
    assert run.seconds == 14


def test_average_forgets_the_beginning(prepared: Prepared, tmp_path: Path) -> None:
    """After one step it is that step's weights: the random ones of the start have no part in it."""
    run = trainer(prepared, tmp_path)
    run.run(steps(1))
    averaged = dict(run.ema.module.named_parameters())
    assert all(torch.equal(p, averaged[name]) for name, p in run.denoiser.named_parameters())


def test_preview_sees_the_average(prepared: Prepared, tmp_path: Path) -> None:
    seen = []
    run = trainer(prepared, tmp_path, preview_minutes=1e-9)
    run.run(steps(2, preview=lambda denoiser, images: seen.append((denoiser, images))))
    assert seen == [(run.ema.module, 4), (run.ema.module, 8)]
    assert not run.ema.module.training


def test_checkpoints_while_training(prepared: Prepared, tmp_path: Path) -> None:
    """A crash loses what came after the last of them, and nothing else."""

    def crash() -> bool:
        if run.step == 3:
            raise MemoryError
        return False

    run = trainer(prepared, tmp_path, checkpoint_minutes=1e-9)
    with pytest.raises(MemoryError):
        run.run(dataclasses.replace(steps(9), stop=crash))
    _, meta = saved(tmp_path)
    assert (meta["step"], meta["images"]) == (3, 12)


@pytest.mark.parametrize(
    ("log_seconds", "what"), [(0.0, "the loss is (nan|inf)"), (1e9, "among the weights")]
)
def test_divergence_keeps_the_checkpoint(
    prepared: Prepared,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    log_seconds: float,
    what: str,
) -> None:
    """By an absurd learning rate. Found in the loss, or at the latest when it would be saved."""
    trainer(prepared, tmp_path).run(steps(2))
    good = (tmp_path / "checkpoint.safetensors").read_bytes()
    monkeypatch.setattr(loop, "LOG_SECONDS", log_seconds)
    run = trainer(prepared, tmp_path, optimizer="muon")
    object.__setattr__(run.preset.train, "learning_rate", 1e30)  # beyond what is allowed
    run.resume()
    match = rf"diverged: .*{what} after \d+ images; lower the learning rate.*{tmp_path}"
    with pytest.raises(NonFiniteOutputError, match=match):
        run.run(steps(8))
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == good


@pytest.mark.parametrize("minutes", [1e-9, 1e9])
def test_one_bad_stamp_is_enough(prepared: Prepared, tmp_path: Path, minutes: float) -> None:
    """NaN in step 3 of 4, which no log has seen: neither a timed nor the last save takes it."""

    def batch(step: int, *share: int) -> TrainingBatch:
        made = prepared.training.batch(step, *share)
        if step == 2:
            made.x_nhwc[0, 0, 0, 0] = torch.nan
        return made

    run = trainer(prepared, tmp_path, checkpoint_minutes=minutes)
    run.training = SimpleNamespace(batch=batch)
    with pytest.raises(NonFiniteOutputError, match="NaN or infinity is among the weights after"):
        run.run(steps(4))
    path = tmp_path / "checkpoint.safetensors"
    if minutes < 1:
        assert saved(tmp_path)[1]["step"] == 2
    else:
        assert not path.exists()


def test_seeds_give_other_runs(prepared: Prepared, tmp_path: Path) -> None:
    """Other weights to begin with, and other noise on the same batch."""
    one, other = (trainer(prepared, tmp_path, seed=seed) for seed in (0, 1))
    assert not torch.equal(one.denoiser.net.stem.weight, other.denoiser.net.stem.weight)
    batch = prepared.training.batch(0)
    a, b = (run._batch_loss(one.denoiser, batch, 0) for run in (one, other))
    assert not torch.equal(a, b)
    assert torch.equal(a, one._batch_loss(one.denoiser, batch, 0))


def test_validation_is_repeatable_and_of_the_average(prepared: Prepared, tmp_path: Path) -> None:
    run = trainer(prepared, tmp_path)
    loss = run.validation_loss()
    assert loss == run.validation_loss()
    run.denoiser.net.head.bias.data += 1
    assert loss == run.validation_loss()
    run.ema.module.net.head.bias.data += 1
    assert loss != run.validation_loss()
