"""Spaces of features in which pictures of galaxies are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from galgen.data import StampSet
from galgen.errors import DataError, MissingPackageError
from galgen.evaluation.classifier import ClassifierConfig, MorphologyClassifier, train_classifier
from galgen.evaluation.embedding import Embedding, load_embedding, oriented

MORPHOLOGY = "morphology"
_Features = Callable[[np.ndarray], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Spaces:
    """What makes features of pictures.

    Attributes
    ----------
    makers : tuple of callable
        Each from images (N, H, W, 3) to features (N, C) by the name of their space.
    classifier : MorphologyClassifier or None
        Trained on real galaxies.
    missing : tuple of str
        Which spaces there are not, and why.
    versions : mapping of str to str
        Versions of the packages that they come from.
    """

    makers: tuple[_Features, ...]
    classifier: MorphologyClassifier | None
    missing: tuple[str, ...]
    versions: dict[str, str]

    def features(self, images_nhwc: np.ndarray) -> dict[str, np.ndarray]:
        """Return the features (N, C) of pictures in all spaces, by name."""
        found: dict[str, np.ndarray] = {}
        for maker in self.makers:
            found |= maker(images_nhwc)
        return found


NO_SPACES = Spaces((), None, (), {})


def open_spaces(
    train: StampSet | None, seed: int, config: ClassifierConfig | None = None
) -> Spaces:
    """Make the spaces that can be had: of photographs, and of galaxies where there are some.

    Parameters
    ----------
    train : StampSet or None
        Real galaxies to learn a classifier from, none of which is in the reference.
    seed : int
        Of the classifier, and of how pictures are turned.
    config : ClassifierConfig, optional
        Of the classifier.
    """
    makers: list[_Features] = []
    missing, versions, classifier = [], {}, None
    try:
        embedding = load_embedding()
    except MissingPackageError as error:
        missing.append(f"features of photographs (final, early): {error}.")
    else:
        makers.append(_of_photographs(embedding, seed))
        versions = embedding.versions
    if train is None:
        missing.append("features and classes of morphology: there are no training galaxies.")
    else:
        try:
            classifier = train_classifier(train, seed, config)
        except DataError as error:
            missing.append(f"features and classes of morphology: {error}")
        else:
            makers.append(_of_morphology(classifier))
    return Spaces(tuple(makers), classifier, tuple(missing), versions)


def _of_photographs(embedding: Embedding, seed: int) -> _Features:
    """Make the features of a network of photographs spaces, in which no direction is preferred."""

    def features(images_nhwc: np.ndarray) -> dict[str, np.ndarray]:
        square = images_nhwc.shape[1] == images_nhwc.shape[2]
        return embedding.features(oriented(images_nhwc, seed) if square else images_nhwc)

    return features


def _of_morphology(classifier: MorphologyClassifier) -> _Features:
    """Make the features of a classifier a space."""
    return lambda images: {MORPHOLOGY: classifier.features(images)}
