"""Trees of categories that people write."""

from __future__ import annotations

from pathlib import Path

import pytest

from galgen.categories.treefile import MAX_BYTES, read_tree
from galgen.errors import DataError


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "tree.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


NESTED = """galaxy  (unlabelled)
  early
    elliptical  (E, ell)
    lenticular
  merger"""


@pytest.mark.parametrize(
    "text",
    [
        "early:\n  elliptical: {aliases: [E, ell]}\n  lenticular:\nmerger:\n",
        "early: [elliptical: {aliases: [E, ell]}, lenticular]\nmerger: []",
        "- early:\n  - elliptical:\n      aliases: [E, ell]\n  - lenticular\n- merger",
        "galaxy:\n  early:\n    elliptical: {aliases: [E, ell]}\n    lenticular: ~\n  merger: {}\n",
        '{"early": {"elliptical": {"aliases": ["E", "ell"]}, "lenticular": null}, "merger": null}',
        "\ufeff# x\n---\nearly: {elliptical: {aliases: [E, ell]}, lenticular: }\nmerger:\n...\n",
    ],
)
def test_ways_to_write_a_tree(tmp_path: Path, text: str):
    assert read_tree(write(tmp_path, text)).render_tree() == NESTED


def test_codes_are_in_the_order_of_the_file(tmp_path: Path):
    tree = read_tree(write(tmp_path, "z: {b: , a: }\ny:\n"))
    assert tree.names == ("galaxy", "z", "b", "a", "y")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        # YAML would make truth values, numbers and dates of these.
        ("no:\nyes:\nE: {aliases: [1, 2020-01-01, 'null']}", ["no", "yes", "E"]),
        ("Ring  galaxy:\nother:", ["Ring-galaxy", "other"]),
        ("galaxy: {aliases: [any], a: , b: }", ["a", "b"]),
        ("aliases: [any]\na:\nb:", ["a", "b"]),
    ],
)
def test_names_are_taken_as_they_are_written(tmp_path: Path, text: str, lines: list[str]):
    tree = read_tree(write(tmp_path, text))
    assert list(tree.names[1:]) == lines
    if "any" in text:
        assert tree.get("any") is tree.get("unlabelled") is tree.nodes[0]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "no categories"),
        ("# nothing\n", "no categories"),
        ("[]", "no categories"),
        ("galaxy:", "2 to 256"),
        ("spiral", "expected names"),
        ("a: spiral", "line 1, column 4"),
        ("a:\n  b:\n    c: d", "line 3"),
        ("a: {aliases: b}", "expected a list of aliases"),
        ("a: {aliases: [[b]]}", "expected a name"),
        ("a: {aliases: {b: }}", "expected a list of aliases"),
        ("[[a]]", "expected a name"),
        ("? [a]\n: b", "expected a name"),
        ("- ~\n- a", "expected a name"),
        ("a:\na:", "given for a and for a"),
        ("a: [b]\nc: [b]", "given for b and for b"),
        ("a: {a: }", "given for a and for a"),
        ("a: {aliases: [c]}\nC:", "given for a and for C"),
        ("galaxy:\nother:", "given for galaxy and for galaxy"),
        ("early type/E:", "category name is 'early-type/E'"),
        ("très:", "category name is 'très'"),
        (f"{'long-' * 5}:", "1 to 18 letters"),
        ("\n".join(f"c{i}:" for i in range(256)), "number of categories is 257"),
        ("a: &x [b]\nc: *x", "references (*) are not allowed"),
        ("a: &x {b: *x}", "references (*) are not allowed"),
        ("a: {<<: [b]}", "category name is '<<'"),
        ("a: [", "cannot be read as a tree of categories"),
        ("a:\n\tb:", "cannot be read as a tree of categories"),
        ("a:\n---\nb:", "single document"),
        (b"\x00\xff\xfe", "cannot be read as a tree of categories"),
        (b"a\xe9:", "cannot be read as a tree of categories"),
        ("[" * 60_000, "nested too deeply"),
        ("- " * 30_000, "nested too deeply"),
        ("{a: " * 10_000, "nested too deeply"),
        ("a: " + "[b, " * 40 + "]" * 40, "nested too deeply"),
        ("".join("  " * i + f"c{i}:\n" for i in range(17)), "depth of c16 is 17"),
        (b"a" * (MAX_BYTES + 1), "longer than"),
    ],
)
def test_what_is_no_tree(tmp_path: Path, content: str | bytes, what: str):
    path = write(tmp_path, content)
    with pytest.raises(DataError) as caught:
        read_tree(path)
    assert str(path) in str(caught.value)
    assert what in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_no_object_is_made_of_a_tag(tmp_path: Path):
    marker = tmp_path / "marker"
    call = f"!!python/object/apply:os.mkdir ['{marker}']"
    with pytest.raises(DataError, match="category name is"):
        read_tree(write(tmp_path, call))
    assert not marker.exists()


@pytest.mark.parametrize("kind", ["missing", "folder", "endless"])
def test_no_file(tmp_path: Path, kind: str):
    path = {"missing": tmp_path / "no.yaml", "folder": tmp_path, "endless": Path("/dev/zero")}[kind]
    with pytest.raises(DataError, match=r"tree of categories|not a file"):
        read_tree(path)
