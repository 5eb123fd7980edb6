"""A small classifier, trained on the real galaxies of the fixture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from galgen import categories
from galgen.data import StampSet
from galgen.errors import DataError, InvalidValueError
from galgen.evaluation.classes import agree
from galgen.evaluation.classifier import ClassifierConfig, train_classifier
from tests.real import fixture_stamps

QUICK = ClassifierConfig(widths=(8, 16, 32), steps=150, batch=16, learning_rate=0.02)
BRIEF = replace(QUICK, steps=10)  # where nothing has to be learned well


@pytest.fixture(scope="module")
def stamps() -> StampSet:
    return fixture_stamps()


@pytest.fixture(scope="module")
def classifier(stamps):
    return train_classifier(stamps, 1, QUICK)


@pytest.fixture(scope="module")
def brief(stamps):
    return train_classifier(stamps, 1, BRIEF)


def test_it_learns(stamps, classifier):
    """What it has seen, in any orientation; chance gets one of ten right."""
    turned = np.rot90(stamps.pixels, 1, (1, 2))[:, ::-1]
    for images in (stamps.pixels, turned):
        right = agree(stamps.tree, stamps.category, classifier.predict(images))
        assert right.mean() > 0.7


def test_probabilities_and_features(stamps, classifier):
    p_nk = classifier.probabilities(stamps.pixels)
    assert p_nk.shape == (len(stamps), len(classifier.classes.codes))
    np.testing.assert_allclose(p_nk.sum(1), 1, atol=1e-5)
    codes = np.array(classifier.classes.codes)
    np.testing.assert_array_equal(classifier.predict(stamps.pixels), codes[p_nk.argmax(1)])
    assert classifier.features(stamps.pixels).shape == (len(stamps), QUICK.widths[-1])


def test_orientation_does_not_matter(stamps, classifier):
    features = classifier.features(stamps.pixels)
    turned = classifier.features(np.rot90(stamps.pixels, 3, (1, 2))[:, :, ::-1])
    np.testing.assert_allclose(turned, features, atol=1e-4 * features.max())


def test_a_seed_gives_one_classifier(stamps, brief):
    again, other = (train_classifier(stamps, seed, BRIEF) for seed in (1, 2))
    p_nk = brief.probabilities(stamps.pixels)
    np.testing.assert_array_equal(again.probabilities(stamps.pixels), p_nk)
    assert not np.allclose(other.probabilities(stamps.pixels), p_nk, atol=0.01)


@pytest.mark.parametrize(
    "cut",
    [np.s_[:, 10:51, 10:51], np.s_[:, :48, :, :2], np.s_[..., :1], np.s_[..., [0, 1, 2, 2, 1]]],
    ids=["odd size", "no square", "one band", "five bands"],
)
def test_other_sizes_and_bands(stamps, cut):
    pixels = np.ascontiguousarray(stamps.pixels[cut])
    bands = tuple("ugriz"[: pixels.shape[-1]])
    other = replace(stamps, pixels=pixels, bands=bands, lupton=None)
    found = train_classifier(other, 0, replace(QUICK, steps=2))
    assert found.predict(pixels).shape == (len(stamps),)
    with pytest.raises(InvalidValueError, match="number of bands"):
        found.predict(np.zeros((1, 64, 64, 7), np.uint8))


def test_labels_above_several_classes_teach(stamps):
    """Spirals of which no more is known are known to be spirals, and no kind of them is made up."""
    names = [stamps.tree.nodes[code].name for code in stamps.category]
    few = stamps.select([i for i, n in enumerate(names) if "spiral" in n or "smooth" in n])
    spiral = few.category == categories.get("spiral").code
    assert spiral.any()
    found = train_classifier(few, 0, QUICK)
    assert "spiral" not in found.classes.names
    at = [i for i, name in enumerate(found.classes.names) if name.endswith("spiral")]
    assert found.probabilities(few.pixels[spiral])[:, at].sum(1).mean() > 0.7


def test_galaxies_that_nothing_is_known_of_are_left_out(stamps, brief):
    """They do not change what is learned from the others."""
    code = np.append(stamps.category, np.zeros(3, np.int16))
    ids = np.append(stamps.ids, ["x", "y", "z"])
    pixels = np.concatenate([stamps.pixels, stamps.pixels[:3]])
    more = StampSet(pixels, "display", stamps.bands, code, ids)
    found = train_classifier(more, 1, BRIEF)
    np.testing.assert_array_equal(
        found.probabilities(stamps.pixels), brief.probabilities(stamps.pixels)
    )


def test_images_without_light():
    code_n = np.resize([1, 5], 8).astype(np.int16)
    black = np.zeros((8, 8, 8, 3), np.uint8)
    ids = np.arange(8).astype(str)
    found = train_classifier(StampSet(black, "display", ("g", "r", "i"), code_n, ids), 0, BRIEF)
    assert np.isfinite(found.probabilities(black)).all()


def test_flux_is_refused(stamps):
    flux = replace(stamps, pixels=stamps.flux().numpy(), native="flux", lupton=None)
    with pytest.raises(DataError, match="8-bit images"):
        train_classifier(flux, 0, QUICK)


@pytest.mark.parametrize(
    "values",
    [{"widths": ()}, {"widths": (0,)}, {"steps": 0}, {"batch": 0}, {"balance": 1.5},
     {"learning_rate": 0.0}, {"weight_decay": -1.0}],
)  # fmt: skip
def test_configurations_that_cannot_be(values):
    with pytest.raises(InvalidValueError):
        ClassifierConfig(**values)
