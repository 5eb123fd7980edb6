"""Which optimizer gets which parameter, and the learning rate over a run."""

from __future__ import annotations

import pytest
import torch

from galgen.model.config import ModelConfig
from galgen.model.unet import UNet
from galgen.training.config import TrainConfig
from galgen.training.optim import learning_rate, make_optimizers

FUSIONS = ("gated", "conv", "attention", "plain")


def network(fusion: str = "gated") -> UNet:
    return UNet(
        ModelConfig(
            widths=(32, 32, 32),
            blocks=1,
            embedding=32,
            fusion=fusion,
            detail_features=2,
            detail_width=4,
            properties=("axis_ratio",),
        )
    )


def names(net: UNet, optimizer: torch.optim.Optimizer) -> list[str]:
    known = {id(p): name for name, p in net.named_parameters()}
    return [known[id(p)] for group in optimizer.param_groups for p in group["params"]]


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_every_parameter_has_one_optimizer(fusion: str, kind: str) -> None:
    net = network(fusion)
    optimizers = make_optimizers(net, TrainConfig(optimizer=kind))
    taken = [name for optimizer in optimizers for name in names(net, optimizer)]
    assert sorted(taken) == sorted(name for name, _ in net.named_parameters())
    kinds = [type(optimizer) for optimizer in optimizers]
    assert kinds == ([torch.optim.Muon] if kind == "muon" else []) + [torch.optim.AdamW]


@pytest.mark.parametrize("fusion", FUSIONS)
def test_muon_has_the_hidden_matrices(fusion: str) -> None:
    """Weights between features (Jordan et al. 2024): not first, last, embeddings or biases."""
    net = network(fusion)
    hidden = set(names(net, make_optimizers(net, TrainConfig())[0]))
    parts = {name.split(".")[-2] for name in hidden if name.startswith(("down", "middle", "up"))}
    expected = {"convolution"}
    if fusion in ("gated", "attention"):
        expected |= {"qkv", "projection"}
    if fusion == "plain":
        expected |= {"qkv", "projection"}  # of the global attention
    assert parts == expected
    for part in ("reduce", "expand", "merge"):
        assert {f"{part}.0.weight", f"{part}.1.weight"} <= hidden
    assert {name for name in hidden if name.startswith("detail")} == {"detail.unpack.weight"}
    assert all(net.get_parameter(name).ndim == 2 for name in hidden)
    assert all(name.endswith(".weight") for name in hidden)
    assert not any(name.startswith(("stem", "head", "embedding")) for name in hidden)


def test_settings_reach_the_optimizers() -> None:
    config = TrainConfig(learning_rate=3e-4, weight_decay=0.02)
    for optimizer in make_optimizers(network(), config):
        assert optimizer.param_groups[0]["lr"] == 3e-4
        assert optimizer.param_groups[0]["weight_decay"] == 0.02


def test_learning_rate_over_a_run() -> None:
    config = TrainConfig(images=1000, learning_rate=2.0, warmup=100, cooldown=0.4)
    expected = {0: 0, 50: 1, 100: 2, 300: 2, 600: 2, 800: 1, 950: 0.25, 1000: 0, 1200: 0}
    for images, rate in expected.items():
        assert learning_rate(config, images) == pytest.approx(rate)


def test_learning_rate_without_warm_up_and_cool_down() -> None:
    config = TrainConfig(images=1000, learning_rate=2.0, warmup=0, cooldown=0.0)
    assert {learning_rate(config, images) for images in (0, 1, 999, 1000)} == {2.0}


def test_warm_up_longer_than_the_run() -> None:
    """Never above the straight line of either."""
    config = TrainConfig(images=100, learning_rate=1.0, warmup=200, cooldown=1.0)
    rates = [learning_rate(config, images) for images in range(101)]
    assert max(rates) == pytest.approx(1 / 3, abs=0.01)


def test_time_ends_a_run_as_images_do() -> None:
    """The run is as far as the larger fraction; a run out of time ends at zero."""
    config = TrainConfig(images=1000, learning_rate=2.0, warmup=0, cooldown=0.5)
    assert learning_rate(config, 100, 0.5) == 2.0
    assert learning_rate(config, 100, 0.75) == pytest.approx(1.0)
    assert learning_rate(config, 900, 0.75) == pytest.approx(0.4)
    assert learning_rate(config, 100, 1.0) == learning_rate(config, 100, 1.3) == 0.0
