"""Networks of the peers that take as many FLOPs per image as galgen's, and their inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bench.bench_denoiser import SIZE, flops_per_image, inputs, network
from bench.bench_network import AGREE, FAMILIES, unet2d, unet2d_flops, unet2d_inputs

from .protocol import LeftOutError


class Contender(NamedTuple):
    """A network, a function that gives it a batch, and what is known of it."""

    net: nn.Module
    batch: Callable[[int, torch.dtype], tuple[Any, ...]]
    flops: int
    shape: dict[str, Any]


def galgen(preset: str) -> Contender:
    """Return galgen's own, which is fed float32 and casts."""
    net = network(preset).eval().requires_grad_(False)

    def batch(size: int, dtype: torch.dtype) -> tuple[Any, ...]:
        return inputs(net, size, torch.device("cpu"))

    return Contender(net, batch, flops_per_image(preset), {"preset": preset})


def diffusers(preset: str, family: str) -> Contender:
    """Return the UNet2DModel of a family of `bench_network` that is closest."""
    flops = flops_per_image(preset)
    shape = _closest(FAMILIES[family], unet2d_flops, flops)

    def batch(size: int, dtype: torch.dtype) -> tuple[Any, ...]:
        torch.manual_seed(0)
        return unet2d_inputs(shape, size, "cpu", dtype)

    torch.manual_seed(0)
    net = unet2d(shape).eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return Contender(net, batch, unet2d_flops(shape), shape._asdict())


def lucidrains(preset: str, family: str) -> Contender:
    """Return the Unet of denoising-diffusion-pytorch that is closest, on pixels or on cells."""
    channels, dims = (3 * 4**2, range(32, 97, 4)) if family == "cells" else (3, range(8, 25, 4))
    shapes = [
        {"dim": dim, "dim_mults": factors, "channels": channels}
        for dim, factors in product(dims, [(1, 2, 4, 8), (1, 2, 4), (1, 2, 2)])
    ]
    shape = _closest(shapes, _unet_flops, flops_per_image(preset))

    def batch(size: int, dtype: torch.dtype) -> tuple[Any, ...]:
        torch.manual_seed(0)
        x_bchw = torch.randn(size, channels, *_sides(channels)).to(dtype)
        return x_bchw.contiguous(memory_format=torch.channels_last), torch.full((size,), 10)

    torch.manual_seed(0)
    net = _unet(shape).eval().requires_grad_(False).to(memory_format=torch.channels_last)
    # The embedding of the time is always float32, whatever the layer after it is.
    net.time_mlp[1].register_forward_pre_hook(lambda m, given: given[0].to(m.weight.dtype))
    return Contender(net, batch, _unet_flops(shape), shape)


def output(found: Any) -> Tensor:
    """Return the tensor of what a network returns."""
    return found if isinstance(found, Tensor) else found.sample


def _unet(shape: dict[str, Any]) -> nn.Module:
    from denoising_diffusion_pytorch import Unet

    return Unet(**shape)


def _unet_flops(shape: dict[str, Any]) -> int:
    channels = shape["channels"]
    with torch.device("meta"):
        net, x_bchw = _unet(shape), torch.empty(1, channels, *_sides(channels))
        time_b = torch.zeros(1)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(x_bchw, time_b)
    return counter.get_total_flops()


def _sides(channels: int) -> tuple[int, int]:
    """Of the map that a network is fed, whose channels are the pixels of its cells."""
    return (SIZE // math.isqrt(channels // 3),) * 2


def _closest(shapes: Iterable[Any], flops_of: Callable[[Any], int], flops: int) -> Any:
    """Return the shape whose FLOPs are nearest, or have it left out if they are too far."""
    best = min(shapes, key=lambda shape: abs(flops_of(shape) / flops - 1))
    if abs(flops_of(best) / flops - 1) > AGREE:
        raise LeftOutError(f"no shape within {AGREE:.0%} of {flops / 1e9:.2f} GFLOP per image")
    return best
