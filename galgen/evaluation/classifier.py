"""A morphology classifier: a small network that learns from real galaxies in about a minute.

Its features are a space in which generated and real galaxies are compared, made for galaxies where
`galgen.evaluation.embedding` is made for photographs; its classes say whether a galaxy looks like
the category that it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from galgen.data import StampSet
from galgen.data.draws import balanced_weights, draw_orientations, orient
from galgen.errors import DataError, InvalidValueError
from galgen.evaluation.classes import Classes
from galgen.evaluation.embedding import check_images
from galgen.settings import require

_CHUNK = 128  # images at a time
_TINY = 1e-3  # of a display value; bands without any light are not divided by nothing


@dataclass(frozen=True)
class ClassifierConfig:
    """How a classifier is made and trained.

    Attributes
    ----------
    widths : tuple of int
        Channels of the stages, each with half the side of the one before.
    steps, batch : int
        Gradient steps, and galaxies of each.
    learning_rate, weight_decay : float
        Of AdamW; the rate rises to this and falls to zero.
    balance : float
        0 draws galaxies as they come, 1 draws every label equally often, 0.5 by square roots.
    """

    widths: tuple[int, ...] = (16, 32, 64, 128, 128)
    steps: int = 1500
    batch: int = 64
    learning_rate: float = 1e-2
    weight_decay: float = 1e-2
    balance: float = 0.5

    def __post_init__(self) -> None:
        require(len(self.widths) > 0 and min(self.widths) > 0, "widths", self.widths, "above 0")
        for name in ("steps", "batch"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0")
        require(self.weight_decay >= 0, "weight_decay", self.weight_decay, "0 or more")
        require(0 <= self.balance <= 1, "balance", self.balance, "0 to 1")


class MorphologyClassifier:
    """A trained classifier; `train_classifier` makes one.

    Parameters
    ----------
    network : MorphologyNetwork
        In evaluation mode.
    classes : Classes
        The K classes.
    """

    name = "morphology"

    def __init__(self, network: MorphologyNetwork, classes: Classes) -> None:
        self._network, self.classes = network, classes

    def features(self, images_nhwc: np.ndarray) -> np.ndarray:
        """Return what the last layer decides by, (N, C) float32, the mean over flips and turns.

        Parameters
        ----------
        images_nhwc : ndarray (N, H, W, B)
            Grey levels 0 to 255, in the stretch and the bands of the training images. The size may
            be another, the scale should not.

        Raises
        ------
        InvalidValueError
            If there are no images, or these have other bands.
        """
        return self._over_orientations(images_nhwc, self._network.pooled)

    def probabilities(self, images_nhwc: np.ndarray) -> np.ndarray:
        """Return the probability of each class, (N, K) float32, the mean over flips and turns.

        Parameters
        ----------
        images_nhwc : ndarray (N, H, W, B)
            See `features`.
        """
        return self._over_orientations(images_nhwc, lambda x: self._network(x).softmax(1))

    def predict(self, images_nhwc: np.ndarray) -> np.ndarray:
        """Return the code of the most probable class, (N,) int16.

        Parameters
        ----------
        images_nhwc : ndarray (N, H, W, B)
            See `features`.
        """
        best_n = self.probabilities(images_nhwc).argmax(1)
        code_n: np.ndarray = np.array(self.classes.codes, np.int16)[best_n]
        return code_n

    def _over_orientations(
        self, images_nhwc: np.ndarray, of: Callable[[Tensor], Tensor]
    ) -> np.ndarray:
        """Return the mean over flips and turns of what the network says."""
        check_images(images_nhwc)
        if images_nhwc.shape[-1] != (bands := len(self._network.mean)):
            raise InvalidValueError(
                "number of bands", images_nhwc.shape[-1], f"{bands}, as trained"
            )
        turns = range(4) if images_nhwc.shape[1] == images_nhwc.shape[2] else (0, 2)
        parts = []
        for start in range(0, len(images_nhwc), _CHUNK):
            x = as_input(torch.from_numpy(images_nhwc[start : start + _CHUNK].astype(np.float32)))
            with torch.inference_mode():
                said = [of(t) for turn in turns for t in _flips(torch.rot90(x, turn, (2, 3)))]
            parts.append(torch.stack(said).mean(0).numpy())
        return np.concatenate(parts)


class MorphologyNetwork(nn.Module):
    """Convolutions that halve the side, a mean over the stamp, and a linear layer.

    Parameters
    ----------
    mean, std : Tensor (B,)
        Of the display values of the training images, by which images are standardised.
    widths : tuple of int
        See `ClassifierConfig`.
    classes : int
        How many.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor, widths: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        layers: list[nn.Module] = []
        for narrow, wide in pairwise((len(mean), *widths)):
            layers += [nn.Conv2d(narrow, wide, 3, stride=2, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(wide), nn.ReLU(inplace=True)]
        self.stages = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], classes)

    def pooled(self, x_nchw: Tensor) -> Tensor:
        """Return the features (N, C) of display values in [0, 1]."""
        x_nchw = (x_nchw - self.mean[:, None, None]) / self.std[:, None, None]
        pooled_nc: Tensor = self.stages(x_nchw).mean((2, 3))
        return pooled_nc

    def forward(self, x_nchw: Tensor) -> Tensor:
        """Return the logits (N, K) of display values in [0, 1]."""
        logits_nk: Tensor = self.head(self.pooled(x_nchw))
        return logits_nk


def train_classifier(
    stamps: StampSet, seed: int = 0, config: ClassifierConfig | None = None
) -> MorphologyClassifier:
    """Train a classifier on labelled galaxies.

    A label that is above several classes, as ``spiral`` may be, asks that they have the probability
    between them. Galaxies are drawn more evenly over the labels than they come, turned and flipped.

    Parameters
    ----------
    stamps : StampSet
        Labelled real galaxies as 8-bit images.
    seed : int
        Of the first weights and the batches: the same gives the same classifier, on a machine with
        as many threads.
    config : ClassifierConfig, optional
        Size and training.

    Returns
    -------
    MorphologyClassifier

    Raises
    ------
    DataError
        If the stamps are no 8-bit images, or do not show two categories that exclude each other.
    """
    if stamps.native != "display":
        raise DataError(
            f"{stamps.source}: a classifier learns from 8-bit images, these are in units of flux."
        )
    config = config or ClassifierConfig()
    classes = Classes.of(stamps.tree, stamps.category)
    rows = np.flatnonzero(classes.says_something(stamps.category))
    draw_n = balanced_weights(stamps.category[rows], config.balance)
    return fit(stamps, classes, rows, draw_n, seed, config)


def fit(
    stamps: StampSet,
    classes: Classes,
    rows: np.ndarray,
    draw_n: np.ndarray,
    seed: int,
    config: ClassifierConfig,
) -> MorphologyClassifier:
    """Train on some rows of a set, each drawn with a probability of its own.

    Parameters
    ----------
    stamps : StampSet
        8-bit images.
    classes : Classes
        What is told apart.
    rows, draw_n : ndarray (n,)
        Galaxies, and how often each is drawn; these sum to 1.
    seed : int
        See `train_classifier`.
    config : ClassifierConfig
        Size and training.
    """
    some = stamps.native_float(rows[:: max(1, len(rows) // 1000)])
    mean, std = some.mean((0, 1, 2)), some.std((0, 1, 2)).clamp(min=_TINY)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = MorphologyNetwork(mean, std, config.widths, len(classes.codes))
    optimizer = torch.optim.AdamW(
        network.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=config.steps + 1
    )
    images = torch.from_numpy(stamps.pixels)
    possible = torch.from_numpy(classes.compatible)
    square = images.shape[1] == images.shape[2]
    cumulative = np.cumsum(draw_n)
    rng = np.random.default_rng(seed)
    for _ in range(config.steps):
        picks = np.searchsorted(cumulative, rng.random(config.batch) * cumulative[-1])
        index = rows[np.minimum(picks, len(rows) - 1)]
        x = orient(images[index], *draw_orientations(len(index), rng, square=square))
        logits_nk = network(as_input(x))
        loss = _loss(logits_nk, possible[stamps.category[index]])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return MorphologyClassifier(network.eval().requires_grad_(False), classes)


def as_input(images_nhwc: Tensor) -> Tensor:
    """Return grey levels 0 to 255 as display values (N, B, H, W), channels last in memory."""
    return (images_nhwc.float() / 255).movedim(-1, 1)


def _loss(logits_nk: Tensor, possible_nk: Tensor) -> Tensor:
    """Return minus the mean logarithm of the probability of all classes that a label allows."""
    log_p_nk = F.log_softmax(logits_nk, 1)
    return -log_p_nk.masked_fill(~possible_nk, -torch.inf).logsumexp(1).mean()


def _flips(x_nchw: Tensor) -> tuple[Tensor, Tensor]:
    """Return images as they are and mirrored."""
    return x_nchw, x_nchw.flip(3)
