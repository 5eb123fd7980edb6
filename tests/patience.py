"""The end of what waits for ever, or goes round in circles."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SECONDS = 5  # two on a machine that does nothing else


class WaitedError(BaseException):
    """A call that has not ended; nothing catches it."""


@contextmanager
def patience(seconds: float = SECONDS) -> Iterator[None]:
    """Raise `WaitedError` in a block that takes longer."""

    def end(number: int, frame: FrameType | None) -> None:
        raise WaitedError

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
