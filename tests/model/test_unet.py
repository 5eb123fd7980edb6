"""The U-Net: its plumbing, its conditions, and what every variant promises."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from galgen import categories
from galgen.errors import InvalidValueError
from galgen.model.config import ModelConfig
from galgen.model.embedding import Condition, ConditionEmbedding
from galgen.model.unet import UNet
from galgen.training.presets import get_preset, small
from tests.tiny import randomise

FUSIONS = ("gated", "conv", "attention", "plain")
PROPERTIES = ("half_light_radius", "axis_ratio")
SPIRAL, BARRED, SMOOTH = (categories.get(name).code for name in ("spiral", "barred", "smooth"))


def config(**changes: object) -> ModelConfig:
    tiny = {
        "widths": (32, 32, 32),
        "blocks": 1,
        "window": 4,
        "head_size": 16,
        "embedding": 32,
        "patch": 4,
        "properties": PROPERTIES,
    }
    return ModelConfig(**{**tiny, **changes})


def network(**changes: object) -> UNet:
    """A network whose every parameter matters."""
    net = UNet(config(**changes))
    randomise(net)
    return net.eval()


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def asking(codes: list[int], *values: float) -> Condition:
    """The same values of the properties for each category; NaN where none are given."""
    given = torch.tensor(values or [torch.nan, torch.nan])
    return Condition(torch.tensor(codes), given.expand(len(codes), -1))


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize(
    ("patch", "shape", "bands"),
    [
        (4, (16, 16), 1),  # 4, 2 and 1 cells: windows shrink with the map
        (4, (64, 64), 2),  # 16, 8, 4: several windows, then one
        (4, (16, 64), 3),  # one window high, four wide
        (2, (32, 64), 4),
        (2, (8, 8), 5),
        (1, (16, 32), 6),
        (1, (4, 4), 3),
    ],
)
def test_shapes(fusion: str, patch: int, shape: tuple[int, int], bands: int) -> None:
    net = network(fusion=fusion, patch=patch, bands=bands)
    x_nhwc = normal(2, *shape, bands)
    with torch.no_grad():
        out = net(x_nhwc, torch.tensor([-0.5, 0.5]), asking([SPIRAL, 0]))
    assert out.shape == x_nhwc.shape
    assert out.dtype == torch.float32
    assert out.isfinite().all()
    assert out.std() > 0.1


@pytest.mark.parametrize("shape", [(16, 20), (48, 64), (0, 16), (18, 16)])
def test_bad_sizes(shape: tuple[int, int]) -> None:
    """48 pixels are 12, 6 and 3 cells, and 6 do not divide by the window of 4."""
    with pytest.raises(InvalidValueError, match="stamp size"):
        network()(normal(1, *shape, 3), torch.zeros(1), asking([0]))


def test_plumbing() -> None:
    """With silent blocks what remains is linear up to the last norm: rebuilt channels first."""
    net = UNet(config(patch=2, bands=2))
    for part in (net.stem, net.reduce, net.expand, net.merge, net.head):
        randomise(part, seed=1)  # the Astro-RABs stay as made: identities
    x_nhwc = normal(2, 16, 32, 2)

    def linear(x_nchw: Tensor, layer: torch.nn.Linear) -> Tensor:
        return F.conv2d(x_nchw, layer.weight[:, :, None, None], layer.bias)

    def conv(x_nchw: Tensor, layer: torch.nn.Module) -> Tensor:
        kernel = layer.weight.view(-1, 3, 3, layer.weight.shape[1] // 9).permute(0, 3, 1, 2)
        return F.conv2d(x_nchw, kernel, layer.bias, padding=1)

    def unshuffle(x_nchw: Tensor) -> Tensor:
        """Pixels of a cell row by row, the channels of each together."""
        parts = [x_nchw[:, :, y::2, x::2] for y in (0, 1) for x in (0, 1)]
        return torch.cat(parts, 1)

    def shuffle(x_nchw: Tensor) -> Tensor:
        n, c, h, w = x_nchw.shape
        out = torch.empty(n, c // 4, 2 * h, 2 * w)
        for i, part in enumerate(x_nchw.chunk(4, 1)):
            out[:, :, i // 2 :: 2, i % 2 :: 2] = part
        return out

    y, x = (torch.linspace(-1 + 1 / n, 1 - 1 / n, n) for n in (8, 16))
    where = torch.stack([x.expand(8, 16), y[:, None].expand(8, 16), x**2 + y[:, None] ** 2])
    cells = unshuffle(x_nhwc.permute(0, 3, 1, 2))
    full = conv(torch.cat([cells, where.expand(2, -1, -1, -1)], 1), net.stem)
    half = linear(unshuffle(full), net.reduce[0])
    quarter = linear(unshuffle(half), net.reduce[1])
    up = linear(torch.cat([shuffle(linear(quarter, net.expand[0])), half], 1), net.merge[0])
    up = linear(torch.cat([shuffle(linear(up, net.expand[1])), full], 1), net.merge[1])
    expected = shuffle(conv(F.silu(F.group_norm(up, 32 // 16)), net.head)).permute(0, 2, 3, 1)
    got = net(x_nhwc, torch.zeros(2), asking([0, 0]))
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


def test_a_new_network_returns_zero() -> None:
    out = UNet(config())(normal(2, 16, 16, 3), torch.zeros(2), asking([0, 1]))
    assert out.abs().max() == 0


@pytest.mark.parametrize("fusion", FUSIONS)
def test_everything_asked_for_has_an_effect(fusion: str) -> None:
    """Noise level, category, each property, and whether a property is given at all."""
    net = network(fusion=fusion)
    x_nhwc = normal(1, 16, 16, 3)
    asked = [
        (0.0, asking([SPIRAL], 1.0, 0.5)),
        (0.3, asking([SPIRAL], 1.0, 0.5)),
        (0.0, asking([BARRED], 1.0, 0.5)),
        (0.0, asking([SPIRAL], 0.8, 0.5)),
        (0.0, asking([SPIRAL], 1.0, 0.7)),
        (0.0, asking([SPIRAL], 1.0, 0.0)),
        (0.0, asking([SPIRAL], 1.0, torch.nan)),  # free, which is not the same as average
    ]
    with torch.no_grad():
        outs = [net(x_nhwc, torch.tensor([level]), condition) for level, condition in asked]
    for i, out in enumerate(outs):
        for other in outs[:i]:
            assert (out - other).abs().max() > 1e-3


def test_galaxies_do_not_mix() -> None:
    """Each output depends on its own stamp, noise level and condition only."""
    net = network()
    x_nhwc, level_n = normal(3, 32, 16, 3), torch.tensor([-1.0, 0.0, 1.0])
    codes, z_np = torch.tensor([SPIRAL, SMOOTH, 0]), normal(3, 2, seed=1)
    with torch.no_grad():
        together = net(x_nhwc, level_n, Condition(codes, z_np))
        for i in range(3):
            one = slice(i, i + 1)
            alone = net(x_nhwc[one], level_n[one], Condition(codes[one], z_np[one]))
            torch.testing.assert_close(together[one], alone, rtol=1e-4, atol=1e-4)


def test_category_embedding_is_the_sum_over_the_path() -> None:
    embedding = ConditionEmbedding(config())
    nodes = categories.CATEGORIES
    level_n = torch.full((len(nodes),), 0.3)
    free = asking([node.code for node in nodes])
    got = embedding(level_n, free)
    without_category = embedding.time(embedding.fourier(level_n)) + embedding.properties(
        torch.zeros(len(nodes), 4)  # two values that do not count, two times "not given"
    )
    for node in nodes:
        path = sum(embedding.category[above.code] for above in categories.path(node))
        expected = F.silu(without_category[node.code] + path)
        torch.testing.assert_close(got[node.code], expected, rtol=1e-5, atol=1e-5)


def test_a_label_teaches_its_ancestors() -> None:
    """A spiral moves the vectors of galaxy, disk and spiral, and of nothing below."""
    embedding = ConditionEmbedding(config())
    embedding(torch.zeros(1), asking([SPIRAL])).sum().backward()
    moved = embedding.category.grad.abs().sum(1).nonzero().flatten().tolist()
    assert moved == [node.code for node in categories.path(categories.get("spiral"))]


def test_free_properties_leave_no_nan_behind() -> None:
    net = network()
    condition = Condition(torch.tensor([0, 0]), torch.tensor([[torch.nan, 1.0], [torch.nan] * 2]))
    net(normal(2, 16, 16, 3), torch.zeros(2), condition).square().mean().backward()
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_unconditional_asks_for_nothing() -> None:
    asked = asking([SPIRAL, SMOOTH], 1.0, 0.5)
    nothing = asked.unconditional()
    assert nothing.category_n.tolist() == [0, 0]
    assert nothing.properties_np.isnan().all()
    assert asked.category_n.tolist() == [SPIRAL, SMOOTH]  # a new condition, not this one changed


def test_a_model_without_properties() -> None:
    net = network(properties=())
    condition = Condition(torch.tensor([SPIRAL]), torch.empty(1, 0))
    assert net(normal(1, 16, 16, 3), torch.zeros(1), condition).isfinite().all()


@pytest.mark.parametrize("fusion", FUSIONS)
def test_gradient_reaches_every_parameter(fusion: str) -> None:
    """From the third step: first the head, then the silent residuals, then what is behind them."""
    net = UNet(config(fusion=fusion))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x_nhwc, condition = normal(4, 64, 32, 3), asking([SPIRAL, SMOOTH, BARRED, 0], 0.5, -0.5)
    target = normal(*x_nhwc.shape, seed=1)
    for _ in range(3):
        optimizer.zero_grad()
        loss = (net(x_nhwc, torch.linspace(-1, 1, 4), condition) - target).square().mean()
        loss.backward()
        optimizer.step()
    silent = [name for name, p in net.named_parameters() if not p.grad.abs().max() > 0]
    assert silent == []


def test_mixed_precision_stays_close() -> None:
    net = network()
    x_nhwc, condition = normal(2, 32, 32, 3), asking([SPIRAL, 0])
    with torch.no_grad():
        full = net(x_nhwc, torch.zeros(2), condition)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = net(x_nhwc, torch.zeros(2), condition)
    assert mixed.dtype == torch.float32
    assert (mixed - full).square().mean().sqrt() < 0.05 * full.std()


OLD_SMALL = {"widths": (64, 96, 128), "blocks": 2, "detail_features": 0, "detail_width": 0}
NARROW = {"widths": (96, 128, 192)}
ONE_LAYER = {**NARROW, "detail_features": 12, "detail_width": 24, "detail_layers": 1}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (OLD_SMALL, "e0118f688ac405ce62b216b806de8b225e4a381711fba3df2950666949ce1502"),
        (ONE_LAYER, "45ee20ce48cdbebea358bfbda7cc34ba9566d48e14a66a8413b44f3f44400913"),
        (NARROW, "7937bdc59ef6936272ab48d8e40acc39f41b97ac1373427cc3b732e6f03823e4"),
        ({}, "bc56cde283d72a8c3257c0ee3cd3b4f887a6ddd7bc435c5d15f425f1da8bfb6b"),
    ],
    ids=["before the head", "head of one layer", "narrower", "small"],
)
def test_names_and_shapes_of_parameters(changes: dict, expected: str) -> None:
    """If this fails, weights trained before no longer load."""
    model = dataclasses.replace(small().model, properties=PROPERTIES, **changes)
    net = UNet(model)
    named = {name: tuple(p.shape) for name, p in net.named_parameters()}
    assert net.state_dict().keys() == named.keys()
    text = "\n".join(f"{name} {shape}" for name, shape in named.items())
    assert hashlib.sha256(text.encode()).hexdigest() == expected


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("name", ["paper", "fast", "small", "tiny"])
def test_how_many_numbers_it_learns_at_least(name: str, fusion: str) -> None:
    """Close enough for a claim that is far beyond what a file holds to be known for one."""
    config = dataclasses.replace(get_preset(name).model, fusion=fusion)
    with torch.device("meta"):
        learned = sum(parameter.numel() for parameter in UNet(config).parameters())
    assert learned / 3 < config.least_parameters < learned
