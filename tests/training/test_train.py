"""`galgen.training.train` from data to weights: where it starts, how it ends, what it leaves."""

from __future__ import annotations

import csv
import dataclasses
import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from galgen.diffusion.config import DiffusionConfig
from galgen.diffusion.denoiser import Denoiser
from galgen.errors import WeightsError
from galgen.training import job, loop, train
from galgen.training.config import TrainConfig
from galgen.training.presets import tiny
from galgen.training.start import start_from
from galgen.weights import checkpoint

BATCH = 4
CONFIG = TrainConfig(images=BATCH * 3, batch=BATCH, warmup=0, validation=0.2)


def preset(**changes: object):
    return dataclasses.replace(tiny(), train=dataclasses.replace(CONFIG, **changes))


def start(galaxies: Path, out: Path, chosen=None, **options: object):
    return train([galaxies], chosen or preset(), out, size=16, workers=1, device="cpu", **options)


def parameters(folder: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load(folder).denoiser.net.state_dict()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a short run on real galaxies."""
    galaxies = Path(__file__).parents[1] / "fixtures" / "galaxies64.zip"
    return start(galaxies, tmp_path_factory.mktemp("run")).weights


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "save_sample_grid", lambda path, *_: path.write_text(""))


def test_start_from_weights(galaxies: Path, tmp_path: Path, weights: Path) -> None:
    """Before the first step they are what was given; other noise levels are allowed."""
    other = dataclasses.replace(
        preset(), diffusion=DiffusionConfig(sigma_skip=0.2, skip_power=4.0, log_sigma_mean=0.0)
    )
    said: list[str] = []
    run = tmp_path / "run"
    ended = start(galaxies, run, other, init=weights, max_seconds=0.0, notice=said.append)
    given = parameters(weights)
    assert ended.images == 0
    assert all(torch.equal(t, given[name]) for name, t in parameters(ended.weights).items())
    assert said == []


def test_what_does_not_fit_is_named(weights: Path) -> None:
    """A head that the weights do not have, and an embedding of other properties."""
    model = checkpoint.load(weights).denoiser.net.config
    model = dataclasses.replace(
        model, detail_features=2, detail_width=4, properties=model.properties[:2]
    )
    denoiser = Denoiser(model, DiffusionConfig())
    afresh = start_from(weights, denoiser)
    assert {name.split(".")[0] for name in afresh} == {"detail", "embedding"}
    assert "embedding.properties.0.weight" in afresh
    fitting = parameters(weights).keys() - set(afresh)
    own = denoiser.net.state_dict()
    assert all(torch.equal(own[name], parameters(weights)[name]) for name in fitting)


def test_weights_of_another_network(weights: Path) -> None:
    model = dataclasses.replace(
        checkpoint.load(weights).denoiser.net.config, widths=(64, 64, 64), embedding=64, bands=2
    )
    with pytest.raises(WeightsError, match="none of its parameters fit"):
        start_from(weights, Denoiser(model, DiffusionConfig()))


def test_init_reaches_the_run_and_the_average(
    galaxies: Path, tmp_path: Path, weights: Path
) -> None:
    """A run of one step at rate zero leaves the weights as they were."""
    slow = preset(images=BATCH, warmup=10**9)
    ended = start(galaxies, tmp_path / "run", slow, init=weights)
    given = parameters(weights)
    for name, tensor in parameters(ended.weights).items():
        torch.testing.assert_close(tensor, given[name], rtol=1e-3, atol=1e-4)


def test_resuming_forgets_init(galaxies: Path, tmp_path: Path, weights: Path) -> None:
    start(galaxies, tmp_path / "run", preset(images=BATCH))
    before = parameters(tmp_path / "run" / "weights")
    start(galaxies, tmp_path / "run", preset(images=BATCH), resume=True, init=weights)
    after = parameters(tmp_path / "run" / "weights")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_weights_come_before_the_picture(
    galaxies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And all the time, not only at the end."""
    seen: list[tuple[str, int]] = []

    def draw(path: Path, *_: object) -> None:
        card = checkpoint.load(path.parent / "weights").card
        seen.append((path.name, card["images_seen"]))
        if len(seen) == 3:
            raise MemoryError

    monkeypatch.setattr(job, "save_sample_grid", draw)
    with pytest.raises(MemoryError):
        start(galaxies, tmp_path / "run", preset(images=BATCH * 9, preview_minutes=1e-9))
    assert seen == [(f"samples-{BATCH * n:09d}.png", BATCH * n) for n in (1, 2, 3)]


def test_a_run_out_of_time_ends_at_rate_zero(
    galaxies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that moves a second whenever it is read."""
    clock = itertools.count()
    monkeypatch.setattr(job, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(loop, "LOG_SECONDS", 0.0)
    chosen = preset(images=10**6, cooldown=0.5)
    ended = start(galaxies, tmp_path / "run", chosen, max_seconds=100.0)
    assert ended.images < 10**6
    assert not ended.interrupted
    with open(tmp_path / "run" / "loss.csv", newline="") as handle:
        rates = [float(row["learning_rate"]) for row in csv.DictReader(handle)]
    assert rates[0] == CONFIG.learning_rate
    assert rates[-1] < 0.1 * CONFIG.learning_rate
    assert rates == sorted(rates, reverse=True)
