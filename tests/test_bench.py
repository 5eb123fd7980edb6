"""The benchmarks run on a CPU too, at tiny shapes, and notice what they are there to notice."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import typer

from galgen_kernels.backend import HAS_TRITON

if not HAS_TRITON:
    pytest.skip("Triton has no build for this platform", allow_module_level=True)
if torch.cuda.is_available():
    pytest.skip("bench/first_gpu.sh runs all of this, and more", allow_module_level=True)

from bench import (
    bench_denoiser,
    bench_mass,
    bench_network,
    cases,
    ceilings,
    large_file,
    measure_compression,
    numerics,
    tune_kernels,
)
from bench.command import CommandError, mass_seconds
from galgen.training.presets import PRESETS
from galgen_kernels.launching import tuned
from galgen_kernels.ops.attention_fusion.fused import Tile, forms
from tests.real import fixture_stamps, write_real

ROOT = Path(__file__).parents[1]


def test_numerics(tmp_path) -> None:
    out = tmp_path / "numerics.json"
    numerics.main(out, preset=["tiny"])
    found = json.loads(out.read_text())
    assert found["ok"]
    assert {"device", "torch", "triton", "date", "command"} <= set(found)
    kernels = {row["kernel"].split()[0] for row in found["checks"]}
    wanted = {"group_norm_silu", "attention_fusion", "linear_combination", "stamps_to_fits"}
    assert kernels == wanted | {"flood"}
    forms = {row["tile"]["form"] for row in found["checks"] if "tile" in row}
    assert forms == {"whole", "attention"}


def test_numerics_notice_what_is_not_written(tmp_path, monkeypatch) -> None:
    """A kernel that skips its last image: what torch hands out is poisoned."""

    def forgetful(x_nhwc, *rest):
        right = cases.norm_reference(x_nhwc, *rest)
        out = [torch.empty_like(t) for t in right]
        for mine, theirs in zip(out, right, strict=True):
            mine[:-1] = theirs[:-1]
        return out

    monkeypatch.setattr(cases, "norm_launch", forgetful)
    stage = cases.stages(["tiny"])[-1]
    checks = [("forgetful", numerics.check_group_norm_silu(stage, 2, torch.float16))]
    monkeypatch.setattr(numerics, "checks", lambda presets: iter(checks))
    out = tmp_path / "numerics.json"
    with pytest.raises(typer.Exit) as end:
        numerics.main(out, preset=["tiny"])
    assert end.value.exit_code == 1
    rows = json.loads(out.read_text())["checks"]
    assert all(math.isnan(row["max_abs_error"]) for row in rows)


def test_numerics_notice_a_crash(monkeypatch) -> None:
    def broken():
        raise RuntimeError("out of resources")
        yield

    monkeypatch.setattr(numerics, "checks", lambda presets: iter([("broken", broken())]))
    with pytest.raises(typer.Exit):
        numerics.main(None, preset=["tiny"])


def test_numerics_notice_one_wrong_number_in_a_million() -> None:
    right = torch.randn(1000, 1000, generator=torch.Generator().manual_seed(0))
    wrong = right.clone()
    wrong[500, 500] += 1
    tolerance = numerics.rounding(torch.bfloat16)
    assert numerics.compare(right, right, tolerance)["ok"]
    assert numerics.compare(right.bfloat16(), right, tolerance)["ok"]
    assert not numerics.compare(wrong, right, tolerance)["ok"]
    assert not numerics.compare(right[:1], right, tolerance)["ok"]


def test_shapes_of_the_presets() -> None:
    """The stages are those of the networks, and all that share a tile have windows alike."""
    for name, preset in PRESETS.items():
        model = preset().model
        stages = cases.stages([name])
        sides = [cases.SIZE // model.patch // 2**level for level in range(3)]
        shapes = [(stage.side, stage.channels) for stage in stages]
        assert shapes == list(zip(sides, model.widths, strict=True))
    groups = tune_kernels.groups(["paper", "fast", "small"])
    assert set(groups) == {"64x64", "128x64", "256x64", "96x64", "192x64", "256x16"}
    assert [str(stage) for stage in groups["96x64"]] == ["fast-96x32x32"]


@pytest.mark.parametrize("key", ["64x64", "128x64", "256x64", "96x64", "192x64", "256x16"])
def test_candidates(key) -> None:
    stages = tune_kernels.groups(["paper", "fast", "small"])[key]
    found = tune_kernels.candidates(stages)
    channels, cells = (int(number) for number in key.split("x"))
    assert {tile.form for tile in found} == {"whole", "attention"}
    assert set(forms(channels, cells)) <= set(found)
    for tile in found:
        assert channels % tile.step == 0
        assert any(stage.windows % tile.windows == 0 for stage in stages)
        assert all(stage.windows % cases.fit(tile, stage).windows == 0 for stage in stages)


def test_what_is_best_on_paper_is_timed_first() -> None:
    """For 96 channels that is the attention form, two windows reading the weights once."""
    for stages in tune_kernels.groups(["fast"]).values():
        found = tune_kernels.candidates(stages)
        times = [tune_kernels.at_best(stages, tile) for tile in found]
        assert times == sorted(times)
    first = tune_kernels.candidates(tune_kernels.groups(["fast"])["96x64"])[0]
    assert (first.form, first.windows) == ("attention", 2)


def test_choice_is_the_fastest_everywhere_together() -> None:
    """Twice as fast on one map weighs as much as half as fast on another, whatever their sizes."""
    small, large = cases.stages(["paper"])[::2]
    whole, attention = Tile("whole"), Tile("attention")
    times = {(whole, small): 1e-6, (whole, large): 2.0, (attention, small): 2.2e-6}
    times[attention, large] = 1.0
    timings = [
        tune_kernels.Timing(stage, 1, tile, seconds, None)
        for (tile, stage), seconds in times.items()
    ]
    assert tune_kernels.choose(timings) == whole  # sqrt(2) against sqrt(2.2)


def test_tuning_writes_what_kernels_read(tmp_path, monkeypatch) -> None:
    out = tmp_path / "tuned.json"
    tune_kernels.main(out, preset=["tiny"])
    written = json.loads(out.read_text())
    assert len(written["timings"]) == 6  # two tiles at three maps
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("GALGEN_TUNED", str(out))
    tuned._table.cache_clear()
    try:
        for key, choice in written["choices"]["attention_fusion"].items():
            assert tuned.tuned("attention_fusion", key, Tile) == Tile(**choice)
    finally:
        tuned._table.cache_clear()


def test_tuning_leaves_out_what_is_wrong_or_fails(monkeypatch) -> None:
    right, wrong, failing = (Tile("whole", step=32, num_stages=n) for n in (1, 2, 3))
    launch = cases.fusion_launch

    def sometimes(operands, tile, *, shifted):
        if tile == failing:
            raise RuntimeError("out of resources")
        call = launch(operands, tile, shifted=shifted)
        return call if tile == right else lambda: call() + 1

    monkeypatch.setattr(cases, "fusion_launch", sometimes)
    stages = cases.stages(["tiny"])[-1:]
    rows = tune_kernels.faulty("32x16", stages, [right, wrong, failing])
    assert rows[0]["why"].startswith("relative error")
    assert rows[1]["why"] == "RuntimeError: out of resources"
    assert tune_kernels.without([right, wrong, failing], rows, "32x16") == [right]
    assert tune_kernels.without([wrong], rows, "32x64") == [wrong]


def test_nothing_to_tune_for() -> None:
    with pytest.raises(typer.BadParameter, match="no GPU"):
        tune_kernels.main(preset=["tiny"])


def test_ceilings(tmp_path) -> None:
    out = tmp_path / "ceilings.json"
    ceilings.main(out)
    found = json.loads(out.read_text())["ceilings"]
    assert all(rate > 0 for rate in found.values())


def test_denoiser(tmp_path) -> None:
    out = tmp_path / "denoiser.json"
    bench_denoiser.main(out, preset=["tiny"], batch=[1, 2], compiled_batch=[])
    rows = json.loads(out.read_text())["evaluations"]
    assert [row["batch"] for row in rows] == [1, 2]
    assert all(row["relative_error"] < 0.05 for row in rows)
    bench_denoiser.main(out, preset=["tiny"], batch=[1], compiled_batch=[2], seconds=0)
    rows = json.loads(out.read_text())["evaluations"]
    assert [row["left_out"] for row in rows] == ["no time"] * 2


def test_operations_of_the_shipped_network() -> None:
    """docs/training.md says 1.86 GFLOP per evaluation."""
    assert bench_denoiser.flops_per_image("small") == pytest.approx(1.86e9, rel=5e-3)


def test_speedup_is_over_the_compiled_network() -> None:
    names = {"eager": 9.0, "compiled": 4.0, "fused": 2.0, "fused, compiled": 1.6}
    rows = [{"preset": "p", "batch": 1, "contender": n, "seconds": s} for n, s in names.items()]
    rows += [{"preset": "p", "batch": 2, "contender": "compiled", "left_out": "no time"}]
    assert bench_denoiser.speedups(rows) == [{"preset": "p", "batch": 1, "over_compiled": 2.5}]


def test_mass(tmp_path, monkeypatch) -> None:
    """Whole commands; nothing large is left behind."""
    monkeypatch.setattr(bench_mass, "GALAXIES", [2, 4])
    out = tmp_path / "mass.json"
    bench_mass.main(tmp_path / "made", out, preset=["tiny"], batch=[2], lanes=[2, 1])
    runs = json.loads(out.read_text())["runs"]
    assert [run["lanes"] for run in runs] == [2, 1]
    assert all(run["galaxies"] == [2, 4] and len(run["seconds"]) == 2 for run in runs)
    assert not list((tmp_path / "made").glob("*.fits"))


def test_command_that_fails(tmp_path) -> None:
    with pytest.raises(CommandError, match="exit code 2"):
        mass_seconds(tmp_path / "cat.fits", 1, 1, "--no-such-option")


def test_compression(tmp_path) -> None:
    stamps = fixture_stamps().select(slice(8))
    write_real(tmp_path / "cat.fits", stamps)
    measure_compression.main(tmp_path / "cat.fits", tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())["settings"]
    assert list(found) == ["q = 4", "q = 8", "q = 16", "q = 32", "lossless"]
    assert found["q = 4"]["ratio"] > found["q = 16"]["ratio"] > found["lossless"]["ratio"] > 1
    assert found["lossless"]["rms_error_over_sky_noise"] == {"g": 0, "r": 0, "i": 0}
    assert set(found["lossless"]["changes"]["COLOR_G_R"].values()) == {0}
    assert found["q = 4"]["changes"]["FLUX_R"]["median"] > 0


def test_large_file(tmp_path) -> None:
    """Small here."""
    out = tmp_path / "large.json"
    large_file.main(tmp_path, galaxies=1100, out=out)
    found = json.loads(out.read_text())
    assert found["last_stamp_is_right"]
    assert found["accepted_by"]["fitsio"]
    assert not (tmp_path / "large.fits").exists()


def test_kill_test(tmp_path) -> None:
    """In a process without threads, whose children are killed."""
    out = tmp_path / "kills.json"
    words = ["bench.kill_test", tmp_path, "--kills", 2, "--galaxies", 40, "--out", out]
    words += ["--only", "mass int16", "--only", "cat"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    words = [sys.executable, "-m", *map(str, words)]
    subprocess.run(words, check=True, cwd=ROOT, env=environment)
    found = json.loads(out.read_text())
    assert found["kills"] >= 2
    assert found["identical"] == found["runs"] > 0
    assert found["half_files"] == 0


def test_network_without_what_it_is_compared_with(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setattr(bench_network.importlib.util, "find_spec", lambda name: None)
    bench_network.main(tmp_path / "out.json")
    assert "diffusers is not installed" in capsys.readouterr().out
    assert not (tmp_path / "out.json").exists()


def test_network_ratios() -> None:
    """Over the best of diffusers: on pixels only, and with those that are fed cells."""
    same = {"dtype": "float32", "batch": 8, "cores": "one core"}
    rates = {
        "galgen": 30.0,
        "diffusers a": 10.0,
        "diffusers b": 20.0,
        "diffusers c, 4x4 cells": 60.0,
    }
    rows = [same | {"contender": name, "gflops": rate} for name, rate in rates.items()]
    rows.append(same | {"batch": 32, "contender": "diffusers a", "gflops": 99.0})
    expected = same | {"over_diffusers": 1.5, "over_diffusers_on_cells": 0.5}
    assert bench_network.ratios(rows) == [expected]


def test_network_takes_turns() -> None:
    """The first round warms up."""
    called = []
    clocks = {(name, ""): lambda name=name: called.append(name) or len(called) for name in "ab"}
    assert bench_network.in_turns(clocks, 2) == {("a", ""): [3, 5], ("b", ""): [4, 6]}
    assert "".join(called) == "ababab"
