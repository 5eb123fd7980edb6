"""What a program is: a module with a function `start`, and what may keep it from being timed.

`start` is given settings, and returns what takes a turn, and facts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Facts = dict[str, Any]
Turn = Callable[[Facts], Facts]


class LeftOutError(RuntimeError):
    """There is nothing to time; the message is why."""


class WrongOutputError(RuntimeError):
    """What was timed is not what it should be."""
