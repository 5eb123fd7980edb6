"""Every kernel against its formula in float64, at every shape that the presets produce.

    python -m bench.numerics [--out numerics.json] [--preset fast ...]

Memory that a kernel gets reads as NaN, or as the largest integer, until it is written. Exits with 1
if anything is out of tolerance. Without a GPU kernels are interpreted, at the shapes of `tiny`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import typer
from torch import Tensor

from bench import cases
from bench.cases import FUSION_MAPS, NORM_MAPS, Stage
from bench.record import save
from galgen import noise
from galgen.measure import detect
from galgen.system.device import pick_device
from galgen_kernels.ops.attention_fusion import reference
from galgen_kernels.ops.flood import fused as flood
from galgen_kernels.ops.flood import reference as flood_reference
from galgen_kernels.ops.linear_combination import fused as linear_combination
from galgen_kernels.ops.linear_combination import reference as solver_reference
from galgen_kernels.ops.stamps_to_fits import fused as stamps_to_fits
from galgen_kernels.ops.stamps_to_fits import reference as fits_reference

GPU = torch.cuda.is_available()
PRESETS = ["paper", "fast", "small"] if GPU else ["tiny"]
BATCH = 6 if GPU else 1
HALF = torch.bfloat16, torch.float16
COPY = torch.bfloat16 if GPU else torch.float16  # the interpreter cuts bfloat16 off
ALL = slice(None)


class Tolerance(NamedTuple):
    """Largest accepted errors.

    Attributes
    ----------
    relative : float
        Norm of the difference over the norm of what was expected. A term that is lost everywhere
        makes it of order 1.
    pointwise : float
        Largest difference over (magnitude of what was expected there + its root mean square). One
        wrong number among millions makes it of order 1.
    """

    relative: float
    pointwise: float


def rounding(dtype: torch.dtype) -> Tolerance:
    """Bound a chain of up to four roundings, each of at most eps / 2 and 0.29 eps rms."""
    eps = torch.finfo(dtype).eps
    return Tolerance(2 * eps, 16 * eps)


EXACT = Tolerance(0.0, 0.0)
FLUX = Tolerance(1e-5, 1e-4)  # float32 with a cancelling difference of exponentials


def compare(got: Tensor, expected: Tensor, tolerance: Tolerance) -> dict[str, Any]:
    """Errors of a result, and whether they are in tolerance; NaN never is."""
    got, expected = got.double(), expected.double()
    error, size = (got - expected).abs(), expected.abs()
    rms = expected.square().mean().sqrt()
    relative = float(error.norm() / expected.norm())
    pointwise = float((error / (size + rms)).max())
    within = relative <= tolerance.relative and pointwise <= tolerance.pointwise
    return {
        "max_abs_error": float(error.max()),
        "relative_error": relative,
        "pointwise_error": pointwise,
        "tolerance": tolerance._asdict(),
        "ok": within and got.shape == expected.shape,
    }


@contextlib.contextmanager
def poisoned() -> Iterator[None]:
    """Let torch fill the memory that it hands out uninitialised."""
    torch.use_deterministic_algorithms(True)
    try:
        probe = torch.empty(4, device=pick_device())
        assert probe.isnan().all(), "torch does not fill uninitialised memory"
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def check_group_norm_silu(
    stage: Stage, batch: int, dtype: torch.dtype, which: slice = ALL
) -> Iterator[dict[str, Any]]:
    """Compare the fused normalisation with its float64 formula."""
    for modulated in (False, True):
        operands = cases.norm_operands(stage, batch, dtype, modulated=modulated)
        some = cases.exact(cases.images(operands, NORM_MAPS, which))
        expected = cases.norm_reference(*some)
        with poisoned():
            got = cases.norm_launch(*operands)
        case = {"shape": str(stage), "batch": batch, "modulated": modulated}
        for name, mine, theirs in zip(("map", "pooled"), got, expected, strict=True):
            yield case | {"output": name} | compare(mine[which], theirs, rounding(dtype))


def check_attention_fusion(
    stage: Stage, batch: int, dtype: torch.dtype, which: slice = ALL
) -> Iterator[dict[str, Any]]:
    """Compare the fused Attention Fusion Unit with its float64 formula."""
    operands = cases.fusion_operands(stage, batch, dtype)
    some = cases.exact(cases.images(operands, FUSION_MAPS, which))
    for shifted in (False, True):
        expected = reference.attention_fusion(*some, shifted=shifted)
        for tile in cases.tiles(stage):
            launch = cases.fusion_launch(operands, tile, shifted=shifted)
            with poisoned():
                got = launch()
            case = {"shape": str(stage), "batch": batch, "shifted": shifted, "tile": asdict(tile)}
            yield case | compare(got[which], expected, rounding(dtype))


def check_linear_combination(shape: tuple[int, ...], terms: int) -> Iterator[dict[str, Any]]:
    """Also bit by bit against PyTorch operations: a galaxy does not depend on who computes it."""
    device, seed, stream = pick_device(), 2**40 + 5, noise.Stream.SAMPLER_STEP.at(1)
    index_n = torch.arange(shape[0], device=device) + 2**33
    dtypes = [torch.float32] * (terms - 1) + [torch.bfloat16]
    tensors = [cases.normal(*shape, dtype=t, seed=k) for k, t in enumerate(dtypes)]
    weights = [0.7 - 0.4 * k for k in range(terms)]
    for noise_weight, scaled in ((0.0, None), (0.0, COPY), (0.3, COPY)):
        drawn = [noise.normal(seed, index_n, shape[1:], stream)] if noise_weight else []
        summed, factors = [*tensors, *drawn], [*weights, *([noise_weight] if drawn else [])]
        exact = sum(t.double() * w for t, w in zip(summed, factors, strict=True))
        bits = solver_reference.linear_combination(summed, factors, 0.9, scaled)
        draw = noise_weight, seed, stream, index_n, noise.normal_table(device)
        with poisoned():
            out, copy = linear_combination.launch(tensors, weights, shape, *draw, 0.9, scaled)
        case = {"shape": list(shape), "terms": terms, "noise": bool(drawn)}
        yield case | {"output": "sum"} | compare(out, exact, rounding(torch.float32))
        yield case | {"output": "bits of the sum"} | compare(out, bits[0], EXACT)
        if scaled is not None:
            yield case | {"output": "scaled"} | compare(copy, 0.9 * exact, rounding(scaled))
            yield case | {"output": "bits of scaled"} | compare(copy, bits[1], EXACT)


def check_stamps_to_fits(batch: int) -> Iterator[dict[str, Any]]:
    """Compare the fused stamps with their float64 formula."""
    x_nhwc = cases.stamps(batch)
    for name, stretch in cases.stretches().items():
        flux_nbhw = fits_reference.to_flux(x_nhwc.double(), stretch).movedim(-1, 1)
        expected = fits_reference.stamps_to_fits(x_nhwc, stretch)
        with poisoned():
            got = stamps_to_fits.launch(x_nhwc, stretch)
        stored = got.data_bnhv.cpu().numpy()
        words = stored.view(">u4").astype(np.uint64).reshape(*stored.shape[:2], -1).sum(-1).T
        sums_nb = torch.from_numpy((words % 0xFFFFFFFF).astype(np.int64))
        numbers = torch.from_numpy(stored.view(">f4").astype(np.float64)).transpose(0, 1)
        outputs = {
            "stored": (numbers, flux_nbhw.cpu(), FLUX),
            "sums": (got.sums_nb.cpu().long() % 0xFFFFFFFF, sums_nb, EXACT),
            "planes": (got.planes_nbhw, flux_nbhw, FLUX),
            "flux": (got.flux_nb, expected.flux_nb, FLUX),
        }
        for output, compared in outputs.items():
            case = {"stretch": name, "batch": batch, "output": output}
            yield case | compare(*compared)


def check_flood(batch: int) -> Iterator[dict[str, Any]]:
    """Compare the masks of one launch with the formula's, bit by bit."""
    stamps_nhw = cases.stamps(batch)[..., 0]
    level_nhw = 10 * (stamps_nhw + stamps_nhw.roll((18, 17), (1, 2)))  # with a neighbour
    seed_nhw = torch.zeros_like(level_nhw, dtype=torch.bool)
    seed_nhw[:, cases.SIZE // 2, cases.SIZE // 2] = True
    arguments = level_nhw, seed_nhw, detect.THRESHOLDS, detect.PROMINENCE
    expected = flood_reference.flood(*arguments)
    with poisoned():
        got = flood.launch(*arguments)
    for name, mine, theirs in zip(("galaxy", "neighbours"), got, expected, strict=True):
        yield {"batch": batch, "output": name} | compare(mine, theirs, EXACT)


def checks(presets: list[str]) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """Kernel and dtype with their results, made when they are asked for."""
    stages = cases.stages(presets)
    for dtype in HALF:
        label = str(dtype).removeprefix("torch.")
        for stage in stages:
            yield f"group_norm_silu {label}", check_group_norm_silu(stage, BATCH, dtype)
            yield f"attention_fusion {label}", check_attention_fusion(stage, BATCH, dtype)
    sides = (64, 64, 3) if GPU else (16, 16, 3)
    for shape in ((3, *sides), (2, 5, 7, 3)):  # 105 numbers: not a multiple of four
        for terms in (1, 2, 4):
            yield "linear_combination", check_linear_combination(shape, terms)
    yield "stamps_to_fits", check_stamps_to_fits(BATCH)
    yield "flood", check_flood(BATCH)
    if GPU:  # the last images start beyond 2^31 numbers, 4 GiB a map
        largest = max(stages, key=lambda stage: stage.side**2 * stage.channels)
        batch = 2**31 // (largest.side**2 * largest.channels) + 2
        last, dtype = slice(-2, None), torch.bfloat16
        yield "group_norm_silu, large", check_group_norm_silu(largest, batch, dtype, last)
        yield "attention_fusion, large", check_attention_fusion(largest, batch, dtype, last)


def compile_everything(presets: list[str]) -> None:
    """Compile ahead: the attention kernel takes seconds to compile in each form."""
    from bench.precompile import compile_forms, form

    stages = cases.stages(presets)
    compile_forms(
        form(dtype, stage, tile)
        for dtype in HALF
        for stage in stages
        for tile in cases.tiles(stage)
    )


def main(
    out: Annotated[Path | None, typer.Option(help="JSON to write.")] = None,
    preset: Annotated[list[str], typer.Option(help="Shapes of this; repeat.")] = PRESETS,
) -> None:
    """Print the largest error of every kernel, relative to its tolerance."""
    if GPU:
        compile_everything(preset)
    rows: list[dict[str, Any]] = []
    for kernel, results in checks(preset):
        try:
            rows += [{"kernel": kernel} | row for row in results]
        except Exception as error:  # one kernel that fails is a result; others are still checked
            why = f"{type(error).__name__}: {error}"
            rows.append({"kernel": kernel, "ok": False, "error": why})
        save(out, {"ok": all(row["ok"] for row in rows), "checks": rows})
    for kernel in dict.fromkeys(row["kernel"] for row in rows):
        mine = [row for row in rows if row["kernel"] == kernel]
        worst = max((row.get("pointwise_error", 0.0) for row in mine), key=abs)
        failed = sum(not row["ok"] for row in mine)
        print(f"{kernel:28}{len(mine):5} results, worst pointwise {worst:.1e}, {failed} failed")
    for row in rows:
        if not row["ok"]:
            print("FAILED", row)
    if not all(row["ok"] for row in rows):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
