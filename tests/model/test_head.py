"""The head at full resolution: silent at first, local, and absent from older networks."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from galgen.model.config import ModelConfig
from galgen.model.embedding import Condition
from galgen.model.unet import UNet
from tests.tiny import randomise

PLAIN = ModelConfig(bands=2, patch=4, widths=(32, 32, 32), blocks=1, embedding=32)
DETAIL = dataclasses.replace(PLAIN, detail_features=3, detail_width=5)
NOTHING = Condition(torch.zeros(2, dtype=torch.int64), torch.empty(2, 0))


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def evaluate(net: UNet, x_nhwc: Tensor) -> Tensor:
    with torch.no_grad():
        return net(x_nhwc, torch.tensor([0.1, -0.3]), NOTHING)


@pytest.mark.parametrize("layers", [1, 3])
def test_silent_at_first(layers: int) -> None:
    """With the same other parameters both networks agree, so old weights can be gone on from."""
    plain, detailed = UNet(PLAIN), UNet(dataclasses.replace(DETAIL, detail_layers=layers))
    randomise(plain)
    missing, unexpected = detailed.load_state_dict(plain.state_dict(), strict=False)
    assert unexpected == []
    assert {name.split(".")[0] for name in missing} == {"detail"}
    x_nhwc = normal(2, 16, 32, 2)
    assert torch.equal(evaluate(detailed, x_nhwc), evaluate(plain, x_nhwc))


def test_older_networks_have_no_such_parameters() -> None:
    assert not any(name.startswith("detail") for name in UNet(PLAIN).state_dict())


@pytest.mark.parametrize("layers", [1, 3])
def test_tells_the_pixels_of_a_cell_apart(layers: int) -> None:
    """What it adds at a pixel hangs on that pixel of the input, beyond the cells' own features."""
    net = UNet(dataclasses.replace(DETAIL, detail_layers=layers))
    randomise(net)
    cells, output = normal(1, 4, 4, 32), normal(1, 16, 16, 2, seed=1)
    given = normal(1, 16, 16, 2, seed=2)
    changed = given.clone()
    changed[0, 5, 6] += 1
    with torch.no_grad():
        moved = net.detail(cells, changed, output) - net.detail(cells, given, output)
    where = moved[0].abs().amax(-1) > 0
    rows, columns = torch.nonzero(where, as_tuple=True)
    reach = layers + 1  # 3 x 3 convolutions
    assert (rows - 5).abs().max() == reach
    assert (columns - 6).abs().max() == reach
    assert where[5, 6]


@pytest.mark.parametrize("patch", [1, 2, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_patch_and_precision(patch: int, dtype: torch.dtype) -> None:
    net = UNet(dataclasses.replace(DETAIL, patch=patch, window=2))
    randomise(net)
    x_nhwc = normal(2, 16, 16, 2)
    whole = evaluate(net, x_nhwc)
    cast = evaluate(net.cast(dtype), x_nhwc)
    assert cast.dtype == torch.float32
    assert cast.shape == x_nhwc.shape
    torch.testing.assert_close(cast, whole, rtol=0.1, atol=0.1 * whole.std().item())
