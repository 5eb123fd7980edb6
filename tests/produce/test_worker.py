"""When a process that makes shards is to stop, and when it may end."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading

from galgen.produce.worker import WorkerState


def test_any_flag_asks_it_to_stop() -> None:
    state = WorkerState()
    assert not state.asked_to_stop()
    flags = threading.Event(), multiprocessing.get_context("spawn").Event()
    for flag in flags:
        state.stop_when(*flags)
        assert not state.asked_to_stop()
        flag.set()
        assert state.asked_to_stop()
        flag.clear()


SCRIPT = """
import threading, time
from galgen.produce.worker import WorkerState

state, ended = WorkerState(), threading.Event()
with state.at_work():
    threading.Thread(target=state.exit_after, args=(ended,), daemon=True).start()
    ended.set()
    time.sleep(0.3)
    print("the shard in hand", flush=True)
time.sleep(60)
raise SystemExit("still here")
"""


def test_it_ends_with_the_shard_in_hand() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "the shard in hand\n", "")


def test_it_imports_no_torch() -> None:
    """A pool sets the environment up before torch reads it."""
    code = "import sys, galgen.produce.pool; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
