"""Ctrl-C and SIGTERM as a polite request: finish the work in hand, save, then stop.

What is said here holds for the process that said it. Those forked from it do as they would have
done without: Python forgets a signal that reaches a new process before its first line of Python
(CPython, `PyOS_AfterFork_Child`), so one that is ended at once, as GalSim ends its processes, would
live on, and whoever waits for it would wait for ever. So the system keeps such signals until the
new process has no handler of ours.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Self


def end_with_cleanup() -> None:
    """Have SIGTERM and SIGHUP end this process as an exception does, which leaves nothing behind.

    Where somebody has said what they do, that stays. Processes that are forked from this one end as
    usual: an exception may come while they end, and they would go on with the work of this one.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)  # as a shell says of a process that a signal has ended


class StopRequest:
    """While open, the first SIGINT or SIGTERM sets `requested`; a second one acts as usual."""

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Self:
        # Handlers can only be set from the main thread; elsewhere the host program decides.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        """Take the first signal for a request."""
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        """Put the handlers back that were there before."""
        while self._previous:
            number, handler = self._previous.popitem()
            signal.signal(number, handler)  # type: ignore[arg-type]


_forking = threading.local()


def _keep_signals() -> None:
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _DEFAULTS)


def _let_signals_come() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _as_without_us() -> None:
    for number, default in _DEFAULTS.items():
        if getattr(signal.getsignal(number), "__module__", None) == __name__:
            signal.signal(number, default)
    _let_signals_come()


if hasattr(os, "register_at_fork"):
    _DEFAULTS: dict[int, Callable[[int, FrameType | None], object] | signal.Handlers | None] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    os.register_at_fork(
        before=_keep_signals, after_in_parent=_let_signals_come, after_in_child=_as_without_us
    )
