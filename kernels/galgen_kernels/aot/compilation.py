"""Kernels compiled ahead of time, on a machine that need not have a GPU or its driver."""

from __future__ import annotations

import functools
import multiprocessing
import os
import re
import subprocess
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat

import triton
from triton.backends.compiler import GPUTarget
from triton.backends.nvidia.compiler import get_ptxas
from triton.compiler import ASTSource

from galgen_kernels.aot.shipped import shipped
from galgen_kernels.launching.variant import Variant

ALIGNED = [["tt.divisibility", 16]]
# Addresses of global and profiling scratch memory, which Triton appends to a kernel's parameters.
SCRATCH_PARAMETERS = 2
MAX_ARGUMENTS = 62  # GALGEN_KERNELS_MAX_ARGUMENTS of the library's launcher
MATRIX_INSTRUCTIONS = ("wgmma.mma_async", "tcgen05.mma", "mma.sync")
NARROW = 32  # columns of a warp-group matrix instruction below which it runs at half its rate
# What a multiprocessor has, of compute capability 9.0: registers, bytes of shared memory, warps.
REGISTERS, SHARED_MEMORY, WARPS = 65_536, 228 * 1024, 64
RESERVED = 1024  # bytes of shared memory of every program that the system takes


class CompilationError(RuntimeError):
    """A kernel that cannot be compiled ahead of time; the message says which and why."""


@dataclass(frozen=True)
class Binary:
    """A variant compiled for one architecture.

    Attributes
    ----------
    name, fingerprint : str
        Those of the variant.
    arch : str
        ``"sm_90a"``.
    capability : int
        Compute capability it runs on: 90 is 9.0.
    symbol : str
        The kernel's name in the cubin.
    types : tuple of str
        Triton type of each argument; two null pointers follow the arguments.
    num_warps, registers : int
        Of a program; per thread.
    shared, spill_bytes : int
        Bytes of dynamic shared memory of a program; bytes a thread spills to local memory.
    wgmma, narrow, matrix : int
        Warp-group matrix instructions (Hopper); those of them with less than 32 columns; matrix
        instructions of any kind.
    cubin : bytes
        What the CUDA driver loads.
    """

    name: str
    fingerprint: str
    arch: str
    capability: int
    symbol: str
    types: tuple[str, ...]
    num_warps: int
    registers: int
    shared: int
    spill_bytes: int
    wgmma: int
    narrow: int
    matrix: int
    cubin: bytes = field(repr=False)

    @property
    def programs(self) -> int:
        """Programs that a multiprocessor of an H100 holds: a single one hides no latency."""
        registers = -(-32 * self.registers // 256) * 256  # of a warp, as they are handed out
        return min(
            REGISTERS // (registers * self.num_warps),
            SHARED_MEMORY // (self.shared + RESERVED),
            WARPS // self.num_warps,
        )


def arch_capability(arch: str) -> int:
    """Return the compute capability of an architecture: 90 for "sm_90a".

    Raises
    ------
    CompilationError
        If it is not an architecture as Triton names them.
    """
    match = re.fullmatch(r"sm_(\d{2,3})a?", arch)
    if not match or arch != arch_name(int(match[1])):
        names = ", ".join(map(arch_name, (80, 86, 89, 90, 100, 120)))
        raise CompilationError(f"architecture {arch!r} is not known; allowed: {names}, ...")
    return int(match[1])


def arch_name(capability: int) -> str:
    """Return the architecture: with an "a" from Hopper on, whose own features Triton uses."""
    return f"sm_{capability}" + ("a" if capability >= 90 else "")


@functools.cache
def unsupported(arch: str) -> str:
    """Return why the assembler that Triton brings cannot make code for `arch`; empty if it can."""
    program = b".version 7.0\n.target sm_80\n.address_size 64\n"
    tool = get_ptxas(arch_capability(arch)).path
    command = [tool, f"--gpu-name={arch}", "-", "-o", os.devnull]
    result = subprocess.run(command, input=program, capture_output=True, check=False)
    reason = (result.stderr or result.stdout).decode(errors="replace").strip()
    return reason or "the assembler failed" if result.returncode else ""


def compile_variant(variant: Variant, arch: str) -> Binary:
    """Compile for one architecture. No driver is asked for anything, and no GPU is needed.

    Parameters
    ----------
    variant : Variant
        What to compile.
    arch : str
        ``"sm_80"``, ``"sm_90a"``, ``"sm_100a"``, ...

    Returns
    -------
    Binary
        The cubin, and what it takes.

    Raises
    ------
    CompilationError
        If the variant does not match its kernel, or the kernel needs what a launcher outside Triton
        does not provide.
    """
    kernel, capability = variant.kernel, arch_capability(arch)
    if not isinstance(kernel, triton.JITFunction):
        raise CompilationError("kernels are interpreted: unset TRITON_INTERPRET")
    names = [name for name in kernel.arg_names if name not in variant.constants]
    if list(variant.types) != names or len(names) > MAX_ARGUMENTS:
        raise CompilationError(f"{variant.name}: types are of {list(variant.types)}, not {names}")
    source = ASTSource(
        kernel,
        signature={name: variant.types.get(name, "constexpr") for name in kernel.arg_names},
        constexprs=dict(variant.constants),
        attrs={
            (i,): ALIGNED
            for i, name in enumerate(kernel.arg_names)
            if variant.types.get(name, "").startswith("*")
        },
    )
    with triton.knobs.compilation.scope():
        triton.knobs.compilation.disable_line_info = True  # no paths of this machine in binaries
        compiled = triton.compile(source, GPUTarget("cuda", capability, 32), variant.options)
    metadata, ptx = compiled.metadata, compiled.asm["ptx"]
    if metadata.global_scratch_size or metadata.profile_scratch_size:
        raise CompilationError(f"{variant.name} needs scratch memory, which no launcher provides")
    entry = re.search(r"\.entry [^)]*", ptx)
    parameters = entry[0].count(".param") if entry else 0
    if parameters != len(names) + SCRATCH_PARAMETERS:
        message = f"{parameters} parameters for {len(names)} arguments: Triton's ABI has changed"
        raise CompilationError(f"{variant.name}: {message}")
    registers, spill_bytes = _resources(ptx, variant, arch)
    return Binary(
        name=variant.name,
        fingerprint=variant.fingerprint,
        arch=arch,
        capability=capability,
        symbol=metadata.name,
        types=tuple(variant.types.values()),
        num_warps=metadata.num_warps,
        registers=registers,
        shared=metadata.shared,
        spill_bytes=spill_bytes,
        wgmma=ptx.count(MATRIX_INSTRUCTIONS[0]),
        narrow=sum(int(n) < NARROW for n in re.findall(r"wgmma\.mma_async\S*?\.m64n(\d+)k", ptx)),
        matrix=sum(ptx.count(instruction) for instruction in MATRIX_INSTRUCTIONS),
        cubin=compiled.asm["cubin"],
    )


def _resources(ptx: str, variant: Variant, arch: str) -> tuple[int, int]:
    """Return registers and spilled bytes of a thread; the assembler tells them, the cubin not."""
    command = [get_ptxas(arch_capability(arch)).path, "-v", f"--gpu-name={arch}"]
    command += [] if variant.fp_fusion else ["--fmad=false"]
    command += ["-", "-o", os.devnull]
    log = subprocess.run(command, input=ptx, capture_output=True, text=True, check=True).stderr
    registers = re.search(r"Used (\d+) registers", log)
    spills = re.findall(r"(\d+) bytes spill", log)
    if not registers or not spills:
        raise CompilationError(f"{variant.name}: no resource usage in the assembler's log:\n{log}")
    return int(registers[1]), sum(map(int, spills))


def compile_shipped(arches: Iterable[str], only: str = "", jobs: int | None = None) -> list[Binary]:
    """Compile what galgen ships, in parallel processes.

    Parameters
    ----------
    arches : iterable of str
        See `compile_variant`.
    only : str
        Regular expression found in the names of the wanted variants.
    jobs : int, optional
        Processes; as many as this process may use cores by default.

    Returns
    -------
    list of Binary
        Sorted by name, then by compute capability.

    Raises
    ------
    CompilationError
        If nothing matches `only`, or a kernel cannot be compiled.
    """
    names = [variant.name for variant in shipped() if re.search(only, variant.name)]
    if not names:
        raise CompilationError(f"no shipped variant matches {only!r}")
    arches = sorted(set(arches), key=arch_capability)
    jobs = jobs or len(os.sched_getaffinity(0))
    context = multiprocessing.get_context("forkserver")  # imports torch and triton once for all
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        tasks = [pool.map(_compile_named, names, repeat(arch)) for arch in arches]
        binaries = [binary for results in tasks for binary in results]
    return sorted(binaries, key=lambda binary: (binary.name, binary.capability))


def _compile_named(name: str, arch: str) -> Binary:
    """Compile in another process, which is sent names only."""
    try:
        return compile_variant(_by_name()[name], arch)
    except CompilationError:
        raise
    except Exception as error:  # Triton's own errors do not all survive the way between processes
        raise CompilationError(f"{name} for {arch}: {type(error).__name__}: {error}") from None


@functools.cache
def _by_name() -> dict[str, Variant]:
    """Return what galgen ships, once for a process."""
    return {variant.name: variant for variant in shipped()}
