"""How generated galaxies are mixed in with real ones, and how two arms are compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.augmentation import Trial, tell_of
from bench.mixed_in import ARMS, REAL_ALONE, Arm, generated, minorities, wanted
from galgen import load_model
from galgen.categories import DEFAULT, get
from galgen.data import concatenate
from galgen.data.draws import balanced_weights
from galgen.data.stamps import bin_to_size
from galgen.evaluation.classes import Classes
from galgen.evaluation.classifier import ClassifierConfig
from galgen.generate.sampling import Sampling
from tests.real import fixture_stamps

ROUND, SPIRAL, BARRED, TIGHT = (get(n).code for n in ("round", "spiral", "barred", "tight"))
LABEL_N = np.repeat([ROUND, SPIRAL, BARRED, TIGHT], [40, 30, 4, 10])
CLASSES = Classes.of(DEFAULT, LABEL_N)  # round, barred and tight


def test_minorities_are_filled_up_to_the_median_class() -> None:
    assert minorities(CLASSES, LABEL_N) == [BARRED]
    assert wanted(CLASSES, LABEL_N, 5) == {ROUND: 5, SPIRAL: 5, BARRED: 6, TIGHT: 5}
    one_n = np.repeat([ROUND, BARRED, TIGHT], [40, 1, 10])
    assert wanted(CLASSES, one_n, 0)[BARRED] == 3


@pytest.mark.parametrize("name", ARMS)
def test_draws(name) -> None:
    """Labels are drawn as often as without generated galaxies, unless these are just added."""
    label_n = np.concatenate([LABEL_N, np.repeat([ROUND, BARRED], [5, 6])])
    made_n = np.arange(len(label_n)) >= len(LABEL_N)
    draw_n = ARMS[name].draws(label_n, made_n, [BARRED], 0.5)
    assert draw_n.sum() == pytest.approx(1)
    alone = balanced_weights(LABEL_N, 0.5)
    share = {c: draw_n[label_n == c].sum() for c in (ROUND, BARRED)}
    made = {c: draw_n[(label_n == c) & made_n].sum() / share[c] for c in (ROUND, BARRED)}
    if name == REAL_ALONE:
        np.testing.assert_allclose(draw_n[~made_n], alone)
    if name == "minorities, added":
        assert share[BARRED] > 1.3 * alone[LABEL_N == BARRED].sum()
        assert made == {ROUND: 0, BARRED: pytest.approx(0.6)}
    else:
        for code, value in share.items():
            assert value == pytest.approx(alone[code == LABEL_N].sum())
    if name == "all, a quarter":
        assert list(made.values()) == pytest.approx([0.25, 0.25])


def test_generated_galaxies_join_real_ones(tiny_weights, tmp_path) -> None:
    """8-bit stamps of the label, of the size of the real ones; known the second time."""
    model, real = load_model(tiny_weights), fixture_stamps()
    real = replace(real, pixels=bin_to_size(real.pixels, model.checkpoint.size)[0])
    arguments = model, real, SPIRAL, 3, Sampling(steps=2), tmp_path
    made = generated(*arguments)
    assert made.pixels.dtype == np.uint8
    assert made.pixels.shape == (3, *real.pixels.shape[1:])
    assert made.category.tolist() == [SPIRAL] * 3
    assert len(concatenate([real, made])) == len(real) + 3
    (kept,) = tmp_path.iterdir()
    written = kept.stat().st_mtime_ns
    np.testing.assert_array_equal(generated(*arguments).pixels, made.pixels)
    assert kept.stat().st_mtime_ns == written


def test_one_arm_against_another(tmp_path) -> None:
    stamps = fixture_stamps()
    classes = Classes.of(stamps.tree, stamps.category)
    made_n = np.arange(len(stamps)) % 3 == 2  # as if they had been generated
    few = [code for code in classes.codes if code != ROUND]
    config = ClassifierConfig(widths=(8,), steps=4, batch=8)
    trial = Trial(stamps, made_n, classes, few, {"held_out": stamps}, config, tmp_path)
    said_sn = trial.said(Arm("minorities", 0.5), 2, "held_out")
    assert said_sn.shape == (2, len(stamps))
    np.testing.assert_array_equal(trial.said(Arm("minorities", 0.5), 2, "held_out"), said_sn)
    assert len(list(tmp_path.iterdir())) == 2  # the second time they were known
    assert trial.difference("held_out", said_sn, said_sn)["all"] == {
        "difference": 0.0,
        "low": 0.0,
        "high": 0.0,
    }
    right_sn = np.tile(stamps.category, (2, 1))
    right_sn[right_sn == SPIRAL] = BARRED  # may be
    found = trial.summary("held_out", right_sn)
    assert found["agree"] == 1.0
    better = trial.difference("held_out", right_sn, said_sn)
    assert better["all"]["low"] <= better["all"]["difference"] <= better["all"]["high"]
    results = {
        "real": {"round-smooth": 2},
        "generated": {"round-smooth": 1},
        "chosen": "all, a quarter",
        "held_out": {
            "real": trial.summary("held_out", said_sn),
            "real_and_generated": found,
            "difference": better,
        },
    }
    told = tell_of(results).splitlines()
    assert told[2].startswith("| round-smooth | 2 | 1 | ")
    assert told[2].endswith(" | 1.000 |")
