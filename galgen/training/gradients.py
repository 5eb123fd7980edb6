"""Gradients of a network that computes in half precision, for weights kept in float32."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from galgen.training.group import Group


class Gradients:
    """Carries weights to the network that computes, and its gradients back to them.

    The weights' gradients are views of one flat tensor, which processes add up in one message.

    Parameters
    ----------
    weights : nn.Module
        Float32, what optimizers change. Their ``grad`` belong to this object: do not set them to
        None.
    working : nn.Module
        The same module in the precision that it computes in.
    group : Group
        Processes whose gradients are added up.
    """

    def __init__(self, weights: nn.Module, working: nn.Module, group: Group) -> None:
        self._weights: list[Tensor] = list(weights.parameters())
        self._working: list[Tensor] = list(working.parameters())
        self._group = group
        self._flat = torch.zeros(sum(p.numel() for p in self._weights), device=_device(weights))
        parts = self._flat.split([p.numel() for p in self._weights])
        self._grads = [g.view_as(p) for g, p in zip(parts, self._weights, strict=True)]

    @torch.no_grad()
    def send_weights(self) -> None:
        """Give the working network the weights, and take its old gradients away."""
        torch._foreach_copy_(self._working, self._weights)
        for parameter in self._working:
            parameter.grad = None

    @torch.no_grad()
    def collect(self) -> None:
        """Give the weights the gradients of the working network, added up over the group."""
        # A parameter without a part in the loss, such as the embedding of no property, has none.
        given = [(i, p.grad) for i, p in enumerate(self._working) if p.grad is not None]
        if len(given) < len(self._grads):
            self._flat.zero_()
        torch._foreach_copy_([self._grads[i] for i, _ in given], [grad for _, grad in given])
        self._group.add(self._flat)
        for parameter, own in zip(self._weights, self._grads, strict=True):
            parameter.grad = own


def _device(module: nn.Module) -> torch.device:
    """Device of a module's first parameter."""
    return next(module.parameters()).device
