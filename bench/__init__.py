"""Benchmarks; see README.md. Without a GPU their Triton kernels are interpreted on the CPU."""

from __future__ import annotations

import os

import torch

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read when Triton is imported
