"""Do generated galaxies help a classifier of real ones? Real and generated against real alone.

``python -m bench.augmentation galaxies64-train.zip ngc64.zip galaxies64-rare.zip --cache FOLDER
--out bench/results/augmentation.json --page docs/classifiers.md``

The classifier is that of `galgen evaluate` (`galgen.evaluation.classifier`). All arms make the
same number of steps; those with generated galaxies draw some of them from these. Which labels get
generated galaxies, and how many of their draws these have, is chosen on real galaxies that the
classifier has not seen, but the generator has. The figures that count are of galaxies that neither
has seen: what `galgen train` holds out of the same files. How they are mixed in:
`bench.mixed_in`.

Generated galaxies and predictions are kept in FOLDER, so that the same command goes on where it was
stopped.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from bench.mixed_in import ARMS, MAJORITY, REAL_ALONE, Arm, generated, minorities, wanted
from bench.pages import table, tell
from bench.record import save
from galgen import load_model
from galgen.cli.options import given
from galgen.data import StampSet, concatenate, open_stamps, split
from galgen.evaluation.classes import (
    CategoryScore,
    Classes,
    agree,
    confusion,
    macro_f1,
    scores,
)
from galgen.evaluation.classifier import ClassifierConfig, fit
from galgen.training.config import TrainConfig

VALIDATION, SALT = 0.15, "classifier"  # of the galaxies that the generator has learned from
LEAST = 4  # held-out galaxies of a category, below which its F1 says nothing
CHOOSING = 2  # seeds by which the arm is chosen
RESAMPLES = 500


@dataclass(frozen=True)
class Trial:
    """What all classifiers of a run have in common.

    Attributes
    ----------
    both : StampSet
        Real and generated galaxies to learn from.
    made_n : ndarray (n,) bool
        Which are generated.
    classes : Classes
        Of the real ones.
    few : list of int
        Codes of the minorities.
    tests : dict of str to StampSet
        Real galaxies to classify.
    config : ClassifierConfig
        Of the classifier.
    cache : Path
        Folder for predictions.
    """

    both: StampSet
    made_n: np.ndarray
    classes: Classes
    few: list[int]
    tests: dict[str, StampSet]
    config: ClassifierConfig
    cache: Path

    def predict(self, arm: Arm, seed: int) -> dict[str, np.ndarray]:
        """Train a classifier and return the codes that it gives to each set of real galaxies."""
        label_n = self.both.category
        draw_n = arm.draws(label_n, self.made_n, self.few, self.config.balance)
        digest = hashlib.sha256(repr((seed, self.config, self.classes.codes)).encode())
        digest.update(draw_n.tobytes() + label_n.tobytes())
        for stamps in (self.both, *self.tests.values()):
            digest.update(np.ascontiguousarray(stamps.pixels).data)
        path = self.cache / f"said-{digest.hexdigest()[:16]}.npz"
        if not path.is_file():
            rows = np.flatnonzero(draw_n)
            classifier = fit(self.both, self.classes, rows, draw_n[rows], seed, self.config)
            said = {name: classifier.predict(s.pixels) for name, s in self.tests.items()}
            np.savez(path, **said)
        with np.load(path) as known:
            return {name: known[name] for name in self.tests}

    def said(self, arm: Arm, seeds: int, where: str) -> np.ndarray:
        """Return the codes given to a set by the classifiers of the first seeds (seeds, n)."""
        return np.stack([self.predict(arm, seed)[where] for seed in range(seeds)])

    def of_minorities(self, found: dict[str, CategoryScore]) -> dict[str, CategoryScore]:
        """Return the scores of the minorities alone."""
        names = [self.both.tree.nodes[code].name for code in self.few]
        return {name: found[name] for name in names}

    def summary(self, where: str, said_sn: np.ndarray) -> dict[str, Any]:
        """Scores of several seeds, their means, and the mean number by label and class."""
        label_n = self.tests[where].category
        each = [scores(self.classes, label_n, said_n) for said_n in said_sn]
        macro = [macro_f1(found, LEAST) for found in each]
        minority = [macro_f1(self.of_minorities(found), LEAST) for found in each]
        tables = [confusion(self.classes, label_n, said_n) for said_n in said_sn]
        found_as = np.mean(tables, axis=0).round(1)
        names, present = self.classes.tree.names, np.unique(label_n).tolist()
        return {
            "macro_f1": _mean(macro),
            "macro_f1_minorities": _mean(minority),
            "macro_f1_seeds": [round(value, 4) for value in macro],
            "macro_f1_minorities_seeds": [round(value, 4) for value in minority],
            "agree": _mean([agree(self.classes.tree, label_n, s).mean() for s in said_sn]),
            "categories": {
                name: {"galaxies": score.galaxies}
                | {
                    what: _mean([getattr(found[name], what) for found in each])
                    for what in ("precision", "recall", "f1")
                }
                for name, score in each[0].items()
            },
            "found_as": {names[code]: found_as[code].tolist() for code in present},
        }

    def difference(
        self, where: str, ours_sn: np.ndarray, theirs_sn: np.ndarray
    ) -> dict[str, dict[str, float]]:
        """Return ours minus theirs in macro-F1, and 95 % of what other galaxies would have given.

        These are the same galaxies, drawn again and again with replacement from each label.
        """
        label_n, rng = self.tests[where].category, np.random.default_rng(0)
        by_label = [np.flatnonzero(label_n == label) for label in np.unique(label_n)]
        values: dict[str, list[float]] = {"all": [], "minorities": []}
        for k in range(RESAMPLES + 1):
            rows = np.concatenate([rng.choice(r, len(r)) if k else r for r in by_label])
            macro = {"all": [], "minorities": []}
            for said_sn in (ours_sn, theirs_sn):
                each = [scores(self.classes, label_n[rows], said_n[rows]) for said_n in said_sn]
                macro["all"].append(np.mean([macro_f1(f, LEAST) for f in each]))
                few = [macro_f1(self.of_minorities(f), LEAST) for f in each]
                macro["minorities"].append(np.mean(few))
            for name, (ours, theirs) in macro.items():
                values[name].append(float(ours - theirs))
        return {
            name: {
                "difference": round(found[0], 4),
                "low": round(float(np.quantile(found[1:], 0.025)), 4),
                "high": round(float(np.quantile(found[1:], 0.975)), 4),
            }
            for name, found in values.items()
        }


def _mean(values: list[float]) -> float | None:
    """Return the mean of what is known, rounded; None if nothing is."""
    known = [value for value in values if np.isfinite(value)]
    return round(float(np.mean(known)), 4) if known else None


def tell_of(results: dict[str, Any]) -> str:
    """F1 of both arms by category, on galaxies that neither generator nor classifier has seen."""
    found = results["held_out"]
    arms = [found[name] for name in ("real", "real_and_generated")]
    lines = []
    for name, row in arms[0]["categories"].items():
        f1 = [arm["categories"][name]["f1"] for arm in arms]
        made = str(results["generated"].get(name, 0))
        lines.append([name, str(results["real"].get(name, 0)), made, str(row["galaxies"])])
        lines[-1] += [_cell(value) for value in f1]
    for title, key in (("macro-F1", "macro_f1"), ("of minorities", "macro_f1_minorities")):
        lines.append([title, "", "", "", *(_cell(arm[key]) for arm in arms)])
    head = ("category", "real", "generated", "held out", "F1, real alone", "F1, real and generated")
    changes = [
        f"{name} {d['difference']:+.3f} ({d['low']:+.3f} to {d['high']:+.3f})"
        for name, d in found["difference"].items()
    ]
    return (
        f"{table(head, lines)}\n\nMixed in as chosen: {results['chosen']}. Macro-F1 with generated "
        "galaxies minus without, and\n95 % of what other held-out galaxies would have given: "
        f"{', '.join(changes)}."
    )


def _cell(value: float | None) -> str:
    """Return a score as text."""
    return "-" if value is None else f"{value:.3f}"


def main(
    data: Annotated[list[Path], typer.Argument(help="Labelled real galaxies, display images.")],
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    cache: Annotated[Path, typer.Option(help="Folder for generated galaxies and predictions.")],
    weights: Annotated[Path | None, typer.Option(help="Default: the shipped weights.")] = None,
    seeds: Annotated[int, typer.Option(help="Classifiers of each arm.")] = 5,
    classifier_steps: Annotated[int, typer.Option(help="To train.")] = ClassifierConfig.steps,
    size: Annotated[int | None, typer.Option(help="Side of the images; binned to it.")] = None,
    majority: Annotated[int, typer.Option(help="Generated of each larger label.")] = MAJORITY,
    sampler: Annotated[str | None, typer.Option(help="Default: what suits the weights.")] = None,
    steps: int | None = None,
    page: Annotated[Path | None, typer.Option(help="Page to put the table into.")] = None,
) -> None:
    """Write the comparison as JSON and print its table."""
    stamps = concatenate([open_stamps(path, size) for path in data])
    stamps = stamps.select(Classes.of(stamps.tree, stamps.category).says_something(stamps.category))
    learned, held_out = split(stamps, TrainConfig.validation)
    real, validation = split(learned, VALIDATION, SALT)
    classes = Classes.of(real.tree, real.category)
    model = load_model(weights)
    sampling = model.sampling(**given(sampler=sampler, steps=steps))
    counts = wanted(classes, real.category, majority)
    made = [generated(model, real, label, n, sampling, cache) for label, n in counts.items() if n]
    both = concatenate([real, *made])
    trial = Trial(
        both,
        np.arange(len(both)) >= len(real),
        classes,
        minorities(classes, real.category),
        {"validation": validation, "held_out": held_out},
        ClassifierConfig(steps=classifier_steps),
        cache,
    )
    names = [real.tree.nodes[label].name for label in counts]
    results: dict[str, Any] = {
        "weights": {name: model.checkpoint.card[name] for name in ("name", "version")},
        "weights_sha256": model.checkpoint.sha256,
        "sampling": asdict(sampling),
        "data": [path.name for path in data],
        "size": stamps.pixels.shape[1],
        "classifier": asdict(trial.config),
        "real": {n: int((real.category == c).sum()) for n, c in zip(names, counts, strict=True)},
        "generated": dict(zip(names, counts.values(), strict=True)),
        "minorities": [real.tree.nodes[code].name for code in trial.few],
        "classes": classes.names,
        "choosing": {},
    }
    for name, arm in ARMS.items():
        found = trial.summary("validation", trial.said(arm, CHOOSING, "validation"))
        results["choosing"][name] = {"arm": asdict(arm)} | found
        save(out, results)
        typer.echo(f"{name}: {found['macro_f1']}, {found['macro_f1_minorities']}", err=True)
    mixed = [name for name in ARMS if name != REAL_ALONE]
    results["chosen"] = max(mixed, key=lambda name: results["choosing"][name]["macro_f1"])
    for where in trial.tests:
        alone, with_made = (
            trial.said(ARMS[name], seeds, where) for name in (REAL_ALONE, results["chosen"])
        )
        results[where] = {
            "real": trial.summary(where, alone),
            "real_and_generated": trial.summary(where, with_made),
            "difference": trial.difference(where, with_made, alone),
        }
        save(out, results)
    tell(tell_of(results), page, "augmentation")


if __name__ == "__main__":
    typer.run(main)
