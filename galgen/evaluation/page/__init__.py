"""One self-contained HTML page of what an evaluation found."""

from galgen.evaluation.page.build import build_page

__all__ = ["build_page"]
