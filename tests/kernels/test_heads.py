"""Heads of attention that the fused kernel is compiled for, and those that it leaves alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="Triton has no build for this platform")

from galgen_kernels.ops.attention_fusion.fused import fits

KERNELS = Path(__file__).parents[2] / "kernels"
HEADS = (8, 16, 24, 32)  # channels; the two that are left out are too few, and no power of 2
COMPILES = """
import json, sys
import torch
from triton.compiler.errors import CompilationError
from galgen_kernels.aot.compilation import compile_variant
from galgen_kernels.ops.attention_fusion.fused import Tile, variant
compiled = {}
for head in map(int, sys.argv[1:]):
    tile = Tile("attention", step=2 * head & -2 * head, num_warps=4)
    form = variant(torch.bfloat16, 2 * head, head, (4, 4), tile)
    try:
        compile_variant(form, "sm_90a")
        compiled[head] = True
    except CompilationError:
        compiled[head] = False
print(json.dumps(compiled))
"""


def test_compiler_takes_the_heads_that_fit() -> None:
    """Triton itself is asked: its interpreter, which other tests run in, takes any size."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("TRITON_", "GALGEN_"))}
    words = sys.executable, "-c", COMPILES, *map(str, HEADS)
    environment = inherited | {"PYTHONPATH": str(KERNELS)}
    result = subprocess.run(
        words, env=environment, capture_output=True, text=True, check=True, timeout=250
    )
    compiled = json.loads(result.stdout.splitlines()[-1])
    assert compiled == {str(head): fits(head) for head in HEADS}
    assert not fits(8)
    assert fits(32)
