"""The comparison with the peers: tiny, with what is installed; it notices what is wrong."""

from __future__ import annotations

import json
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
import torch
import typer

from galgen_kernels.backend import HAS_TRITON

if not HAS_TRITON:
    pytest.skip("Triton has no build for this platform", allow_module_level=True)
if torch.cuda.is_available():
    pytest.skip("these are comparisons on a CPU", allow_module_level=True)

from bench.peers import __main__ as peers
from bench.peers import parts, table
from bench.peers.checks import WrongOutputError, check_stamps
from bench.peers.memory import Watch
from bench.peers.process import Contender
from bench.peers.programs import cubes, galsim_stamps, side
from bench.peers.stage import Stage
from bench.peers.turns import spread, take_turns
from tests.pages import DOCS, ROOT

PARTS = ["float32", "stamps", "galsim", "first", "writing"]
ENOUGH = ["galgen, torch.compile", "galgen, dpmpp", "galgen, 2", "galgen, as"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What a tiny run leaves."""
    folder = tmp_path_factory.mktemp("peers")
    peers.main(folder, PARTS, without=ENOUGH, python=[], tiny=True)
    return folder


@pytest.fixture(scope="module")
def results(folder) -> dict:
    return json.loads((folder / "peers.json").read_text())


def installed(needs: tuple[str, ...]) -> bool:
    try:
        return all(version(name) for name in needs)
    except PackageNotFoundError:
        return False


@pytest.mark.parametrize("name", PARTS)
def test_everybody_is_timed_or_left_out_with_a_reason(results, name):
    part = parts.parts(parts.TINY, Path())[name]
    needs = {contender.name: contender.needs for contender in part.contenders}
    found = results["parts"][name]
    assert found["finished"]
    assert len(found["rows"]) >= 2
    for row in found["rows"]:
        if installed(needs[row["contender"]]):
            assert "left_out" not in row, row
            assert len(row["turns"]) == 1
            assert all(figure["median"] >= 0 for figure in row["figures"].values())
        else:
            assert row["left_out"].endswith("is not installed")
            assert not row["wrong"]


@pytest.mark.parametrize("size", [parts.TINY, parts.Size()], ids=["tiny", "whole"])
def test_rows_have_names_of_their_own_and_programs_exist(size):
    for part in parts.parts(size, Path()).values():
        rows = [(contender.name, way) for contender in part.contenders for way in contender.ways]
        assert len(set(rows)) == len(rows)
        for program in {contender.program for contender in part.contenders} - {"command"}:
            assert Path(parts.__file__).with_name("programs").joinpath(f"{program}.py").exists()


def test_results_name_what_they_depend_on(results):
    assert {"cpu", "cores", "device", "torch", "galgen", "command", "versions"} <= set(results)
    assert results["versions"].get("galsim") == (
        version("galsim") if installed(("galsim",)) else None
    )
    assert results["tiny"]


def test_finished_runs_have_nothing_to_go_on_with(folder, results, capsys):
    peers.main(folder, PARTS, without=ENOUGH, python=[], tiny=True)
    again = json.loads((folder / "peers.json").read_text())
    assert again["parts"] == results["parts"]
    assert len(again["runs"]) == 2
    assert not list(folder.glob("*.fits"))


def test_pieces_of_other_machines_are_not_mixed(folder, tmp_path, results):
    (tmp_path / "peers.json").write_text(json.dumps(results | {"cpu": "Z80"}))
    with pytest.raises(typer.BadParameter, match=r"cpu Z80, now .*: choose another folder"):
        peers.main(tmp_path, ["writing"], tiny=True)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"only": ["speed"]}, "no part speed: there are float32"),
        ({"python": ["galsim=/nowhere"]}, "no interpreter for galsim: '/nowhere'"),
        ({"python": ["galsim"]}, "no interpreter for galsim: ''"),
    ],
)
def test_what_cannot_be_run(tmp_path, given, match):
    with pytest.raises(typer.BadParameter, match=match):
        peers.main(tmp_path, **{"only": ["writing"], "python": [], "tiny": True} | given)


def test_no_turn_begins_after_the_time(tmp_path, capsys):
    peers.main(tmp_path, ["writing"], max_time=0, python=[], without=[], tiny=True)
    assert "time was up" in capsys.readouterr().out
    found = json.loads((tmp_path / "peers.json").read_text())["parts"]["writing"]
    assert not found["finished"]
    assert {len(row["turns"]) for row in found["rows"]} == {0}


class Written(Stage):
    """Writes down whose turn it is."""

    def turn(self, contender, way):
        self.turns = [*getattr(self, "turns", []), contender.name + way]
        return {"seconds": float(len(self.turns))}


def test_turns_alternate_and_the_first_does_not_count(tmp_path):
    stage, rows = Written(tmp_path, {}, {}), []
    players = [Contender("a", "", {"1": {}, "2": {}}), Contender("b", "", {"1": {}})]
    assert len(list(take_turns(players, stage, rows, 2, True, float("inf")))) == 6
    assert stage.turns == ["a1", "a1", "a2", "a2", "b1", "b1", "a1", "a2", "b1"]
    assert [[turn["seconds"] for turn in row["turns"]] for row in rows] == [[2, 7], [4, 8], [6, 9]]
    assert spread(rows[0])["seconds"] == {"median": 4.5, "lowest": 2, "highest": 7}


@pytest.mark.parametrize(
    ("contender", "why"),
    [
        (Contender("x", "no_such_program", {"": {}}), "No module named"),
        (Contender("x", "galsim_stamps", {"": {}}, limit=0), "not ready after 0 s"),
        (Contender("x", "galsim_stamps", {"": {}}, ("no-such-peer",)), "is not installed"),
        (Contender("x", "galsim_stamps", {"": {}}, settings={"cores": "many"}), "TypeError"),
    ],
)
def test_left_out(tmp_path, contender, why):
    rows = []
    with Stage(tmp_path, {}, {}) as stage:
        list(take_turns([contender], stage, rows, 1, True, float("inf")))
    assert why in rows[0]["left_out"]
    assert not rows[0]["wrong"]


def stamps(n: int = 3) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, 3, 64, 64)).astype(np.float32)


def test_right_stamps_pass(tmp_path):
    cubes.write(tmp_path / "a.fits", stamps())
    mean = float(stamps().mean(dtype=np.float64))
    check_stamps(tmp_path / "a.fits", 3, {"mean": mean})
    with pytest.raises(WrongOutputError, match="mean"):
        check_stamps(tmp_path / "a.fits", 3, {"mean": mean + 0.01})
    with pytest.raises(WrongOutputError, match="shapes"):
        check_stamps(tmp_path / "a.fits", 4, {})


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda s: np.where(np.arange(64) == 5, np.nan, s), "pixels"),
        (lambda s: np.zeros_like(s), "pixels"),
        (lambda s: s[..., :32], "shapes"),
    ],
    ids=["not finite", "nothing", "cut"],
)
def test_wrong_stamps_do_not(tmp_path, spoil, what):
    cubes.write(tmp_path / "a.fits", spoil(stamps()))
    with pytest.raises(WrongOutputError, match=what):
        check_stamps(tmp_path / "a.fits", 3, {})


def test_fluxes_of_galsim_are_its_truth(tmp_path):
    pytest.importorskip("galsim")
    stamps_nbhw, flux_nb = galsim_stamps.galaxies(0, 8)
    told = {"noise": galsim_stamps.NOISE}
    for factor, right in ((1.0, True), (1.2, False)):
        names = [f"FLUX_{band}" for band in cubes.BANDS]
        truth = np.rec.fromarrays(factor * flux_nb.T, names=names)
        cubes.write(tmp_path / "a.fits", stamps_nbhw, truth)
        if right:
            check_stamps(tmp_path / "a.fits", 8, told)
        else:
            with pytest.raises(WrongOutputError, match="FLUX_g of"):
                check_stamps(tmp_path / "a.fits", 8, told)


@pytest.mark.parametrize("way", parts.BOTH_WAYS)
def test_both_ways_make_each_stamp_once(way):
    threads, sizes = torch.get_num_threads(), []
    try:
        found = side.make_all(lambda _, n: sizes.append(n) or np.full(n, n), 11, 4, way)
    finally:
        torch.set_num_threads(threads)
    assert sorted(sizes) == [3, 4, 4]
    assert found.tolist() == [4] * 8 + [3] * 3


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="marks are kept by Linux")
def test_memory_of_a_process():
    begun = perf_counter()
    with Watch(os.getpid()) as watch:
        np.ones(50 << 17).sum()  # 50 MiB
    assert watch.mib > 50
    assert perf_counter() - begun < 5


def test_peers_get_the_better_of_their_ways_and_ratios_are_of_flops():
    def row(contender: str, way: str, gflops: float) -> dict:
        figures = {name: {"median": gflops} for name in ("gflops", "evaluations_per_second")}
        return {"contender": contender, "way": way, "figures": figures, "turns": [{}]}

    rows = [
        row("galgen", "one core", 99),
        row("galgen", "lanes", 30),
        row("diffusers, one layer", "lanes", 10),
        row("diffusers, one layer", "threads", 20),
        row("diffusers, cells", "lanes", 60),
    ]
    results = {"parts": {"float32": {"rows": rows}}}
    assert "1.50 of the fastest on pixels in float32, 0.50" in table.ratios(results)
    assert "| diffusers, one layer | not measured yet | 20.0 |" in table.networks(results)


def test_tables(results):
    text = table.markdown(results)
    assert "| galgen |" in text
    assert "is not installed" in text or installed(("diffusers",))
    for part in ("float32", "stamps", "galsim", "first", "writing"):
        for name in table.contenders(results, part):
            assert name.split(",")[0] in text or part == "writing"


def test_a_million_is_extrapolated_along_the_last_two():
    def row(n: int, seconds: float) -> dict:
        return {"way": f"n = {n:,}", "figures": {"seconds": {"median": seconds}}}

    rows = [row(100, 9.0), row(1000, 10.0), row(10_000, 100.0)]
    assert table.extrapolated(rows) == "2.78"  # 100 s + 990,000 of 10 ms
    assert table.extrapolated(rows[:1]) == "not measured yet"


@pytest.mark.parametrize(("value", "text"), [(0.1234, "0.123"), (12.34, "12.3"), (1234.5, "1,234")])
def test_numbers(value, text):
    assert table.number(value) == text


def test_page_has_the_tables_of_the_results(tmp_path, results):
    """What is committed is what is quoted; the marks are there to be filled."""
    page, path = DOCS / "performance.md", ROOT / "bench" / "results" / "peers.json"
    copy = tmp_path / "page.md"
    copy.write_text(page.read_text())
    if path.exists():
        table.main(path, copy)
        assert copy.read_text() == page.read_text()
    (tmp_path / "peers.json").write_text(json.dumps(results))
    table.main(tmp_path / "peers.json", copy)
    assert table.markdown(results) in copy.read_text()
    copy.write_text("no marks")
    with pytest.raises(typer.BadParameter, match="has no <!-- peers"):
        table.main(tmp_path / "peers.json", copy)
