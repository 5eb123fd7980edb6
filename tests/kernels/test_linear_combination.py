"""The linear_combination kernel: its noise and its sums, bit for bit, and what it compiles to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from galgen import noise
from galgen.diffusion.combination import MAX_TENSORS, LazyDenoiser, StampSpace
from galgen.diffusion.config import DiffusionConfig
from galgen.diffusion.guidance import guided
from galgen.diffusion.preconditioning import EDM
from galgen.diffusion.samplers import SAMPLERS
from galgen.diffusion.schedule import karras_sigmas
from galgen.noise import Stream
from galgen_kernels.ops.linear_combination import reference

pytest.importorskip("triton", reason="Triton has no build for this platform")
from galgen_kernels.launching.primitives import INTERPRETED
from galgen_kernels.ops.linear_combination import fused as kernel

SEED, STREAM = 2**62 + 5 * 2**31 + 3, Stream.SAMPLER_STEP.at(7)  # both 32-bit halves in use
SHAPES = [
    (1, 1),  # a single number: three of a counter's four are not wanted
    (3, 5, 7, 3),  # 105 numbers: galaxies start anywhere in a vector
    (2, 16, 16, 2),  # one program for each galaxy, full
    (2, 513),  # one more number than a program takes
    (2, 23, 14, 3),  # even count that does not divide by 4
]


@pytest.fixture(autouse=True)
def _poisoned_memory() -> Iterator[None]:
    """New tensors are full of NaN, so that what a kernel leaves out shows."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def galaxies(n: int, device: torch.device) -> Tensor:
    """Indices with both 32-bit halves in use."""
    return (torch.arange(n) * (2**40 + 77) + 2**33).to(device)


def tensors(
    shape: tuple[int, ...], dtypes: list[torch.dtype], device: torch.device
) -> list[Tensor]:
    generator = torch.Generator().manual_seed(len(dtypes))
    return [torch.randn(shape, generator=generator).to(device, dtype) for dtype in dtypes]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    ("seed", "stream"),
    [(0, 0), (SEED, STREAM), (2**63 - 1, 2**32 - 1), (2**31, 2**31)],  # with and without high bits
)
def test_noise_bits(device, shape: tuple[int, ...], seed: int, stream: int) -> None:
    index_n, table = galaxies(shape[0], device), noise.normal_table(device)
    out, copy = kernel.launch([], [], shape, 1.0, seed, stream, index_n, table)
    assert copy is None
    assert torch.equal(out, noise.normal(seed, index_n, shape[1:], stream))


@pytest.mark.parametrize("scaled", [None, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("noise_weight", [0.0, 0.7])
@pytest.mark.parametrize("shape", SHAPES[1:4], ids=str)
def test_sum(
    device, shape: tuple[int, ...], noise_weight: float, scaled: torch.dtype | None
) -> None:
    """The reference's bits, and the sum of float64 to rounding."""
    index_n, table = galaxies(shape[0], device), noise.normal_table(device)
    terms = tensors(shape, [torch.float32] * 2 + [torch.bfloat16, torch.float16], device)
    weights = [1 / 3, -1.7, 12.0, 1e-3]
    draw = noise_weight, SEED, STREAM, index_n, table
    out, copy = kernel.launch(terms, weights, shape, *draw, 0.123, scaled)
    if noise_weight:
        terms.append(noise.normal(SEED, index_n, shape[1:], STREAM))
        weights.append(noise_weight)
    expected, expected_copy = reference.linear_combination(terms, weights, 0.123, scaled)
    assert torch.equal(out, expected)
    parts = [weight * term.double() for weight, term in zip(weights, terms, strict=True)]
    # Higham 2002, eq. 3.5: one rounding of the weight, one of the product, one of each sum.
    bound = (len(parts) + 2) * 2.0**-24 * sum(map(torch.abs, parts))
    assert ((out - sum(parts)).abs() <= bound).all()
    if scaled is None:
        assert copy is None
    elif INTERPRETED and scaled == torch.bfloat16:
        # The interpreter cuts off the low bits where hardware rounds to the nearest.
        torch.testing.assert_close(copy, expected_copy, rtol=torch.finfo(scaled).eps, atol=0)
    else:
        assert torch.equal(copy, expected_copy)


@pytest.mark.parametrize("terms", [0, 1, max(MAX_TENSORS, kernel.MAX_TERMS)])
def test_number_of_terms(device, terms: int) -> None:
    shape, index_n = (2, 3, 5), galaxies(2, device)
    given = tensors(shape, [torch.float32] * terms, device)
    weights = [0.5 + k for k in range(terms)]
    out, _ = kernel.launch(given, weights, shape, 0.0, 0, 0, index_n, noise.normal_table(device))
    parts = (weight * term for weight, term in zip(weights, given, strict=True))
    assert torch.equal(out, sum(parts, torch.zeros(shape, device=device)))


def test_not_contiguous_and_empty(device) -> None:
    index_n, table = galaxies(2, device), noise.normal_table(device)
    (given,) = tensors((2, 3, 4, 5), [torch.float32], device)
    turned = given.permute(0, 2, 3, 1)
    out, _ = kernel.launch([turned], [2.0], turned.shape, 0.0, 0, 0, index_n, table)
    assert torch.equal(out, 2 * turned)
    out, copy = kernel.launch([], [], (0, 3), 1.0, 0, 0, index_n[:0], table, 1.0, torch.float16)
    assert out.shape == copy.shape == (0, 3)


@pytest.mark.parametrize("guidance", [1.0, 2.0])
@pytest.mark.parametrize("sampler", ["ddpm", "unipc"])
def test_whole_sampler(device, sampler: str, guidance: float) -> None:
    """The same bits with the kernel as with PyTorch, from noise to stamps."""

    class Network:
        preconditioning = EDM(DiffusionConfig())

        def net(self, x_nhwc: Tensor, level_b: Tensor, condition: float) -> Tensor:
            return torch.sin(x_nhwc + level_b[:, None, None, None]) + condition

    def sample(*, fused: bool) -> Tensor:
        stamps = StampSpace(SEED, galaxies(2, device), (5, 7, 3), fused)
        denoiser = guided(LazyDenoiser(Network(), stamps, torch.float32), 0.3, 0.0, guidance)
        x, sigmas = 80.0 * stamps.noise(Stream.INITIAL_NOISE), karras_sigmas(4, 0.002, 80.0)
        step_noise = lambda step: stamps.noise(Stream.SAMPLER_STEP.at(step))  # noqa: E731
        return SAMPLERS[sampler](denoiser, x, sigmas, noise=step_noise).tensor()

    assert torch.equal(sample(fused=True), sample(fused=False))


COMPILE = """
import dataclasses, json, subprocess, tempfile, torch, triton
from galgen_kernels.aot.compilation import compile_variant
from galgen_kernels.ops.linear_combination.fused import MAX_TERMS, variant

single, half = torch.float32, torch.bfloat16
forms = [
    variant([], 64 * 64 * 3, segments=1024, scaled=half),
    variant([single, single], 64 * 64 * 3, segments=1024, scaled=half),
    variant([single, half], 64 * 64 * 3, segments=1024, scaled=half),
    variant([single] * 8 + [half] * (MAX_TERMS - 8), 64 * 64 * 3, segments=1024, scaled=single),
    variant([single, half], 5 * 7 * 3, segments=1024, scaled=half),
]
forms.append(dataclasses.replace(forms[1], fp_fusion=True))
results = []
for form in forms:
    binary = compile_variant(form, "sm_90a")
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(binary.cubin)
        file.flush()
        command = [triton.knobs.nvidia.nvdisasm.path, "-c", file.name]
        code = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    counts = {name: code.count(name) for name in ("DFMA", "FFMA", "DMUL", "LDG.E.128", "STG.E.128")}
    results.append({"registers": binary.registers, "spills": binary.spill_bytes} | counts)
print(json.dumps(results))
"""


def test_machine_code() -> None:
    """For an H100: nothing is fused, nothing spilled, and aligned stamps move 16 bytes at a time.

    A fused multiply-add has one rounding where the noise of every other machine has two.
    """
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", COMPILE]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    *forms, fused = json.loads(run.stdout)
    for form in forms:
        assert form["DFMA"] == form["FFMA"] == form["spills"] == 0
        assert form["DMUL"] >= 3 * 4  # three products for each of a thread's four numbers
        assert form["registers"] <= 64  # half of the threads that a multiprocessor holds
    assert [form["LDG.E.128"] for form in forms] == [0, 2, 1, 8, 0]
    assert [form["STG.E.128"] for form in forms] == [1, 1, 1, 2, 0]
    assert fused["DFMA"] > 0  # the check would see it
