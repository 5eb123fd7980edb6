"""The README and the pages: their commands run or exist, and what they list is what there is."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest
import typer
import yaml

import galgen
from galgen import categories
from galgen.catalog.format.schema import catalog_columns
from galgen.categories.treefile import read_tree
from galgen.cli import app
from galgen.errors import MissingPackageError
from galgen.training.presets import PRESETS
from tests.pages import (
    DOCS,
    MOST,
    PAGES,
    README,
    ROOT,
    blocks,
    galgen_commands,
    links,
    made_small,
    name_of,
    skipped_without_its_package,
    spans,
)
from tests.pages import anchors as anchors_of

EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=name_of)
NOT_RESULTS = {
    *("config.json", "galgen.json", "labels.csv", "loss.csv", "report.json", "resources.json"),
    "run.json",
}


@pytest.mark.parametrize("page", [README, DOCS / "tutorial.md", DOCS / "scenes.md"], ids=name_of)
def test_commands_and_python_run_in_order(page, galgen, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    done, session = 0, {}  # blocks of Python go on where the one before ended
    for language, text in blocks(page, "sh", "python"):
        if language == "python":
            few = f"{MOST}, seed=1, sampling=galgen.Sampling(steps=2, micro_batch={MOST})"
            exec(compile(text.replace("64, seed=1", few), page.name, "exec"), session)
            assert capsys.readouterr().out
            done += 1
            continue
        for words in galgen_commands(text):
            code, out, err = galgen(*made_small(words))
            assert code == 0, (words, err)
            assert out, words
            done += 1
    assert done >= 3


def test_the_two_commands_are_there_word_for_word():
    text = README.read_text()
    assert "\npip install . && galgen mass --category spiral --n 100 --out spirals.fits\n" in text
    assert "\npip install '.[test]' && pytest -n auto --dist loadfile\n" in text


def command(words: list[str]) -> tuple[object, list[str]]:
    """The command that words name, and the words behind its name."""
    found = typer.main.get_command(app)
    while words and hasattr(found, "commands"):
        name, *words = words
        found = found.commands[name]
    return found, words


@EACH_PAGE
def test_commands_are_what_the_command_line_takes(page):
    for _, text in blocks(page, "sh"):
        for words in galgen_commands(text):
            found, rest = command(words)
            found.make_context(found.name, rest)  # refuses what is unknown, missing or no number
    for span in spans(page):
        if not span.startswith("galgen ") or "--help" in span:
            continue
        words = re.sub(r"[\[\]]", "", span).split()[1:]
        names = [word for word in words if re.fullmatch("[a-z][a-z0-9-]*", word)][:2]
        if not names:  # of no command, such as galgen --version
            assert set(words) <= {"--version", "--install-completion"}
            continue
        found, _ = command(names if names[0] == "export" else names[:1])
        options = {option for parameter in found.params for option in parameter.opts}
        for option in re.findall(r"--[a-z-]+", span):
            assert option in options, span


@EACH_PAGE
def test_what_python_imports_is_there(page):
    for _, text in blocks(page, "py", "python"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                with skipped_without_its_package():
                    exec(compile(ast.Module([node], []), page.name, "exec"), {})


@EACH_PAGE
def test_links_lead_somewhere(page):
    for target in links(page):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors_of(there), target


@EACH_PAGE
def test_results_that_are_named_are_there(page):
    for span in spans(page):
        name = Path(span).name
        if re.fullmatch(r"[\w-]+\.(json|csv)", name) and name not in NOT_RESULTS:
            assert (ROOT / "bench" / "results" / name).exists(), span


@EACH_PAGE
def test_names_of_python_are_there(page):
    for span in spans(page):
        if not re.fullmatch(r"galgen(_kernels)?(\.\w+)+", span) or Path(span).suffix == ".json":
            continue
        parts = span.split(".")
        for cut in range(len(parts), 0, -1):
            try:
                found = importlib.import_module(".".join(parts[:cut]))
            except ModuleNotFoundError:
                continue
            except MissingPackageError:  # it is there, and what it needs is not
                parts = parts[:cut]
            break
        for name in parts[cut:]:
            found = getattr(found, name)


def test_taxonomy_is_the_real_one():
    assert categories.render_tree().rstrip() in (DOCS / "categories.md").read_text()


@pytest.mark.parametrize("category", categories.CATEGORIES, ids=lambda category: category.name)
def test_categories_of_others_are_the_real_ones(category):
    row = re.search(rf"^\| `{category.name}` \|.*$", (DOCS / "categories.md").read_text(), re.M)
    number, paper = categories.to_galaxy10(category), categories.to_paper(category)
    assert (row is None) == (number is None)
    if row is not None:
        _, _, galaxy10, theirs, _ = (cell.strip() for cell in row[0].split("|"))
        assert galaxy10.startswith(f"{number}, ")
        assert theirs == (paper or "")


def test_tree_of_own_categories_is_one(tmp_path):
    (example,) = (text for _, text in blocks(DOCS / "categories.md", "yaml"))
    (tmp_path / "tree.yaml").write_text(example)
    assert read_tree(tmp_path / "tree.yaml").get("early-type/S0").name == "lenticular"


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_the_real_ones(name):
    widths = ", ".join(map(str, PRESETS[name]().model.widths))
    text = (DOCS / "training.md").read_text()
    assert re.search(rf"^\| `{name}` \|.*\| {widths} \|", text, re.MULTILINE)


def test_columns_are_the_real_ones():
    named = set(spans(DOCS / "files.md"))
    for column in catalog_columns("gri", "adu"):
        assert column.name in named


def test_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == galgen.__version__
    assert {"message", "title", "authors"} <= set(citation)
    (paper,) = citation["references"]
    assert {"type", "title", "authors"} <= set(paper)
    assert paper["title"] in " ".join(README.read_text().split())
