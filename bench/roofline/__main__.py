"""Count every form of every kernel at a preset's shapes, print the tables and write the JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from bench import cases
from bench.cases import Stage
from bench.record import save
from bench.roofline import counts, table
from bench.roofline.work import Rates, Work, bound
from galgen.training.presets import get_preset
from galgen_kernels.launching.variant import Variant
from galgen_kernels.ops.attention_fusion import fused as attention_fusion
from galgen_kernels.ops.flood import fused as flood
from galgen_kernels.ops.group_norm_silu import fused as group_norm_silu
from galgen_kernels.ops.linear_combination import fused as linear_combination
from galgen_kernels.ops.stamps_to_fits import fused as stamps_to_fits

TRITON, ARCH = "3.6.0", "sm_90a"  # whose table of resources.json is taken
PRESETS = ["fast", "small"]
RATES = Rates()
DTYPE = torch.bfloat16


def resources(form: Variant) -> dict[str, int | None]:
    """Return programs per multiprocessor and what a program takes; None if it is not shipped."""
    known = json.loads(files("galgen_kernels").joinpath("resources.json").read_text())
    row = known[TRITON][ARCH].get(form.name, {})
    return {key: row.get(key) for key in ("programs", "registers", "narrow", "wgmma")}


def launches(preset: str) -> dict[Stage, int]:
    """Attention Fusion Units of one evaluation: two of a block, stages but the last twice."""
    model = get_preset(preset).model
    found = cases.stages([preset])
    return {stage: 2 * model.blocks * (1 if stage is found[-1] else 2) for stage in found}


def row(kernel: str, form: str, shape: str, works: dict[str, Work], **more: Any) -> dict[str, Any]:
    """Return a row of the results: launch by launch, and all together."""
    together = {"bound_us": 1e6 * bound(list(works.values()), RATES)}
    parts = {name: work.to_json(RATES) for name, work in works.items()}
    return {"kernel": kernel, "form": form, "shape": shape} | together | more | {"launches": parts}


def units(preset: str) -> Iterator[dict[str, Any]]:
    """Both forms of the Attention Fusion Unit, and other ways to compute it."""
    for stage, times in launches(preset).items():
        more = {"preset": preset, "per_evaluation": times}
        shape = f"{stage.channels} x {stage.side} x {stage.side}, windows of {stage.cells}"
        for tile in cases.tiles(stage):
            form = attention_fusion.variant(DTYPE, stage.channels, stage.head, stage.sides, tile)
            found = more | {"tile": asdict(tile)} | resources(form)
            works = counts.unit(stage, tile)
            name = "whole" if tile.form == "whole" else "attention, cuDNN"
            yield row("attention_fusion", name, shape, works, **found)
        for name, works in counts.ways(stage).items():
            yield row("attention_fusion", name, shape, works, **more)


def norms(preset: str) -> Iterator[dict[str, Any]]:
    """Both forms of the normalisation."""
    for stage in cases.stages([preset]):
        for modulated in (False, True):
            group, cells = stage.group, stage.side**2
            form = group_norm_silu.variant(DTYPE, cells, group, modulated=modulated)
            work = counts.group_norm_silu(stage, modulated=modulated)
            yield row(
                "group_norm_silu",
                "modulated" if modulated else "plain",
                f"{stage.channels} x {stage.side} x {stage.side}",
                {"group_norm_silu": work},
                preset=preset,
                **resources(form),
            )


def of_stamps() -> Iterator[dict[str, Any]]:
    """Kernels of a stamp, which no preset changes."""
    shape, numbers = f"{cases.SIZE} x {cases.SIZE} x 3", cases.SIZE**2 * 3
    for terms, noise, scaled in ((2, False, True), (2, True, True), (4, True, True)):
        segments, copy = (1024 if noise else 0), (DTYPE if scaled else None)
        types = [torch.float32] * terms
        step = linear_combination.variant(types, numbers, segments=segments, scaled=copy)
        work = counts.linear_combination(terms, noise=noise, scaled=scaled)
        name = f"{terms} terms" + (", noise" if noise else "")
        works = {"linear_combination": work}
        yield row("linear_combination", name, shape, works, **resources(step))
    for lupton in (False, True):
        form = stamps_to_fits.variant(cases.SIZE**2, 3, lupton=lupton)
        works = {"stamps_to_fits": counts.stamps_to_fits(lupton=lupton)}
        name = "Lupton" if lupton else "asinh"
        yield row("stamps_to_fits", name, shape, works, **resources(form))
    form = flood.variant(cases.SIZE, cases.SIZE, counts.THRESHOLDS, counts.PROMINENCE)
    shape = f"{cases.SIZE} x {cases.SIZE}"
    yield row("flood", "without its rounds", shape, {"flood": counts.flood()}, **resources(form))


def results(presets: list[str]) -> dict[str, Any]:
    """Return everything but what `record.save` adds."""
    rows = [found for preset in presets for kind in (units, norms) for found in kind(preset)]
    return {
        "what": "by arithmetic, not measured",
        "assumed_rates": asdict(RATES),
        "batch": counts.BATCH,
        "resources_of_triton": TRITON,
        "rows": rows + list(of_stamps()),
    }


def main(
    out: Annotated[Path | None, typer.Option(help="JSON to write.")] = None,
    preset: Annotated[list[str], typer.Option(help="Shapes of this; repeat.")] = PRESETS,
) -> None:
    """Count, print the tables and write the JSON."""
    found = results(preset)
    save(out, found)
    print(table.markdown(found))


if __name__ == "__main__":
    typer.run(main)
