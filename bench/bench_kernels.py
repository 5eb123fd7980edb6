"""Every operation: eager PyTorch, torch.compile, PyTorch's fused attentions, and galgen's kernels.

    pytest bench/bench_kernels.py --benchmark-only --benchmark-json kernels.json

On a GPU a round is a CUDA graph of several calls (``extra_info["calls"]``) in bfloat16, at the maps
of ``GALGEN_BENCH_PRESETS`` (fast) for ``GALGEN_BENCH_BATCH`` (512) stamps; ``extra_info`` has the
time of one call and the rates that follow from it. ``GALGEN_BENCH_MODE`` is torch.compile's:
'default' takes seconds an operation, what is taken without it minutes. On a CPU all is tiny and
kernels are interpreted: that shows that the benchmarks run, their times mean nothing.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from galgen_kernels.backend import HAS_TRITON

if not HAS_TRITON:
    pytest.skip("Triton has no build for this platform", allow_module_level=True)

from bench import cases, ceilings, contenders
from bench.cases import FUSION_MAPS, NORM_MAPS, Call, Stage
from bench.timing import repeated
from galgen import noise
from galgen.system.device import pick_device
from galgen_kernels.ops.attention_fusion import reference
from galgen_kernels.ops.linear_combination import fused as linear_combination
from galgen_kernels.ops.linear_combination import reference as solver_reference
from galgen_kernels.ops.stamps_to_fits import fused as stamps_to_fits
from galgen_kernels.ops.stamps_to_fits import reference as fits_reference

GPU = torch.cuda.is_available()
BATCH = int(os.environ.get("GALGEN_BENCH_BATCH", "512" if GPU else "1"))
STAGES = cases.stages(os.environ.get("GALGEN_BENCH_PRESETS", "fast" if GPU else "tiny").split(","))
DTYPE = torch.bfloat16
ROUNDS = 20 if GPU else 1
MODE = os.environ.get("GALGEN_BENCH_MODE", "max-autotune-no-cudagraphs")
HOW = {"mode": MODE} if GPU else {"backend": "aot_eager"}

# What the compiler warns about is no reason not to time its code.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(autouse=True)
def _convolutions_at_their_best() -> Iterator[None]:
    torch.backends.cudnn.benchmark = True
    yield
    torch.backends.cudnn.benchmark = False


def compiled(formula: Any) -> Any:
    """Take `formula` through torch.compile, which forgets what it compiled before."""
    torch.compiler.reset()
    return torch.compile(formula, fullgraph=True, dynamic=False, **HOW)


def run(benchmark: Any, call: Call, *, traffic: int, flops: int = 0, capture: bool = True) -> None:
    """Time a call and record its rates beside those that the device can reach."""
    timed, calls = repeated(call, capture=capture)
    benchmark.pedantic(timed, rounds=ROUNDS, warmup_rounds=int(GPU))
    if benchmark.disabled:
        return
    seconds, limits = benchmark.stats.stats.median / calls, ceilings.measure()
    benchmark.extra_info |= {
        "calls": calls,
        "seconds": seconds,
        "bytes_per_second": traffic / seconds,
        "of_copy_rate": traffic / seconds / limits.copy_bytes,
    }
    if flops:
        benchmark.extra_info["tflops"] = flops / seconds / 1e12
        benchmark.extra_info["of_matmul_rate"] = flops / seconds / limits.matmul_flops


def agrees(got: Any, expected: Any) -> float:
    """Relative error of the first image; what computes something else is not worth timing."""
    first, right = (x[0][:1].double() for x in (got, expected))
    error = float((first - right).norm() / right.norm())
    assert error < 0.05
    return error


@pytest.mark.parametrize("contender", ["eager", "fused"])
def test_stamps_to_fits(benchmark, contender: str) -> None:
    """The reference computes in float64."""
    x_nhwc, stretch = cases.stamps(BATCH), cases.stretches()["shipped"]
    way = stamps_to_fits.launch if contender == "fused" else fits_reference.stamps_to_fits
    call = functools.partial(way, x_nhwc, stretch)
    got, right = call(), fits_reference.stamps_to_fits(x_nhwc[:1], stretch)
    benchmark.extra_info["relative_error"] = agrees(got[2:3], right[2:3])
    # The reference copies its constants from the host, which cannot be captured.
    fused = contender == "fused"
    run(benchmark, call, traffic=cases.traffic(x_nhwc, *got), capture=fused)


@pytest.mark.parametrize(
    ("contender", "noisy"),
    [
        ("eager", False),
        ("fused", False),
        ("compiled", False),
        ("eager", True),
        ("fused", True),  # never compiled: torch.compile changes the bits of the noise
    ],
)
def test_linear_combination(benchmark, contender: str, noisy: bool) -> None:
    """Time the sum of a step of a solver."""
    shape, weights = (BATCH, cases.SIZE, cases.SIZE, 3), [0.7, -0.4]
    tensors = [cases.normal(*shape, dtype=torch.float32, seed=seed) for seed in range(2)]
    index_n = torch.arange(BATCH, device=pick_device())
    amount = 0.3 if noisy else 0.0

    def eager() -> Any:
        drawn = [noise.normal(5, index_n, shape[1:], 1)] if noisy else []
        factors = [*weights, *[amount] * noisy]
        return solver_reference.linear_combination([*tensors, *drawn], factors, 0.9, DTYPE)

    table = noise.normal_table(index_n.device)
    draw = amount, 5, 1, index_n, table, 0.9, DTYPE
    fused = functools.partial(linear_combination.launch, tensors, weights, shape, *draw)
    call = {"eager": eager, "fused": fused}.get(contender) or compiled(eager)
    got = call()
    benchmark.extra_info["relative_error"] = agrees(got, eager())
    run(benchmark, call, traffic=cases.traffic(*tensors, *got))


@pytest.mark.parametrize("stage", STAGES, ids=str)
@pytest.mark.parametrize("contender", ["eager", "fused", "compiled"])
def test_group_norm_silu(benchmark, contender: str, stage: Stage) -> None:
    """Time the normalisation of a stage."""
    operands = cases.norm_operands(stage, BATCH, DTYPE, modulated=True)
    formula = cases.norm_launch if contender == "fused" else cases.norm_reference
    formula = compiled(formula) if contender == "compiled" else formula
    some = cases.exact(cases.images(operands, NORM_MAPS, slice(1)))
    got = formula(*operands)
    benchmark.extra_info["relative_error"] = agrees(got, cases.norm_reference(*some))
    call = functools.partial(formula, *operands)
    run(benchmark, call, traffic=cases.traffic(*operands, *got))


def attention_call(contender: str, stage: Stage, operands: tuple[Any, ...]) -> Call:
    """Return a call of one contender."""
    if contender in ("whole", "attention"):
        tile = next(tile for tile in cases.tiles(stage) if tile.form == contender)
        return cases.fusion_launch(operands, tile, shifted=True)
    formula = reference.attention_fusion
    if contender == "sdpa":
        formula = functools.partial(reference.attention_fusion, attend=contenders.sdpa)
    if contender == "flex":
        device = operands[0].device
        attend = contenders.flex(stage.side, stage.side, stage.sides[0], device)
        formula = functools.partial(reference.attention_fusion, attend=attend)
    formula = formula if contender == "eager" else compiled(formula)
    return functools.partial(formula, *operands, shifted=True)


@pytest.mark.parametrize("stage", STAGES, ids=str)
@pytest.mark.parametrize("contender", ["eager", "whole", "attention", "compiled", "sdpa", "flex"])
def test_attention_fusion(benchmark, contender: str, stage: Stage) -> None:
    """Time the Attention Fusion Unit of a stage."""
    if contender == "flex" and stage.windows == 1:
        pytest.skip("one window has nothing to mask: that is sdpa")
    operands = cases.fusion_operands(stage, BATCH, DTYPE)
    call = attention_call(contender, stage, operands)
    if contender == "flex":
        try:
            call()
        except Exception as error:  # the compiler's own; not every version takes small blocks
            pytest.skip(f"FlexAttention does not run here: {error}")
    some = cases.exact(cases.images(operands, FUSION_MAPS, slice(1)))
    right = reference.attention_fusion(*some, shifted=True)
    benchmark.extra_info["relative_error"] = agrees((call(),), (right,))
    formula = functools.partial(reference.attention_fusion, shifted=True)
    flops, out = cases.flops(formula, operands), operands[0]
    run(benchmark, call, flops=flops, traffic=cases.traffic(*operands, out))
