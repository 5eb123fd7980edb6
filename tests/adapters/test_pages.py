"""The scripts of docs/adapters run as they stand, with fewer galaxies in fewer steps."""

from __future__ import annotations

import pytest

from tests.pages import DOCS, blocks, galgen_commands, made_small, name_of
from tests.pages import skipped_without_its_package as skipped

PAGES = sorted((DOCS / "adapters").glob("*.md"))


@pytest.mark.filterwarnings("default")  # other packages' own
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_runs_in_order(page, galgen, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    session: dict[str, object] = {}  # blocks of Python go on where the one before ended
    printed = ""
    for language, text in blocks(page, "sh", "python"):
        if language == "python":
            with skipped():
                exec(compile(text, page.name, "exec"), session)
            printed += capsys.readouterr().out
        for words in galgen_commands(text) if language == "sh" else ():
            code, _, err = galgen(*made_small(words))
            assert code == 0, (words, err)
    assert printed
