"""Every error galgen raises on purpose, and what turns a damaged file into one of them.

Each type is also a subclass of the closest builtin, so ``except ValueError`` keeps working; each
message names the offending value, what is allowed and what to do next. Parameters are named as
Python has them, between backticks; `galgen.cli.hints` knows the options that they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST = 300  # characters that are quoted of what another library says
_OBJECT = re.compile(r"<[^<>]* at 0x[0-9A-Fa-f]+>")  # says nothing, and another thing every time


class GalgenError(Exception):
    """Base of all galgen errors; the CLI prints these without a traceback."""

    exit_code = 2


class InvalidValueError(GalgenError, ValueError):
    """A value outside what is allowed.

    Parameters
    ----------
    name : str
        What the value is, in the user's words (an option, a column, an argument).
    value : object
        The value given.
    allowed : str
        The allowed range or set, as text.
    hint : str, optional
        What to do about it.
    """

    def __init__(self, name: str, value: object, allowed: str, hint: str = "") -> None:
        self.name, self.value, self.allowed, self.hint = name, value, allowed, hint
        super().__init__(f"{name} is {value!r}; allowed: {allowed}." + (f" {hint}" if hint else ""))

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are unpickled from their message, which is not what this one is made of.
        return type(self), (self.name, self.value, self.allowed, self.hint), self.__dict__


class UnknownCategoryError(InvalidValueError, KeyError):
    """A category name or code that is not in the taxonomy."""

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0])


class DataError(GalgenError, ValueError):
    """Training or reference data that cannot be used; the message names the file."""


class WeightsError(GalgenError, ValueError):
    """Weights that are missing, corrupted or made for another model."""


class OutputError(GalgenError, OSError):
    """An output that cannot be written; nothing has been written when this is raised."""


class WriteError(OutputError):
    """An output that could not be finished: the disk is full or fails. Nothing of it is left."""

    exit_code = 1


class CatalogError(GalgenError, ValueError):
    """A catalogue file that is not what it claims to be."""

    exit_code = 4


class UnfinishedError(CatalogError):
    """A catalogue some of whose galaxies have not been made yet, or that has not been begun."""


class LedgerError(CatalogError):
    """The ledger of an unfinished catalogue is damaged, or of another galgen."""


class InterruptedRunError(GalgenError):
    """The user or the scheduler asked a run to stop; what was finished has been kept."""

    exit_code = 3


class WorkerLostError(GalgenError, RuntimeError):
    """A process that made galaxies has died; what was recorded is kept."""

    exit_code = 1


class MissingPackageError(GalgenError, ImportError):
    """An optional package that something needs is not installed.

    Parameters
    ----------
    what : str
        The package, or what needs it.
    extra : str
        The extra of galgen that installs it.
    error : ImportError
        What Python says.
    """

    def __init__(self, what: str, extra: str, error: ImportError) -> None:
        super().__init__(f"{what} is not installed ({error}): pip install 'galgen-astro[{extra}]'")


class NonFiniteOutputError(GalgenError, ArithmeticError):
    """The network produced NaN or infinity; galaxies finished before are kept."""

    exit_code = 1


class ImplausibleOutputError(GalgenError, ArithmeticError):
    """The network produced pixels that no galaxy has; galaxies finished before are kept."""

    exit_code = 1


class GalgenWarning(UserWarning):
    """What a user should know, though galgen goes on; the CLI prints it in one line."""


@contextmanager
def reading(
    path: str | Path,
    what: str,
    kind: type[GalgenError] = DataError,
    *,
    values: bool = False,
) -> Iterator[None]:
    """Turn whatever a damaged or hostile file makes its reader raise into one error that names it.

    What libraries raise on damaged bytes is no closed list: zlib.error, struct.error, LookupError,
    RecursionError, AttributeError of half-parsed headers. So all of it is caught; what was raised
    is the cause of the new error, where mistakes of galgen's own can be seen, too.

    Parameters
    ----------
    path : str or Path
        The file, for the message.
    what : str
        What it should be: 'a zip file'.
    kind : type of GalgenError
        What is raised.
    values : bool
        Whether an `InvalidValueError` in the block is the fault of the file, too, and not of who
        asked for it.

    Raises
    ------
    GalgenError
        Of `kind`. Other galgen errors pass as they are.
    """
    try:
        yield
    except InvalidValueError as error:
        if not values or isinstance(error, kind):
            raise
        raise kind(f"{path}: {error}") from error
    except GalgenError:
        raise
    except Exception as error:
        raise kind(
            f"{path}: cannot be read as {what}, it may be truncated or damaged ({_said(error)})."
        ) from error


def _said(error: Exception) -> str:
    """Return what another library says, as one line that is not long."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    named = text if text and isinstance(error, OSError) else f"{type(error).__name__}: {text}"
    return " ".join(_OBJECT.sub("", named).split())[:_LONGEST].strip(" .:")
