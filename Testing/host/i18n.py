"""`slicer.i18n`: translation functions; the host speaks English, so a text stays as it is."""

from __future__ import annotations

import inspect
from pathlib import Path


def getContext(sourceFile: str) -> str:
    """Return the translation context of a file: its name, within a package led by the package's name."""
    path = Path(sourceFile)
    return f"{path.parent.name}.{path.stem}" if (path.parent / "__init__.py").is_file() else path.stem


def translate(context: str, text: str) -> str:
    import slicer

    return slicer.app.translate(context, text) if hasattr(slicer, "app") else text


def tr(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"tr() translates a str, not {type(text).__name__}")
    return translate(getContext(inspect.currentframe().f_back.f_code.co_filename), text)
