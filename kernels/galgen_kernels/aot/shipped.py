"""Every form of the kernels that galgen ships: what is compiled ahead of time and checked in CI."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import torch

from galgen_kernels.launching.tuned import shipped_file
from galgen_kernels.launching.variant import Variant
from galgen_kernels.ops.attention_fusion import fused as attention_fusion
from galgen_kernels.ops.attention_fusion.fused import Tile, forms
from galgen_kernels.ops.flood import fused as flood
from galgen_kernels.ops.group_norm_silu import fused as group_norm_silu
from galgen_kernels.ops.linear_combination import fused as linear_combination
from galgen_kernels.ops.stamps_to_fits import fused as stamps_to_fits

DTYPE = torch.bfloat16
MAPS = (16, 64, 256, 1024, 4096)  # cells of a map, 4 x 4 to 64 x 64
GROUP = 16  # channels of a normalisation group
HEAD = 32  # channels of an attention head
WINDOWS = {8: (64, 96, 128, 192, 256), 4: (32, 256)}  # side of a window -> channels
SEGMENTS = 1024  # cubics in the table of normal numbers
SIDE, BANDS = 64, 3  # of a stamp
THRESHOLDS, PROMINENCE = 19, 2  # of the flood that finds a galaxy


def shipped() -> list[Variant]:
    """Return all of them, sorted by name; others are compiled when they are first used.

    Raises
    ------
    ValueError
        If two different forms have the same name.
    """
    forms: dict[str, Variant] = {}
    sources = (_group_norm_silu, _attention_fusion, _linear_combination, _stamps_to_fits, _flood)
    for source in sources:
        for form in source():
            if forms.setdefault(form.name, form) != form:
                raise ValueError(f"two different variants are called {form.name}")
    return [forms[name] for name in sorted(forms)]


def _group_norm_silu() -> Iterator[Variant]:
    for cells, modulated in product(MAPS, (False, True)):
        yield group_norm_silu.variant(DTYPE, cells, GROUP, modulated=modulated)


def _attention_fusion() -> Iterator[Variant]:
    for side, widths in WINDOWS.items():
        for channels in widths:
            for tile in _tiles(channels, side * side):
                yield attention_fusion.variant(DTYPE, channels, HEAD, (side, side), tile)


def _tiles(channels: int, cells: int) -> set[Tile]:
    """Return both forms as they are by default, and what was measured best on some GPU.

    By default the whole form stops where it is not preferred and spills.
    """
    kept = (tile for tile in forms(channels, cells) if tile.form == "attention" or channels <= 128)
    tables = sorted(shipped_file("").parent.glob("*.json"))
    choices = (json.loads(path.read_text())["choices"] for path in tables)
    measured = (c.get("attention_fusion", {}).get(f"{channels}x{cells}") for c in choices)
    tiles = {*kept, *(Tile(**choice) for choice in measured if choice)}
    # One window per program where an image has an odd number of windows.
    return tiles | {replace(tile, windows=1) for tile in tiles}


def _linear_combination() -> Iterator[Variant]:
    steps = [(terms, 0, DTYPE) for terms in range(2, 9)]  # of solvers up to the fourth order
    noisy = [(terms, SEGMENTS, DTYPE) for terms in (0, 2, 3, 4, 6)]  # ancestral steps; 0: the start
    results = [(terms, 0, None) for terms in (2, 3)]  # 3 with guidance
    for terms, segments, scaled in (*steps, *noisy, *results):
        dtypes = [torch.float32] * terms
        yield linear_combination.variant(dtypes, SIDE * SIDE, segments=segments, scaled=scaled)


def _stamps_to_fits() -> Iterator[Variant]:
    for lupton in (False, True):
        yield stamps_to_fits.variant(SIDE * SIDE, BANDS, lupton=lupton)


def _flood() -> Iterator[Variant]:
    yield flood.variant(SIDE, SIDE, THRESHOLDS, PROMINENCE)
