"""Ctrl-C and SIGTERM as a polite request: finish the work in hand, save, then stop."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import Self


def end_with_cleanup() -> None:
    """Have SIGTERM and SIGHUP end this process as an exception does, which leaves nothing behind.

    Where somebody has said what they do, that stays. Processes that are forked from this one end as
    usual: an exception may come while they end, and they would go on with the work of this one.
    """
    process = os.getpid()

    def end(number: int, frame: FrameType | None) -> None:
        if os.getpid() == process:
            sys.exit(128 + number)  # as a shell says of a process that a signal has ended
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, end)


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
