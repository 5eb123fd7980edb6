"""The command that renews the figures of weights, and the blind sheet: their pieces."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import typer

from bench import blind_sheet
from bench.evaluate_weights import as_many_of_each, mixture_of, table_of
from galgen import load_model
from galgen.data import split
from galgen.evaluation import evaluate
from galgen.evaluation.spaces import NO_SPACES
from galgen.generate.sampling import Sampling
from galgen.training.config import TrainConfig
from tests.real import fixture_stamps, population, write_real


def test_mixtures_of_real_galaxies():
    stamps = fixture_stamps()
    weights = dict(part.split(":") for part in mixture_of(stamps).split(","))
    assert sum(map(int, weights.values())) == 24
    assert set(as_many_of_each(stamps).split(",")) == {
        f"{name}:1" for name in weights
    }  # few of any
    many = replace(stamps, category=np.where(np.arange(24) < 20, 6, 1).astype(np.int16))
    assert as_many_of_each(many) == f"{stamps.tree.get(6).name}:1"


def test_tables_of_pages(tmp_path):
    path = write_real(tmp_path / "a.fits", population(40, 1))
    found = evaluate(path, population(60, 2), splits=2, neighbours=0, spaces=NO_SPACES)
    head, _, row = table_of(found).splitlines()
    assert head.startswith("| category | mean | g-r | r-i | r50 |")
    assert row.startswith(f"| galaxy | {found.categories[0].mean:.2f} |")


def test_a_blind_sheet_asks_for_what_the_real_ones_are(tmp_path):
    real = fixture_stamps()
    blind_sheet.write_table(tmp_path / "asked.csv", real)
    rows = list(csv.DictReader((tmp_path / "asked.csv").read_text().splitlines()))
    assert [row["category"] for row in rows] == [real.tree.get(int(c)).name for c in real.category]
    assert {"half_light_radius_pix", "axis_ratio", "color_g_r", "color_r_i"} < set(rows[0])


def test_a_galaxy_is_made_for_each_real_one(tiny_weights):
    real = fixture_stamps().select(slice(3))
    sampling = Sampling(steps=1, micro_batch=4)
    made = blind_sheet.generate_like(load_model(tiny_weights, "cpu"), real, 0, sampling)
    assert made.shape == (3, 32, 32, 3)


def test_a_blind_sheet_has_every_galaxy_under_its_number():
    images = np.full((10, 6, 6, 3), 200, np.uint8)
    sheet = np.asarray(blind_sheet.draw(images, scale=2))
    side, label, gap = 12, blind_sheet.LABEL, blind_sheet.GAP
    assert sheet.shape == (2 * (side + label + gap) - gap, 8 * (side + gap) - gap, 3)
    assert (sheet[label : label + side, :side] == 200).all()
    second = sheet[side + label + gap + label :]
    assert (second[:, side + gap : 2 * side + gap] == 200).all()
    assert not (second[:, 2 * (side + gap) :] == 200).any()


def test_only_galaxies_that_were_held_out_are_shown():
    stamps = population(400, 1)
    chosen = blind_sheet.choose(stamps, "galaxy", 5, 0)
    _, held_out = split(stamps, TrainConfig.validation)
    assert set(chosen.ids) < set(held_out.ids)
    assert set(blind_sheet.choose(stamps, "galaxy", 5, 1).ids) != set(chosen.ids)
    with pytest.raises(typer.BadParameter, match="held-out galaxies of spiral"):
        blind_sheet.choose(stamps, "spiral", 5, 0)


def test_answers_are_counted():
    key = ["generated", "real", "real"]
    assert blind_sheet.count_right(key, ["g", "real", "Gen"]) == 2
    with pytest.raises(typer.BadParameter, match="2 answers to 3"):
        blind_sheet.count_right(key, ["g", "r"])
