"""Operands of the kernels at the shapes that presets produce, and calls of the kernels."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from galgen.pixels.space import PixelSpace
from galgen.system.device import pick_device
from galgen.training.presets import get_preset
from galgen.weights import SHIPPED_WEIGHTS
from galgen_kernels.ops.attention_fusion import FusionWeights
from galgen_kernels.ops.attention_fusion import fused as attention_fusion
from galgen_kernels.ops.attention_fusion.fused import Tile
from galgen_kernels.ops.attention_fusion.windows import offsets, window_geometry
from galgen_kernels.ops.group_norm_silu import fused as group_norm_silu
from galgen_kernels.ops.group_norm_silu import reference as group_norm_reference
from galgen_kernels.ops.stamps_to_fits import Stretch

SIZE = 64  # side of a stamp, pixels
NORM_MAPS, FUSION_MAPS = 2, 3  # operands with an axis of images, before all others
Call = Callable[[], Any]


@dataclass(frozen=True)
class Stage:
    """One resolution of a preset's network.

    Attributes
    ----------
    preset : str
        The first one that has it.
    side : int
        Of the square map, cells.
    channels, group, head : int
        Of the map, of a normalisation group, of an attention head.
    window : int
        Side of the attention window that the network asks for; a smaller map is one window.
    """

    preset: str
    side: int
    channels: int
    group: int
    head: int
    window: int

    def __str__(self) -> str:
        return f"{self.preset}-{self.channels}x{self.side}x{self.side}"

    @property
    def sides(self) -> tuple[int, int]:
        """Of a window."""
        return (min(self.side, self.window),) * 2

    @property
    def cells(self) -> int:
        """Cells of a window."""
        return math.prod(self.sides)

    @property
    def windows(self) -> int:
        """Windows of a map."""
        return self.side**2 // self.cells

    @property
    def key(self) -> str:
        """What `launching.tuned` calls it: maps that differ in size only share a tile."""
        return f"{self.channels}x{self.cells}"


def stages(presets: Iterable[str]) -> list[Stage]:
    """Those of all presets, each shape once."""
    found: dict[tuple[int, ...], Stage] = {}
    for preset in presets:
        model = get_preset(preset).model
        rest = model.group_size, model.head_size, model.window
        for level, channels in enumerate(model.widths):
            shape = SIZE // model.patch >> level, channels, *rest
            found.setdefault(shape, Stage(preset, *shape))
    return list(found.values())


def normal(*shape: int, dtype: torch.dtype, scale: float = 1.0, seed: int = 0) -> Tensor:
    """Random numbers on the device that galgen picks."""
    device = pick_device()
    generator = torch.Generator(device).manual_seed(seed)
    return torch.empty(shape, dtype=dtype, device=device).normal_(0, scale, generator=generator)


def norm_operands(
    stage: Stage, batch: int, dtype: torch.dtype, *, modulated: bool
) -> tuple[Tensor, Tensor | None, int, float]:
    """Arguments of the operator `group_norm_silu`; the mean is five deviations from 0."""
    c = stage.channels
    x_nhwc = normal(batch, stage.side, stage.side, c, dtype=dtype).add_(5)
    modulation_bc = normal(batch, 2 * c, dtype=dtype, seed=1) if modulated else None
    return x_nhwc, modulation_bc, c // stage.group, 1e-5


def norm_reference(
    x_nhwc: Tensor, modulation_bc: Tensor | None, groups: int, eps: float
) -> tuple[Tensor, Tensor]:
    """Call the reference of `group_norm_silu` with the arguments of the operator."""
    return group_norm_reference.group_norm_silu(x_nhwc, groups, modulation_bc, eps)


def norm_launch(
    x_nhwc: Tensor, modulation_bc: Tensor | None, groups: int, eps: float
) -> tuple[Tensor, Tensor]:
    """Return the kernel behind it."""
    return group_norm_silu.launch(x_nhwc, groups, modulation_bc, eps)


def fusion_operands(stage: Stage, batch: int, dtype: torch.dtype) -> tuple[Any, ...]:
    """Arguments of `attention_fusion`, up to the window."""
    c, window = stage.channels, stage.window
    map_shape = batch, stage.side, stage.side, c
    weights = FusionWeights(
        # Scores of order 2: a softmax that is far from flat.
        normal(3 * c, c, dtype=dtype, scale=1.5 * c**-0.5, seed=3),
        normal(c // stage.head, (2 * window - 1) ** 2, dtype=dtype, seed=4),
        normal(c, c, dtype=dtype, scale=c**-0.5, seed=5),
        normal(c, dtype=dtype, seed=6),
        normal(c, 9 * c, dtype=dtype, scale=(9 * c) ** -0.5, seed=7),
        normal(c, dtype=dtype, seed=8),
    )
    return (
        normal(*map_shape, dtype=dtype, seed=0),
        normal(*map_shape, dtype=dtype, seed=1),
        torch.sigmoid(normal(batch, c, dtype=dtype, seed=2)),
        weights,
        window,
    )


def fusion_launch(operands: tuple[Any, ...], tile: Tile, *, shifted: bool) -> Call:
    """Return a call of the kernel with one tile, position bias gathered as the operator does."""
    *tensors, weights, window = operands
    u_nhwc = tensors[0]
    sides, shift = window_geometry(*u_nhwc.shape[1:3], window, shifted=shifted)
    position_ktt = weights.position_bias[:, offsets(*sides, window, u_nhwc.device)].contiguous()
    arguments = *tensors, weights, position_ktt, sides, shift, tile
    return functools.partial(attention_fusion.launch, *arguments)


def fit(tile: Tile, stage: Stage) -> Tile:
    """Fit it to a map as `attention_fusion.tile` does: windows of a program lie in one image."""
    return tile if stage.windows % tile.windows == 0 else replace(tile, windows=1)


def tiles(stage: Stage) -> list[Tile]:
    """Return what the kernel is launched with: first this device's choice, then both forms."""
    chosen = attention_fusion.tile(stage.channels, stage.cells, stage.windows)
    others = attention_fusion.forms(stage.channels, stage.cells)
    return list(dict.fromkeys(fit(tile, stage) for tile in (chosen, *others)))


def images(operands: tuple[Any, ...], maps: int, which: slice) -> tuple[Any, ...]:
    """Operands for some images only; the first `maps` of them have an axis of images."""
    return *(t if t is None else t[which] for t in operands[:maps]), *operands[maps:]


def changed(change: Callable[[Tensor], Tensor], operands: Iterable[Any]) -> tuple[Any, ...]:
    """Operands with all their tensors changed, weights too."""

    def of(operand: Any) -> Any:
        if isinstance(operand, FusionWeights):
            return FusionWeights(*map(change, operand))
        return change(operand) if isinstance(operand, Tensor) else operand

    return tuple(map(of, operands))


def exact(operands: Iterable[Any]) -> tuple[Any, ...]:
    """Tensors in float64."""
    return changed(Tensor.double, operands)


def stretches() -> dict[str, Stretch]:
    """From model space to flux: of the shipped weights, and of a survey's calibrated flux."""
    config = json.loads((SHIPPED_WEIGHTS / "config.json").read_text())
    shipped = PixelSpace.from_json(config["pixels"]).kernel_stretch()
    return {"shipped": shipped, "asinh": Stretch((2.0, 2.1, 2.2), (0.1, 0.2, 0.3), (0.02,) * 3)}


def stamps(batch: int) -> Tensor:
    """Model space, float32: round galaxies, not centred, on noise."""
    y, x = torch.meshgrid(torch.arange(SIZE) - 29.3, torch.arange(SIZE) - 33.1, indexing="ij")
    profile = torch.exp(-0.5 * (x**2 + y**2) / 36)[:, :, None] * torch.linspace(1.0, 3.0, 3)
    noise = normal(batch, SIZE, SIZE, 3, dtype=torch.float32, scale=0.05)
    return noise + profile.to(noise.device)


def flops(formula: Callable[..., object], operands: Iterable[Any]) -> int:
    """Operations of the matrix products and convolutions of a formula; nothing is computed."""
    arguments = changed(lambda tensor: tensor.to("meta"), operands)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        formula(*arguments)
    return counter.get_total_flops()


def traffic(*operands: Any) -> int:
    """Bytes of all tensors together: what an operation must read and write at least."""
    tensors = [t for x in operands for t in (x if isinstance(x, FusionWeights) else (x,))]
    return sum(t.nbytes for t in tensors if isinstance(t, Tensor))
