"""One compiled form of a kernel."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol


class Kernel(Protocol):
    """What Triton makes of a decorated function; `kernel[grid]` launches it."""

    __name__: str

    @property
    def cache_key(self) -> str:
        """The hash of the source and of that of the functions it calls."""

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., Any]:
        """Return what launches the kernel on this grid."""


@dataclass(frozen=True)
class Variant:
    """All that a kernel's binary depends on, but for the GPU.

    Attributes
    ----------
    kernel : Kernel
        Its run-time integers are marked ``do_not_specialize``, so that one binary serves every
        size; its pointers are aligned to 16 bytes.
    types : mapping of str to str
        Triton type of each run-time argument, in the kernel's order: ``"*bf16"``, ``"i32"``.
    constants : mapping of str to int, float, bool or str
        Values of its ``constexpr`` arguments.
    num_warps, num_stages : int
        Launch options.
    max_registers : int, optional
        Of a thread; as many as the compiler likes by default.
    fp_fusion : bool
        Let the compiler contract a product and a sum into one operation with one rounding.
    """

    kernel: Kernel
    types: Mapping[str, str]
    constants: Mapping[str, Any]
    num_warps: int = 4
    num_stages: int = 2
    max_registers: int | None = None
    fp_fusion: bool = True

    @property
    def name(self) -> str:
        """The name, readable and unique: a C identifier."""
        kernel = self.kernel.__name__.removesuffix("_kernel")
        values = ((k, int(v) if isinstance(v, bool) else v) for k, v in self.constants.items())
        constants = "_".join(f"{k.lower()}{v}" for k, v in values)
        # A kernel's scalars are of the same types in every variant.
        pointers = groupby(kind[1:] for kind in self.types.values() if kind[0] == "*")
        runs = ((kind, len(list(run))) for kind, run in pointers)
        types = "_".join(kind if length == 1 else f"{kind}x{length}" for kind, length in runs)
        options = f"w{self.num_warps}s{self.num_stages}"
        options += f"r{self.max_registers}" if self.max_registers else ""
        options += "" if self.fp_fusion else "_unfused"
        raw = f"{kernel}_{constants}_{types}_{options}"
        return "".join(c if c.isalnum() or c == "_" else "_" for c in raw)

    @property
    def options(self) -> dict[str, int | bool]:
        """Launch options by Triton's names, also those of `triton.compile`."""
        options: dict[str, int | bool] = {
            "num_warps": self.num_warps,
            "num_stages": self.num_stages,
            "enable_fp_fusion": self.fp_fusion,
        }
        return options | ({"maxnreg": self.max_registers} if self.max_registers else {})

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that a binary is made of, but for the GPU and the version of Triton.

        That is the kernel's source and those of the functions it calls, types, constants and
        options. Computed without compiling anything.
        """
        parts = (list(self.types.items()), list(self.constants.items()), list(self.options.items()))
        return hashlib.sha256(f"{self.kernel.cache_key} {parts}".encode()).hexdigest()
