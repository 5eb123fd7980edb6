"""The roofline: counts agree with the formulas, and the page with the counts."""

from __future__ import annotations

import json

import pytest
import torch

from galgen_kernels.backend import HAS_TRITON

if not HAS_TRITON:
    pytest.skip("Triton has no build for this platform", allow_module_level=True)
if torch.cuda.is_available():
    pytest.skip("a GPU has tiles of its own", allow_module_level=True)

from bench import cases
from bench.roofline import __main__ as roofline
from bench.roofline import counts, table
from bench.roofline.work import Rates, Work, bound
from galgen_kernels.ops.attention_fusion.fused import Tile
from galgen_kernels.ops.attention_fusion.reference import attention_fusion
from galgen_kernels.ops.stamps_to_fits import reference as fits
from tests.pages import DOCS, ROOT

COMMITTED = ROOT / "bench" / "results" / "roofline.json"
STAGES = cases.stages(["fast", "small"])


@pytest.fixture(scope="module")
def counted() -> dict:
    return json.loads(json.dumps(roofline.results(roofline.PRESETS)))


def test_page_has_the_tables_of_the_results(tmp_path):
    page, copy = DOCS / "kernels.md", tmp_path / "page.md"
    copy.write_text(page.read_text())
    table.main(COMMITTED, copy)
    assert copy.read_text() == page.read_text()
    assert "By arithmetic, not measured" in page.read_text()


def test_results_are_those_of_the_kernels_as_they_are(counted):
    """After a change of a kernel: python -m bench.roofline --out <that file>, and its table."""
    found = json.loads(COMMITTED.read_text())
    assert {key: found[key] for key in counted} == counted


def test_what_the_page_says_of_them(counted):
    """Attention with cuDNN's convolution is ahead at every shape but one; L2 bounds every way."""
    units = [row for row in counted["rows"] if row["kernel"] == "attention_fusion"]
    for shape in {row["shape"] for row in units}:
        best = min((r for r in units if r["shape"] == shape), key=lambda row: row["bound_us"])
        assert (best["form"] == "attention, cuDNN") != shape.startswith("256 x 4 x 4")
    for row in units:
        longest = max(row["launches"].values(), key=lambda work: work["bound_us"])
        assert longest["bound"] == "l2"


def test_every_kernel_is_counted(counted):
    kernels = {row["kernel"] for row in counted["rows"]}
    folder = ROOT / "kernels" / "galgen_kernels" / "ops"
    assert kernels == {path.parent.name for path in folder.glob("*/fused.py")}
    for row in counted["rows"]:
        shared = [work["bound_us"] for work in row["launches"].values()]
        assert row["bound_us"] == pytest.approx(sum(shared))
        assert min(shared) > 0


@pytest.mark.parametrize("stage", STAGES, ids=str)
def test_operations_are_those_of_the_formula(stage):
    """Each way computes the same, whatever the tiles carry out beyond it."""
    operands = cases.fusion_operands(stage, 1, torch.float32)
    wanted = cases.flops(lambda *given: attention_fusion(*given, shifted=False), operands)
    units = [counts.unit(stage, tile) for tile in cases.tiles(stage)]
    for works in (*units, *counts.ways(stage).values()):
        assert sum(work.flops for work in works.values()) == wanted
        assert sum(work.issued for work in works.values()) >= wanted


@pytest.mark.parametrize("stage", STAGES, ids=str)
def test_the_whole_form_moves_its_operands_once(stage):
    """But for gates and biases; weights are shared by a batch."""
    u, residual, _, _, _ = cases.fusion_operands(stage, 1, torch.bfloat16)
    whole = counts.fused(stage, Tile("whole"))
    assert whole.hbm == pytest.approx(cases.traffic(u, residual, u), rel=0.3)
    assert whole.hbm > cases.traffic(u, residual, u)
    assert whole.l2 > whole.hbm


def test_l2_of_a_window_by_hand():
    """96 channels: 13 matrices of 18 KiB, ten reads of u, residual and result, 12 KiB each, 24."""
    stage = STAGES[0]
    windows = {
        form: counts.fused(stage, Tile(form)).l2 / stage.windows for form in ("whole", "attention")
    }
    assert windows["whole"] == (13 * 18 + 12 * 12 + 24) * 1024
    assert windows["attention"] == (4 * 18 + 4 * 12 + 24) * 1024


def test_two_windows_share_weights_and_double_the_scores():
    stage = STAGES[0]
    one, two = (counts.fused(stage, Tile("attention", windows=n)) for n in (1, 2))
    assert one.l2 - two.l2 == stage.windows / 2 * 4 * 18 * 1024
    assert two.vector == 2 * one.vector
    assert two.flops == one.flops < one.issued < two.issued


def test_stamps_move_their_operands_once():
    x_nhwc = cases.stamps(1)
    made = fits.stamps_to_fits(x_nhwc, cases.stretches()["asinh"])
    moved = cases.traffic(x_nhwc, made.data_bnhv, made.planes_nbhw)
    assert counts.stamps_to_fits(lupton=False).hbm == moved


@pytest.mark.parametrize(
    ("work", "name"),
    [
        (Work(hbm=3e12, l2=3e12), "hbm"),
        (Work(hbm=1e12, l2=5.5e12), "l2"),
        (Work(hbm=1e12, l2=1e12, flops=1.0, issued=790e12), "matrix"),
        (Work(hbm=1e12, l2=1e12, vector=33e12), "vector"),
    ],
)
def test_a_launch_takes_its_longest_time(work, name):
    assert work.to_json(Rates())["bound"] == name
    assert bound([work, work], Rates()) == pytest.approx(2)


def test_command(tmp_path, capsys):
    out = tmp_path / "roofline.json"
    roofline.main(out, preset=["tiny"])
    assert json.loads(out.read_text())["what"] == "by arithmetic, not measured"
    assert "preset `tiny`" in capsys.readouterr().out
    table.main(out, None)
    assert "not measured" in capsys.readouterr().out
