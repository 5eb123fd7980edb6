"""Gradients of custom operators: those of a formula, computed again in the backward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor


class CustomOperator(Protocol):
    """What `torch.library.custom_op` makes, of which PyTorch exports no type."""

    def register_autograd(
        self, backward: Callable[..., Any], /, *, setup_context: Callable[..., Any] | None = None
    ) -> None:
        """Give the operator a gradient."""


def differentiate(operator: CustomOperator, formula: Callable[..., Any], tensors: int) -> None:
    """Give an operator the gradient of a formula, once differentiable.

    Parameters
    ----------
    operator : CustomOperator
        What is to be differentiated.
    formula : callable
        PyTorch operations on the operator's arguments: first tensors (or None), then constants.
    tensors : int
        How many of the arguments are tensors.
    """

    def setup(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(*inputs[:tensors])
        ctx.constants = inputs[tensors:]

    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        with torch.enable_grad():
            leaves = [
                None if t is None else t.detach().requires_grad_(needed)
                for t, needed in zip(ctx.saved_tensors, ctx.needs_input_grad, strict=False)
            ]
            outputs = formula(*leaves, *ctx.constants)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        wanted = [t for t in leaves if t is not None and t.requires_grad]
        pairs = zip(outputs, gradients, strict=True)
        asked = [(o, g) for o, g in pairs if o.requires_grad and g is not None]
        used, of_used = zip(*asked, strict=True)
        found = iter(torch.autograd.grad(used, wanted, of_used, allow_unused=True))
        each = [next(found) if t is not None and t.requires_grad else None for t in leaves]
        return *each, *(None for _ in ctx.constants)

    operator.register_autograd(backward, setup_context=setup)
