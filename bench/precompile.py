"""Compile forms of the attention kernel on all cores, before they are launched one by one."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import torch

from bench.cases import Stage
from galgen_kernels.ops.attention_fusion.fused import Tile, variant


class Form(NamedTuple):
    """Arguments of `attention_fusion.variant`."""

    dtype: torch.dtype
    channels: int
    head: int
    window: tuple[int, int]
    tile: Tile


class Resources(NamedTuple):
    """What a form takes of a multiprocessor, or why it could not be compiled."""

    registers: int = 0
    spill_bytes: int = 0
    shared: int = 0
    error: str = ""


def form(dtype: torch.dtype, stage: Stage, tile: Tile) -> Form:
    """Do so for the maps of a stage."""
    return Form(dtype, stage.channels, stage.head, stage.sides, tile)


def compile_forms(forms: Iterable[Form]) -> dict[Form, Resources]:
    """Compile for this GPU into Triton's cache, where launches in this process find the result."""
    forms = list(dict.fromkeys(forms))
    major, minor = torch.cuda.get_device_capability()
    capability = 10 * major + minor
    # Part of the cache's key: ahead of time Triton compiles without line numbers, so here too.
    os.environ["TRITON_DISABLE_LINE_INFO"] = "1"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), mp_context=context) as pool:
        found = pool.map(_compile, forms, [capability] * len(forms))
        return dict(zip(forms, found, strict=True))


def _compile(wanted: Form, capability: int) -> Resources:
    from galgen_kernels.aot.compilation import arch_name, compile_variant

    try:
        binary = compile_variant(variant(*wanted), arch_name(capability))
    except Exception as error:  # whatever it is, this form cannot be used, and others can
        return Resources(error=f"{type(error).__name__}: {error}"[:300])
    return Resources(binary.registers, binary.spill_bytes, binary.shared)
