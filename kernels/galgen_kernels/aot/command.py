"""Command line of ahead-of-time compilation: what the shipped kernels cost, and their binaries.

``python -m galgen_kernels.aot table`` prints registers, spills, shared memory, programs that fit
on a multiprocessor, and matrix instructions of every shipped kernel; ``python -m galgen_kernels.aot
build`` writes what ``kernels/CMakeLists.txt`` makes a library of. Neither needs a GPU, its driver
or the CUDA toolkit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import triton

from galgen_kernels.aot.compilation import (
    Binary,
    CompilationError,
    compile_shipped,
    unsupported,
)

ARCHES = ("sm_80", "sm_90a", "sm_100a")
# What a binary takes, as `Binary` calls it, and as the printed table does.
TAKES = {
    "num_warps": "warps",
    "registers": "registers",
    "spill_bytes": "spills",
    "shared": "shared",
    "programs": "programs",
    "wgmma": "wgmma",
    "narrow": "narrow",
    "matrix": "matrix",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        return status
    except CompilationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m galgen_kernels.aot", description=__doc__)
    commands = parser.add_subparsers(required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--only", default="", metavar="REGEX", help="variants with such names only")
    common.add_argument("--jobs", type=int, help="processes; as many as there are cores by default")
    table = commands.add_parser("table", parents=[common], help="resources of every kernel")
    table.add_argument("--arch", action="append", help="default: sm_90a; can be repeated")
    table.add_argument("--json", type=Path, help="file to update with this version of Triton")
    table.set_defaults(run=_table)
    build = commands.add_parser("build", parents=[common], help="cubins and the table of them")
    build.add_argument(
        "--arch",
        action="append",
        help=f"default: those of {', '.join(ARCHES)} that Triton's assembler knows",
    )
    build.add_argument("--out", type=Path, required=True, help="folder, made if it is missing")
    build.set_defaults(run=_build)
    return parser


def _table(options: argparse.Namespace) -> int:
    binaries = compile_shipped(options.arch or ["sm_90a"], options.only, options.jobs)
    print(f"triton {triton.__version__}")
    print(format_table(binaries))
    if options.json:
        known = json.loads(options.json.read_text()) if options.json.exists() else {}
        known[triton.__version__] = resources(binaries)
        options.json.write_text(_one_line_each(known))
    return 0


def _build(options: argparse.Namespace) -> int:
    skipped = {} if options.arch else {a: why for a in ARCHES if (why := unsupported(a))}
    for arch, why in skipped.items():
        print(f"warning: no binaries for {arch}: {why}", file=sys.stderr)
    arches = options.arch or [arch for arch in ARCHES if arch not in skipped]
    for arch in arches:
        if why := unsupported(arch):
            raise CompilationError(f"no binaries can be made for {arch}: {why}")
    binaries = compile_shipped(arches, options.only, options.jobs)
    options.out.mkdir(parents=True, exist_ok=True)
    for binary in binaries:
        (options.out / cubin_name(binary)).write_bytes(binary.cubin)
    (options.out / "table.c").write_text(c_table(binaries))
    (options.out / "images.S").write_text(assembly(binaries))
    manifest = {
        "triton": triton.__version__,
        "skipped": skipped,
        "binaries": [_entry(binary) for binary in binaries],
    }
    (options.out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    total = sum(len(binary.cubin) for binary in binaries) / 2**20
    print(f"{len(binaries)} binaries for {', '.join(arches)}, {total:.1f} MiB: {options.out}")
    return 0


def resources(binaries: Sequence[Binary]) -> dict[str, dict[str, dict[str, int]]]:
    """Return architecture -> variant -> what it takes, as kept in ``resources.json``."""
    table: dict[str, dict[str, dict[str, int]]] = {}
    for binary in binaries:
        table.setdefault(binary.arch, {})[binary.name] = {k: getattr(binary, k) for k in TAKES}
    return table


def _one_line_each(tables: dict[str, Any]) -> str:
    """Write JSON with one line for each variant."""
    text = json.dumps(tables, indent=1, sort_keys=True)
    return re.sub(r"\{[^{}]*\}", lambda leaf: " ".join(leaf[0].split()), text) + "\n"


def format_table(binaries: Sequence[Binary]) -> str:
    """Write the same as text, one line per binary; spills and shared memory in bytes."""
    heads = ("arch", *TAKES.values())
    width = max(len(binary.name) for binary in binaries)
    lines = [f"{'variant':{width}}" + "".join(f"{head:>10}" for head in heads)]
    for b in binaries:
        cells = (b.arch, *(getattr(b, key) for key in TAKES))
        lines.append(f"{b.name:{width}}" + "".join(f"{cell:>10}" for cell in cells))
    return "\n".join(lines)


def cubin_name(binary: Binary) -> str:
    """Name the file of a binary."""
    return f"{binary.name}.{binary.arch}.cubin"


def c_table(binaries: Sequence[Binary]) -> str:
    """Write the library's table in C (kernels/csrc/table.h), sorted as lookup expects it."""
    lines = ['#include "table.h"', ""]
    lines += [f"extern const unsigned char galgen_image_{i}[];" for i in range(len(binaries))]
    lines += ["", "galgen_row galgen_rows[] = {"]
    for i, b in enumerate(binaries):
        info = [f'"{b.name}"', f'"{b.fingerprint}"', f'"{",".join(b.types)}"']
        info += map(str, (b.capability, b.num_warps, b.shared, b.registers))
        members = [f"{{{', '.join(info)}}}", f'"{b.symbol}"', str(len(b.types))]
        lines.append(f"    {{{', '.join(members)}, galgen_image_{i}, NULL, 0}},")
    return "\n".join([*lines, "};", "", f"const size_t galgen_row_count = {len(binaries)};", ""])


def assembly(binaries: Sequence[Binary]) -> str:
    """Write assembler source that includes the cubins, which C before C23 cannot do."""
    lines = ["    .section .rodata"]
    for i, binary in enumerate(binaries):
        label = f"galgen_image_{i}"
        lines += ["    .balign 16", f"    .globl {label}", f"    .hidden {label}", f"{label}:"]
        lines += [f'    .incbin "{cubin_name(binary)}"']
    return "\n".join([*lines, '    .section .note.GNU-stack,"",%progbits', ""])


def _entry(binary: Binary) -> dict[str, Any]:
    keys = ("name", "arch", "fingerprint", "symbol", *TAKES)
    entry = {key: getattr(binary, key) for key in keys}
    digest = hashlib.sha256(binary.cubin).hexdigest()
    return entry | {"types": list(binary.types), "file": cubin_name(binary), "sha256": digest}
