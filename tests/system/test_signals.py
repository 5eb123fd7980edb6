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
