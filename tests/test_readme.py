"""The README: its Python example runs and what it lists is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import galgen
from galgen import categories
from galgen.categories.treefile import read_tree
from galgen.cli import app
from galgen.training.presets import PRESETS

README = (Path(__file__).parents[1] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Contents of the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_python_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("python")
    exec(compile(example.replace("64, seed=1", "4, seed=1"), "README.md", "exec"), {})
    assert "(4, 3, 64, 64)" in capsys.readouterr().out
    with galgen.CatalogFile("edge-on.fits") as catalog:
        assert len(catalog) == 4


def test_taxonomy_is_the_real_one():
    assert categories.render_tree().rstrip() in README


def test_tree_of_own_categories_is_one(tmp_path):
    (example,) = (block for block in blocks("yaml") if "aliases" in block)
    (tmp_path / "tree.yaml").write_text(example)
    assert read_tree(tmp_path / "tree.yaml").get("early-type/S0").name == "lenticular"


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_the_real_ones(name):
    widths = ", ".join(map(str, PRESETS[name]().model.widths))
    assert re.search(rf"^\| `{name}` \|.*\| {widths} \|", README, re.MULTILINE)


def test_commands_and_options_exist():
    runner, wide = CliRunner(), {"COLUMNS": "200", "TERM": "dumb"}
    for block in blocks("sh"):
        for call in block.replace("\\\n", " ").splitlines():
            match = re.search(r"\bgalgen ((?:[a-z][a-z0-9]* ?)+)(.*)", call.partition("#")[0])
            if not match:
                continue
            words = match[1].split()
            names = words[:2] if words[0] == "export" else words[:1]
            shown = runner.invoke(app, [*names, "--help"], env=wide)
            assert shown.exit_code == 0, call
            for option in re.findall(r"--[a-z-]+", match[2]):
                assert option in shown.output, call
