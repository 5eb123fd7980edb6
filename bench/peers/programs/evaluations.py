"""Evaluations of a network: one core, or all of them in lanes of one thread or split operations."""

from __future__ import annotations

import copy
import functools

import torch
from torch import Tensor

from bench.bench_denoiser import CHECKED, WRONG
from bench.bench_network import CORES, on_all_cores, on_one_core
from galgen.generate.sampling import DTYPES
from galgen.system.lanes import keep_memory
from galgen_kernels import use_backend

from . import networks
from .protocol import Facts, LeftOutError, Turn, WrongOutputError


def start(settings: Facts) -> tuple[Turn, Facts]:
    """Build a network, compare it with itself in float64, and compile it if that is asked."""
    keep_memory()  # as galgen does; it helps all of them
    make = getattr(networks, settings["who"])
    contender = make(settings["preset"], *settings.get("family", []))
    size, dtype = settings["batch"], DTYPES[settings["dtype"]]
    right = _in_float64(contender, size)
    net = contender.net.cast(dtype) if settings["who"] == "galgen" else contender.net.to(dtype)
    if settings["compile"]:
        torch.set_num_threads(1)  # code is made for a number of threads
        net.compile(fullgraph=True, dynamic=False)
    arguments = contender.batch(size, dtype)
    last: list[Tensor] = []

    def evaluate() -> None:
        last[:] = [networks.output(net(*arguments))]

    def turn(told: Facts) -> Facts:
        one = told["way"] == "one core"
        lanes = {"lanes": CORES, "threads": 1}.get(told["way"], 1)
        torch.set_num_threads(1 if one or lanes > 1 else CORES)
        clock = on_one_core if one else functools.partial(on_all_cores, lanes=lanes)
        seconds = clock(evaluate)
        error = _error(last[0], right, size)
        if not error < WRONG:
            raise WrongOutputError(f"the relative error is {error}")
        rate = size * (1 if one else CORES) / seconds
        gflops = rate * contender.flops / 1e9
        return {"evaluations_per_second": rate, "gflops": gflops, "relative_error": error}

    try:
        turn({"way": "one core"})
    except torch._dynamo.exc.BackendCompilerFailed as error:
        raise LeftOutError(str(error).splitlines()[0][:200]) from None
    return turn, {"gflop_per_image": contender.flops / 1e9, "shape": contender.shape}


def _in_float64(contender: networks.Contender, size: int) -> Tensor:
    """Evaluate the first images: what the others are compared with."""
    few = contender.batch(size, torch.float64)
    net = contender.net
    net = net.cast(torch.float64) if hasattr(net, "cast") else copy.deepcopy(net).double()
    with torch.inference_mode(), use_backend("reference"):
        return networks.output(net(*few))[:CHECKED].double()


def _error(got: Tensor, right: Tensor, size: int) -> float:
    """Relative; infinite if the shape is not that of the whole batch."""
    if got.shape != (size, *right.shape[1:]) or not got.isfinite().all():
        return float("inf")
    return float((got[:CHECKED].double() - right).norm() / right.norm())
