"""The page and the files of an evaluation: whole, readable, and of nothing but themselves."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from galgen.errors import OutputError
from galgen.evaluation import Evaluation, evaluate, write_report
from galgen.evaluation.page import build_page
from galgen.evaluation.page.pictures import strip
from galgen.evaluation.spaces import Spaces
from tests.real import population, run_info, write_real

VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """A page that is well-formed, with what is in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def attributes(self, name: str) -> list[str]:
        return [a[name] or "" for _, a in self.elements if name in a]


def colours(images_nhwc: np.ndarray) -> dict[str, np.ndarray]:
    """A space of features that takes no time: mean colours, and their scatter."""
    flat = images_nhwc.reshape(len(images_nhwc), -1, 3).astype(float)
    return {"colours": np.concatenate([flat.mean(1), flat.std(1)], 1)}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> Path:
    stamps = population(60, 1)
    path = tmp_path_factory.mktemp("page") / "<b>&.fits"
    return write_real(path, stamps, info=run_info(stamps))


@pytest.fixture(scope="module")
def found(catalog) -> Evaluation:
    spaces = Spaces((colours,), None, ("some: <i>not</i> there.",), {"colours": "1"})
    return evaluate(catalog, population(80, 2), splits=4, spaces=spaces)


@pytest.fixture(scope="module")
def page(found) -> Page:
    return Page(build_page(found))


def test_it_needs_nothing_from_elsewhere(found, page):
    text = build_page(found)
    assert not re.findall(r"(?:src|href|url\()[\"']?\s*=?[\"']?(?!data:|#)https?:", text)
    for where in page.attributes("src"):
        assert where.startswith("data:image/webp;base64,")
    assert all(link.startswith("#") for link in page.attributes("href"))
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.elements}
    assert len(text.encode()) < 5e6


def test_its_links_lead_to_its_sections(page):
    names = {a["id"] for tag, a in page.elements if tag == "section"}
    assert {f"#{name}" for name in names} == set(page.attributes("href"))
    assert names >= {"at-a-glance", "galaxies", "distributions", "planes", "told-apart"}


def test_pictures_and_drawings_are_told_to_those_who_do_not_see_them(page):
    for tag, attributes in page.elements:
        if tag == "img":
            assert attributes["alt"]
        if tag == "svg":
            assert attributes["role"] == "img"
            assert attributes["aria-label"]


def test_names_are_text_and_no_markup(page):
    assert "<b>&.fits" in page.text
    assert "some: <i>not</i> there." in page.text


def test_every_column_and_plane_is_drawn(found, page):
    drawn = sum(tag == "svg" for tag, _ in page.elements)
    report = found.categories[0]
    assert drawn == len(report.columns) + len(report.planes) + len(found.spaces)


def test_most_convincing_galaxies_come_first(found):
    """By the score of a classifier that has not seen them."""
    judged = found.exhibits.judged["galaxy"]
    assert len(judged.scores.generated_n) == len(judged.generated_n) == 60
    assert len(judged.scores.real_m) == len(judged.real_m) == 80


def test_pictures_keep_every_pixel():
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    data = re.search('base64,([^"]*)', strip([images], "noise"))[1]
    back = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))
    np.testing.assert_array_equal(back[:, 10:18, :3], images[1][..., ::-1])
    assert (back[:, 8:10, 3] == 0).all()


def test_a_folder_has_a_page_and_json(found, tmp_path):
    assert write_report(found, tmp_path / "report") == tmp_path / "report" / "index.html"
    assert {p.name for p in (tmp_path / "report").iterdir()} == {"report.json", "index.html"}
    content = json.loads((tmp_path / "report" / "report.json").read_text())
    assert content == json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert content["format"] == 2
    space = content["categories"][0]["two_sample"]["colours"]
    assert set(space["generated"]) == set(space["real"]) == {"auc", "spread", "error"}
    assert content["categories"][0]["features"]["colours"]["frechet"]["generated"] is not None


def test_json_alone(found, tmp_path):
    write_report(found, tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["missing"] == list(found.missing)


def test_what_is_there_is_not_replaced_unasked(found, tmp_path):
    for name in ("report", "a.json"):
        write_report(found, tmp_path / name)
        with pytest.raises(OutputError, match="exists"):
            write_report(found, tmp_path / name)
        write_report(found, tmp_path / name, overwrite=True)
    (tmp_path / "report" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not a folder that was exported before"):
        write_report(found, tmp_path / "report", overwrite=True)
    assert (tmp_path / "report" / "mine.txt").read_text() == "mine"
    with pytest.raises(OutputError, match="no folder"):
        write_report(found, tmp_path / "missing" / "report")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "report"]


def test_a_page_of_a_catalogue_without_stamps(tmp_path):
    stamps = population(30, 3)
    info = replace(run_info(stamps), stamps="none")
    path = write_real(tmp_path / "a.fits", stamps, info=info)
    page = Page(build_page(evaluate(path, population(40, 4), splits=2)))
    names = {a["id"] for tag, a in page.elements if tag == "section"}
    assert not names & {"galaxies", "told-apart", "nearest-neighbours", "fidelity"}
    assert not any(tag == "img" for tag, _ in page.elements)
