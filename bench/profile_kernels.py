r"""One launch of the attention kernel and one of the normalisation, for a profiler to look at.

    ncu --clock-control none --set full -k 'regex:attention_fusion|group_norm' -c 2 \
        python -m bench.profile_kernels --preset fast

At the largest map of the preset, with the tile that galgen launches. What is to be settled:
whether the attention kernel waits for bytes of L2 or for their latency.
"""

from __future__ import annotations

from typing import Annotated

import torch
import typer

from bench import cases

GPU = torch.cuda.is_available()
DTYPE = torch.bfloat16


def main(
    preset: Annotated[str, typer.Option(help="Shapes of this.")] = "fast" if GPU else "tiny",
    batch: Annotated[int, typer.Option(help="Images.")] = 512 if GPU else 1,
) -> None:
    """Launch both once."""
    stage = max(cases.stages([preset]), key=lambda stage: stage.side)
    operands = cases.fusion_operands(stage, batch, DTYPE)
    cases.fusion_launch(operands, cases.tiles(stage)[0], shifted=True)()
    cases.norm_launch(*cases.norm_operands(stage, batch, DTYPE, modulated=True))
    if GPU:
        torch.cuda.synchronize()
    print(f"{stage}, {batch} images: {cases.tiles(stage)[0]}")


if __name__ == "__main__":
    typer.run(main)
