"""Commands of galgen in children of a warm process: in milliseconds, limited and measured.

A child is forked from a process that has imported galgen and has no threads.
"""

from __future__ import annotations

import io
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SECONDS = 60  # beyond these a command hangs; on a busy machine it waits for its turn
_GIB = 2**30
_ADDRESSES = 4 * _GIB  # more than a child has at its start; beyond it, it gets no memory
_FILE = 1 * _GIB
_PRINTED = ("out", "err")
UNCAUGHT = 99  # exit code of an exception that nothing has caught


@dataclass(frozen=True)
class Ended:
    """How a command has ended.

    Attributes
    ----------
    code : int
        Exit code; minus the number of the signal that has ended it.
    seconds, cpu : float
        On the clock, and of the processor.
    memory : int
        Most bytes at a time, beyond those at its start.
    out, err : str
        What it has printed.
    """

    code: int
    seconds: float
    cpu: float
    memory: int
    out: str
    err: str


def command(arguments: Sequence[str], folder: Path, seconds: float = SECONDS) -> Ended:
    """Run ``galgen ARGUMENTS`` with `folder` as the current one."""
    return forked(lambda: _galgen(arguments), folder, seconds)


def forked(run: Callable[[], object], folder: Path, seconds: float = SECONDS) -> Ended:
    """Call a function in a child of this process, and wait for it."""
    return Child(run, folder, seconds).wait()


class Child:
    """A child of this process, with a group of processes of its own.

    Parameters
    ----------
    run : callable
        What it does.
    folder : Path
        Its current folder; what it prints is kept beside it.
    seconds : float
        After these it is ended.
    """

    def __init__(self, run: Callable[[], object], folder: Path, seconds: float = SECONDS) -> None:
        self._out, self._err = (folder.with_name(f"{folder.name}.{name}") for name in _PRINTED)
        self._before, self._start = _resident(), time.monotonic()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _child(run, folder, self._out, self._err, seconds)

    @classmethod
    def command(cls, arguments: Sequence[str], folder: Path, seconds: float = SECONDS) -> Child:
        """Begin ``galgen ARGUMENTS``."""
        return cls(lambda: _galgen(arguments), folder, seconds)

    def kill(self, group: bool) -> None:
        """Kill it, and what it has started too if the whole group is meant."""
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, signal.SIGKILL)

    def wait(self) -> Ended:
        """Wait for its end, and end what it has started."""
        # Until it is waited for no other process gets its number, and none but its own is ended.
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        seconds = time.monotonic() - self._start
        self.kill(group=True)
        _, status, used = os.wait4(self.pid, 0)
        return Ended(
            os.waitstatus_to_exitcode(status),
            seconds,
            used.ru_utime + used.ru_stime,
            max(0, used.ru_maxrss * 1024 - self._before),
            self._out.read_text(errors="replace"),
            self._err.read_text(errors="replace"),
        )


def _galgen(arguments: Sequence[str]) -> None:
    from galgen.cli import main

    sys.argv = ["galgen", *arguments]
    main()


def _child(run: Callable[[], object], folder: Path, out: Path, err: Path, seconds: float) -> None:
    """Call the function, and exit as Python would."""
    code = UNCAUGHT
    try:
        os.setsid()
        os.chdir(folder)
        for path, descriptor in ((out, 1), (err, 2)):
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(opened, descriptor)
            os.close(opened)
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8")
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace")
        addresses = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limits = {
            resource.RLIMIT_AS: addresses + _ADDRESSES,
            resource.RLIMIT_FSIZE: _FILE,
            resource.RLIMIT_CORE: 0,
        }
        for limit, most in limits.items():
            resource.setrlimit(limit, (most, most))
        signal.setitimer(signal.ITIMER_REAL, seconds)  # ends it, as nothing handles that signal
        try:
            run()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # what is printed cannot be encoded, or written
        code = UNCAUGHT
        with suppress(BaseException):
            traceback.print_exc()
    finally:
        os._exit(code)


def _resident() -> int:
    """Bytes of memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
