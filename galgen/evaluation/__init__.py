"""Comparison of generated galaxies with real ones."""

from galgen.evaluation.distance import Comparison, wasserstein1
from galgen.evaluation.neighbours import Neighbours
from galgen.evaluation.report import CategoryReport, Evaluation
from galgen.evaluation.run import evaluate
from galgen.evaluation.write import write_report

__all__ = [
    "CategoryReport",
    "Comparison",
    "Evaluation",
    "Neighbours",
    "evaluate",
    "wasserstein1",
    "write_report",
]
