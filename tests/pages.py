"""The pages that people read, cut into what can be checked."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README, DOCS = ROOT / "README.md", ROOT / "docs"
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY", "CHANGELOG")),
    *(ROOT / folder / "README.md" for folder in ("bench", "kernels", "tests/fixtures")),
    *sorted(DOCS.rglob("*.md")),
]
MOST = 4  # galaxies, where a page makes thousands
FEW = {"--steps": "2", "--batch": str(MOST)}
MEANT = {"...": ["--category", "spiral", "--n", "8", "--out", "mixed.fits"]}


def name_of(page: Path) -> str:
    """Path within the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    """Language and contents of the fenced blocks of some languages, in order."""
    found = re.findall(r"^ *```(\S*)\n(.*?)^ *```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [(language, text) for language, text in found if language in languages]


def spans(page: Path) -> list[str]:
    """What stands between single backticks, outside of blocks."""
    prose = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose)]


def galgen_commands(shell: str) -> list[list[str]]:
    """Words behind ``galgen`` of each such command in a block of shell."""
    commands: list[list[str]] = []
    for line in shell.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] | None = None  # of the command that is being read, if it is one of galgen
        for token in lexer:
            if set(token) <= set("();<>|&"):
                words = None
            elif words is not None:
                words += MEANT.get(token, ["0" if token.startswith("$") else token])
            elif token == "galgen":
                commands.append(words := [])
    return commands


def made_small(words: list[str]) -> list[str]:
    """The same command for fewer galaxies in fewer steps."""
    words = list(words)
    if "--n" in words:
        place = words.index("--n") + 1
        words[place] = str(min(int(words[place]), MOST))
    if words[0] == "mass":
        words += [word for option, value in FEW.items() for word in (option, value)]
    return words


@contextmanager
def skipped_without_its_package() -> Iterator[None]:
    """Skip a test whose page needs a package that is not installed."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "galgen":
            raise
        pytest.skip(str(error))


def links(page: Path) -> list[str]:
    """Where links and pictures lead, but for those to other sites."""
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    return [target for target in found if not re.match(r"https?://", target)]


def anchors(page: Path) -> set[str]:
    """Anchors of the headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}
