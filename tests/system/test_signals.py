"""What ends a process politely is no business of those that are forked from it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_PROGRAM = """
import os, signal, sys
from galgen.system.signals import end_with_cleanup
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup has ignored
end_with_cleanup()
child = 0 if sys.argv[1] == "itself" else os.fork()
try:
    if child == 0:
        os.kill(os.getpid(), getattr(signal, sys.argv[2]))
finally:
    if child == 0:
        print("cleaned up", flush=True)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print("ended by", -status)
"""


_AT_ONCE = """
import os, signal, sys, time
from galgen.system.signals import StopRequest, end_with_cleanup
memory = bytes(100_000_000)  # of which a copy takes its time
if sys.argv[1] == "end_with_cleanup":
    end_with_cleanup()
else:
    StopRequest().__enter__()
for _ in range(20):
    child = os.fork()
    if child == 0:
        time.sleep(20)
        os._exit(0)
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()  # here they come as before
assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
"""


@pytest.mark.parametrize(("name", "number"), [("SIGTERM", 15), ("SIGHUP", 1)])
@pytest.mark.parametrize("whose", ["itself", "a fork"])
def test_only_who_asked_for_it_cleans_up(whose: str, name: str, number: int) -> None:
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    words = [sys.executable, "-c", _PROGRAM, whose, name]
    done = subprocess.run(words, env=os.environ | paths, capture_output=True, text=True, timeout=60)
    if whose == "itself":
        assert (done.returncode, done.stdout) == (128 + number, "cleaned up\n")
    else:
        assert (done.returncode, done.stdout) == (0, f"ended by {number}\n")


@pytest.mark.parametrize("said", ["end_with_cleanup", "StopRequest"])
def test_forks_can_be_ended_at_once(said: str) -> None:
    """Before they have run a line of Python, too, as GalSim ends those it needs no longer."""
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    words = [sys.executable, "-c", _AT_ONCE, said]
    subprocess.run(words, env=os.environ | paths, check=True, timeout=60)
