"""What a run refuses: before work begins, or when the network breaks down."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from galgen import categories
from galgen.errors import (
    InvalidValueError,
    NonFiniteOutputError,
    UnknownCategoryError,
    WeightsError,
)
from galgen.generate import GalaxyModel, Run, load_model
from galgen.generate.sampling import Sampling
from galgen.request.mixture import Request, parse_mixture
from galgen.system.device import pick_device
from tests.generate.quick import columns
from tests.tiny import make_checkpoint

CPU = torch.device("cpu")


def test_nan_stops_and_says_where() -> None:
    """The network breaks down for merging galaxies: batches before the first of them are good."""
    loaded = make_checkpoint()
    merging = categories.get("merging").code

    def break_down(_: object, args: tuple, out: torch.Tensor) -> torch.Tensor:
        return out.masked_fill((args[2].category_n == merging)[:, None, None, None], torch.nan)

    loaded.denoiser.net.register_forward_hook(break_down)
    mixture, seed = parse_mixture("spiral:12,merging:1"), 5
    run = Run(loaded, CPU, Request(mixture, seed=seed), 64, Sampling(steps=1, micro_batch=4))
    code_n = Request(mixture, seed=seed).ask(loaded.population, torch.arange(64)).code_n
    first = int((code_n == merging).nonzero()[0])
    assert first >= 4
    assert first % 4
    good = []
    with pytest.raises(NonFiniteOutputError, match=rf"galaxy {first} in float32") as caught:  # noqa: PT012 - batches before count
        for batch in run:
            good.append(batch)
    assert sum(len(batch) for batch in good) == first // 4 * 4
    assert f"galaxies before {first // 4 * 4} are good" in str(caught.value)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_one_bad_pixel_is_enough(value: float) -> None:
    loaded = make_checkpoint()

    def break_down(_: object, args: tuple, out: torch.Tensor) -> torch.Tensor:
        out[2, 5, 7, 1] = value
        return out

    loaded.denoiser.net.register_forward_hook(break_down)
    model, sampling = GalaxyModel(loaded, CPU), Sampling(steps=1, micro_batch=4)
    with pytest.raises(NonFiniteOutputError, match="galaxy 2"):
        list(model.generate("spiral", 4, sampling=sampling))
    assert len(columns(model.generate("spiral", 2, sampling=sampling))["id"]) == 2  # 2 is padding


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"category": "sprial"}, UnknownCategoryError, "Did you mean 'spiral'"),
        ({"category": "spiral:-1"}, InvalidValueError, "weight of spiral"),
        ({"n": 0}, InvalidValueError, "n is 0"),
        ({"n": -5}, InvalidValueError, "n is -5"),
        ({"n": 2.5}, InvalidValueError, "n is 2.5"),
        ({"seed": -1}, InvalidValueError, "seed is -1"),
        ({"seed": 2**63}, InvalidValueError, "seed"),
        ({"properties": {"redshift": 0.1}}, InvalidValueError, "property is 'redshift'"),
        ({"properties": {"axis_ratio": 1.7}}, InvalidValueError, "property axis_ratio is 1.7"),
        ({"properties": {"axis_ratio": (0.5, 0.3)}}, InvalidValueError, "low:high"),
    ],
)
def test_bad_requests_fail_before_work_begins(
    model: GalaxyModel, arguments: dict, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        model.generate(**{"category": "spiral", "n": 4, **arguments})


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:x", "meta", "xpu"])
def test_bad_device(tiny_weights: Path, device: str) -> None:
    with pytest.raises(InvalidValueError, match=f"device is '{device}'; allowed: .*cpu"):
        load_model(tiny_weights, device)


def test_devices() -> None:
    assert pick_device("cpu") == CPU
    assert pick_device(CPU) == CPU
    assert pick_device().type in ("cuda", "mps", "cpu")


def test_no_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights here"):
        load_model(tmp_path / "nothing", "cpu")


@pytest.mark.parametrize(("n", "micro_batch"), [(3, 257), (3, 16_384), (300, 301)])
def test_a_micro_batch_is_no_larger_than_the_run(model, n: int, micro_batch: int) -> None:
    """It is computed whole; one that any machine has the memory for always can be."""
    with pytest.raises(InvalidValueError, match=rf"micro_batch is {micro_batch}; allowed: 1 to"):
        model.generate("disk", n, sampling=Sampling(micro_batch=micro_batch))
    assert len(model.generate("disk", n, sampling=Sampling(micro_batch=max(n, 256)))) == n
