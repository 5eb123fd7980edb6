"""How a form of a kernel is launched: as a binary if there is one, else compiled by Triton."""

from __future__ import annotations

from typing import Any

from galgen_kernels.launching import arguments, binaries
from galgen_kernels.launching.variant import Variant


def launch_variant(variant: Variant, grid: tuple[int, ...], *values: Any) -> None:
    """Run a form of a kernel on the current stream.

    A binary compiled ahead of time is taken if there is one (`binaries`); else Triton compiles, on
    first use.

    Parameters
    ----------
    variant : Variant
        The form.
    grid : tuple of int
        Numbers of programs, in up to three dimensions.
    *values : Tensor, int or float
        Arguments in the order of `variant.types`; tensors as `arguments.ready` makes them.

    Raises
    ------
    LibraryError
        If the library of binaries was asked for by name and cannot be used, or a launch failed.
    """
    arguments.check(values, variant.types.values())
    if not binaries.launch(variant, grid, values):
        variant.kernel[grid](*values, **variant.constants, **variant.options)
