"""Weights that take the place of others: one or the other at any time, and nobody's files lost."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from galgen.errors import WeightsError
from galgen.weights.checkpoint import export, load
from tests.tiny import CARD, make_checkpoint

_EXPORTS = """
import dataclasses, sys
from pathlib import Path
from galgen.weights.checkpoint import export
from tests.tiny import CARD, make_checkpoint
made = make_checkpoint()
print("ready", flush=True)
for number in range(10**6):
    export(dataclasses.replace(made, card=CARD | {"name": str(number)}), Path(sys.argv[1]), "")
"""


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    export(make_checkpoint(), tmp_path / "weights", "# first\n")
    return tmp_path / "weights"


def test_a_kill_leaves_weights(weights: Path) -> None:
    paths = os.pathsep.join(filter(None, sys.path))
    words = [sys.executable, "-c", _EXPORTS, str(weights)]
    environment = os.environ | {"PYTHONPATH": paths}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.send_signal(signal.SIGKILL)
    load(weights)
    export(make_checkpoint(), weights, "")
    assert load(weights).card == CARD
    assert os.listdir(weights.parent) == ["weights"]


@pytest.mark.parametrize(
    "change",
    [
        {"card": CARD | {"name": object()}},  # fails with the settings, after the tensors
        {"size": {1, 2}},
    ],
)
def test_an_export_that_fails_leaves_the_weights_that_were_there(
    weights: Path, change: dict
) -> None:
    before = {path: path.read_bytes() for path in weights.iterdir()}
    broken = dataclasses.replace(make_checkpoint(), **change)
    with pytest.raises(TypeError):
        export(broken, weights, "# second\n")
    assert {path: path.read_bytes() for path in weights.iterdir()} == before
    assert os.listdir(weights.parent) == ["weights"]


def test_weights_that_are_replaced_while_they_are_read(weights: Path) -> None:
    made, over = make_checkpoint(), threading.Event()

    def replace() -> None:
        while not over.is_set():
            export(made, weights, "")

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        for _ in range(20):
            assert load(weights).card == CARD
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("links", [True, False])
def test_what_a_user_has_put_beside_them_stays(
    weights: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:  # as on file systems where a file has one name only

        def refuse(*names: object, **options: object) -> None:
            raise PermissionError

        monkeypatch.setattr(os, "link", refuse)
    (weights / "deep").mkdir()
    names = ("notes.txt", ".hidden", "deep/config.json", "deep/model.safetensors")
    for name in names:
        (weights / name).write_text(name)
    (weights / "link").symlink_to("nowhere")
    (weights / "model-9.safetensors").touch()  # of weights in more files
    os.mkfifo(weights / "pipe") if links else None
    export(dataclasses.replace(make_checkpoint(), size=32), weights, "# second\n")
    assert load(weights).size == 32
    assert (weights / "README.md").read_text() == "# second\n"
    assert [(weights / name).read_text() for name in names] == [*names]
    assert os.readlink(weights / "link") == "nowhere"
    assert not (weights / "model-9.safetensors").exists()
    assert (weights / "pipe").is_fifo() == links


def test_a_link_to_weights_stays_one(weights: Path) -> None:
    link = weights.with_name("link")
    link.symlink_to("weights")
    export(dataclasses.replace(make_checkpoint(), size=32), link, "")
    assert link.is_symlink()
    assert load(weights).size == 32


def test_damaged_weights_are_read_once(weights: Path) -> None:
    """That is, not again for ever."""
    config = json.loads((weights / "config.json").read_text())
    config["files"]["model.safetensors"] = "0" * 64
    (weights / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="corrupted"):
        load(weights)
