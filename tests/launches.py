"""What a GPU would be asked to do, counted without one.

Tensors of the meta device have shapes alone. Here they are computed as those of a GPU are: by the
fused kernels, of which the operators' shapes are enough. What needs a value of such a tensor, as a
loop does that ends when nothing changes, is an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

META = torch.device("meta")
# Of a size that depends on values: the host waits for it.
SIZED_BY_VALUES = ("nonzero", "masked_select", "unique", "_local_scalar_dense", "bincount")


class Launches(TorchDispatchMode):
    """Count operators on meta tensors; views launch nothing.

    Attributes
    ----------
    count : Counter
        Of each operator.
    waits : list of str
        Operators for which the host would wait: copies between it and the GPU, and results of which
        it has to know the size.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count: Counter[str] = Counter()
        self.waits: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        devices = {t.device for t in tree_leaves((args, kwargs, made)) if isinstance(t, Tensor)}
        # A number of the host's is an argument of a kernel; an array of it has to be copied.
        arrays = {t.device for t in tree_leaves((args, kwargs, made)) if _is_array(t)}
        if META in devices:
            name = func._schema.name.partition("::")[2]
            if len(arrays) > 1 or name in SIZED_BY_VALUES:
                self.waits.append(name)
            if not any(r.alias_info and not r.alias_info.is_write for r in func._schema.returns):
                self.count[name] += 1
        return made


def _is_array(value: object) -> bool:
    return isinstance(value, Tensor) and (value.ndim > 0 or value.device == META)


@contextmanager
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[Launches]:
    """Compute meta tensors by the fused kernels' operators, and count what is launched."""

    def launched(
        tensors, weights, shape, weight, seed, stream, index_n, table, scale=1.0, scaled=None
    ):
        out_nhwc = torch.zeros(tuple(shape), device=META)
        return out_nhwc, None if scaled is None else torch.empty_like(out_nhwc, dtype=scaled)

    with monkeypatch.context() as patched:
        for module in ("backend", "ops.flood"):
            patched.setattr(f"galgen_kernels.{module}.runs_triton", lambda *_, **__: True)
        patched.setattr("galgen.generate.sampling.runs_triton", lambda *_, **__: True)
        patched.setattr("galgen_kernels.ops.linear_combination.fused.launch", launched)
        with Launches() as launches:
            yield launches
