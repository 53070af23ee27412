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
