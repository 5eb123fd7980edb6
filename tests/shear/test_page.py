"""What docs/shear.md does runs, with fewer galaxies."""

from __future__ import annotations

from pathlib import Path

from tests.pages import DOCS, blocks, galgen_commands

PAGE = DOCS / "shear.md"
FEW = {"mass": ["--steps", "1", "--batch", "4"], "shear-test": []}


def test_commands_and_python(galgen, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    script, _ = (text for language, text in blocks(PAGE, "sh", "python") if language == "sh")
    for words in galgen_commands(script):
        words[words.index("--n") + 1] = "4"
        code, _, err = galgen(*words, *FEW[words[0]])
        assert code == 0, err
    assert {path.name for path in tmp_path.iterdir()} == {"mixed.fits", "shear.json", "shear.png"}
    (python,) = (text for _, text in blocks(PAGE, "python"))
    exec(compile(python.replace("n=12", "n=3"), PAGE.name, "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 2 * 3


def test_another_reference_needs_a_file(galgen, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    *_, second = (text for _, text in blocks(PAGE, "sh"))
    (words,) = galgen_commands(second)
    code, _, err = galgen(*words)
    assert code == 2
    assert "galaxies64-train.zip: no such file" in err
