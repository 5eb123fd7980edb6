"""The attention_fusion kernel, both forms, against the formula in float64."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from galgen_kernels import FusionWeights
from galgen_kernels.ops.attention_fusion import reference
from galgen_kernels.ops.attention_fusion.windows import offsets, window_geometry
from tests.kernels.tolerance import relative_error, rounding

pytest.importorskip("triton", reason="Triton has no build for this platform")
from galgen_kernels.ops.attention_fusion import fused as kernel

FORMS = ("whole", "attention")
# Forms that nobody ships, float32 above all, can spill 100 KB a thread and take minutes to compile.
interpreted = pytest.mark.skipif(torch.cuda.is_available(), reason="see test_shipped_tiles")
SHIPPED = [
    (channels, tile)
    for channels, tiles in kernel.TILES.items()
    for tile in tiles
    if tile.form == "attention" or channels <= 128
]


def inputs(n, h, w, c, head, window, dtype, device):
    """Arguments of `attention_fusion` up to the window, in its order."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape, scale=1.0):
        return (torch.randn(shape, generator=generator) * scale).to(device, dtype)

    maps = normal(n, h, w, c), normal(n, h, w, c), torch.sigmoid(normal(n, c))
    weights = FusionWeights(
        normal(3 * c, c, scale=1.5 * c**-0.5),  # scores of order 2: softmax is far from flat
        normal(c // head, (2 * window - 1) ** 2),
        normal(c, c, scale=c**-0.5),
        normal(c),
        normal(c, 9 * c, scale=(9 * c) ** -0.5),
        normal(c),
    )
    return *maps, weights, window


def run(arguments, *, shifted, tile) -> torch.Tensor:
    """Launch the kernel as the operator does."""
    *maps, weights, window = arguments
    sides, shift = window_geometry(*maps[0].shape[1:3], window, shifted=shifted)
    position_ktt = weights.position_bias[:, offsets(*sides, window, maps[0].device)]
    return kernel.launch(*maps, weights, position_ktt.contiguous(), sides, shift, tile)


def expected(arguments, *, shifted) -> torch.Tensor:
    *maps, weights, window = arguments
    maps = [tensor.double() for tensor in maps]
    weights = FusionWeights(*(tensor.double() for tensor in weights))
    return reference.attention_fusion(*maps, weights, window, shifted=shifted)


@interpreted
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("n", "h", "w", "c", "head", "window", "shifted", "windows", "step"),
    [
        (1, 8, 8, 32, 32, 8, True, 1, 32),  # one window: nothing to shift
        (1, 16, 16, 64, 32, 8, True, 2, 64),  # shifted, two windows per program, two heads
        (3, 4, 4, 32, 32, 8, True, 1, 32),  # a map smaller than the window; odd batch
        (2, 12, 6, 96, 32, 6, True, 1, 32),  # 36 cells padded to 64; channels padded to 128
        (1, 2, 4, 32, 16, 8, False, 1, 32),  # 8 cells padded to 16; small heads
        (1, 16, 8, 64, 64, 8, True, 2, 32),  # not square: shifted along y only; one large head
    ],
)
def test_against_float64(
    device, n, h, w, c, head, window, shifted, windows, step, dtype, form
) -> None:
    arguments = inputs(n, h, w, c, head, window, dtype, device)
    tile = kernel.Tile(form, windows, step, num_warps=4, num_stages=2)
    out_nhwc = run(arguments, shifted=shifted, tile=tile)
    assert out_nhwc.dtype == dtype
    error = relative_error(out_nhwc, expected(arguments, shifted=shifted))
    assert error < rounding(dtype)


@interpreted
@pytest.mark.parametrize("form", FORMS)
def test_every_cell_is_written(device, monkeypatch, form) -> None:
    """The output starts as NaN here; it is allocated without being cleared."""
    monkeypatch.setattr(torch, "empty_like", lambda t: torch.full_like(t, torch.nan))
    arguments = inputs(2, 12, 6, 32, 32, 6, torch.float32, device)
    tile = kernel.Tile(form, step=32, num_warps=4)
    assert run(arguments, shifted=True, tile=tile).isfinite().all()


@interpreted
@pytest.mark.parametrize("form", FORMS)
def test_large_scores(device, form) -> None:
    """Scores of several hundred: exp would overflow without the row's largest taken off."""
    *maps, weights, window = inputs(1, 8, 8, 32, 32, 8, torch.float32, device)
    weights = weights._replace(qkv_weight=20 * weights.qkv_weight)
    arguments = *maps, weights, window
    out_nhwc = run(arguments, shifted=False, tile=kernel.Tile(form, step=32, num_warps=4))
    assert relative_error(out_nhwc, expected(arguments, shifted=False)) < 1e-5


@interpreted
@pytest.mark.parametrize("gate", [0.0, 1.0])
@pytest.mark.parametrize("form", FORMS)
def test_gate_at_its_ends(device, form, gate) -> None:
    """0 is the convolution alone, 1 the attention alone."""
    u_nhwc, residual_nhwc, gate_nc, weights, window = inputs(
        1, 8, 8, 32, 32, 8, torch.float32, device
    )
    arguments = u_nhwc, residual_nhwc, torch.full_like(gate_nc, gate), weights, window
    out = run(arguments, shifted=False, tile=kernel.Tile(form, step=32, num_warps=4))
    weights = FusionWeights(*(tensor.double() for tensor in weights))
    if gate == 0:
        image = F.pad(u_nhwc.double(), (0, 0, 1, 1, 1, 1))
        patches = torch.cat([image[:, y : y + 8, x : x + 8] for y in range(3) for x in range(3)], 3)
        branch = patches @ weights.filter_weight.T + weights.filter_bias
    else:
        branch = reference.window_attention(
            u_nhwc.double(), *weights.attention, window, shifted=False
        )
    assert relative_error(out, residual_nhwc.double() + branch) < rounding(torch.float32)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("channels", "tile"), SHIPPED, ids=str)
def test_shipped_tiles(monkeypatch, channels, tile) -> None:
    """Compiled, in the precision that they are for; memory that is not written reads as NaN."""
    monkeypatch.setattr(torch, "empty_like", lambda t: torch.full_like(t, torch.nan))
    arguments = inputs(3, 16, 16, channels, 32, 8, torch.bfloat16, torch.device("cuda"))
    out_nhwc = run(arguments, shifted=True, tile=tile)
    error = relative_error(out_nhwc, expected(arguments, shifted=True))
    assert error < rounding(torch.bfloat16)


@pytest.mark.parametrize("channels", [32, 64, 96, 128, 160, 192, 256, 384])
def test_tile_fits_every_map(channels) -> None:
    """Whatever the model's widths, a tile divides channels and windows."""
    for cells, windows in ((64, 1), (64, 2), (64, 9), (16, 1)):
        tile = kernel.tile(channels, cells, windows)
        assert channels % tile.step == 0
        assert windows % tile.windows == 0
        assert replace(tile, num_warps=8).form in FORMS
