"""Heads of attention that the fused kernel is compiled for, and those that it leaves alone."""

from __future__ import annotations

import json
import sys

import pytest

pytest.importorskip("triton", reason="Triton has no build for this platform")

from galgen_kernels.ops.attention_fusion.fused import fits
from tests.kernels.compiling import run

HEADS = (8, 16, 24, 32)  # channels; the two that are left out are too few, and no power of 2
COMPILES = """
import json, sys
import torch
from triton.compiler.errors import CompilationError
from galgen_kernels.aot.compilation import compile_variant
from galgen_kernels.ops.attention_fusion.fused import forms, variant
compiled = {}
for head in map(int, sys.argv[1:]):
    form = variant(torch.bfloat16, 2 * head, head, (4, 4), forms(2 * head, 4 * 4)[-1])
    try:
        compile_variant(form, "sm_90a")
        compiled[head] = True
    except CompilationError:
        compiled[head] = False
print(json.dumps(compiled))
"""


def test_compiler_takes_the_heads_that_fit() -> None:
    """Triton itself is asked: its interpreter, which other tests run in, takes any size."""
    compiled = json.loads(run(sys.executable, "-c", COMPILES, *HEADS).splitlines()[-1])
    assert compiled == {str(head): fits(head) for head in HEADS}
    assert not fits(8)
    assert fits(32)
