"""What can go wrong, in words for the person in front of the screen: a cause and what to do about it."""

from __future__ import annotations


class GASNetError(Exception):
    """Base of all errors that a person should read.

    Args:
        cause: one sentence that names what is wrong.
        advice: one sentence that says what to do; may be empty.
    """

    def __init__(self, cause: str, advice: str = "") -> None:
        super().__init__(cause, advice)
        self.cause = cause
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.cause} {self.advice}".strip()


class InputError(GASNetError):
    """An image that cannot be used: unreadable, wrong kind, broken geometry."""


class NotAChestCT(InputError):
    """An image that can be read, but that cannot be a chest CT."""


class ModelError(GASNetError):
    """A model file that is refused: truncated, foreign, too new, altered."""


class ResourceError(GASNetError):
    """The computer lacks something: memory, disk space, a device, a package."""


class PackageError(ResourceError):
    """A Python package that is missing or that cannot be loaded.

    Attributes:
        package: its name.
    """

    def __init__(self, package: str) -> None:
        super().__init__(
            f"The package {package} cannot be loaded: it is missing or half installed.",
            "Install it again with the button of the module.",
        )
        self.package = package


class Cancelled(GASNetError):
    """The person pressed Cancel."""

    def __init__(self) -> None:
        super().__init__("Cancelled.")


def in_words(error: Exception) -> str:
    """What an error of any kind means to the person: its own sentences, or the best that can be said."""
    reason = next(iter(str(error).strip().splitlines()), "").rstrip(".")
    if isinstance(error, GASNetError):
        return str(error)
    if isinstance(error, MemoryError):
        return "The memory is not enough. Close other programs, or crop the CT to the chest."
    package = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ImportError) and package not in ("", "GASNetLib"):
        again = f"Install it again: python -m pip install --force-reinstall {package}"
        return f"The package {package} cannot be loaded ({reason}). {again}"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename} cannot be opened ({error.strerror})."
    kind = type(error).__name__
    return f"It failed unexpectedly ({kind}{reason and ': '}{reason}); gasnet --traceback shows where."
