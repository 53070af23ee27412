"""A Slicer session for each widget test, from the test host."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6", reason="the test host needs PySide6-Essentials")
pytest.importorskip("slicer_core", reason="the test host needs slicer-core")

from host.session import Host

REPOSITORY = Path(__file__).resolve().parents[2]


def _session(with_main_window: bool) -> Iterator[Host]:
    host = Host(with_main_window)
    yield host
    found = host.close()
    assert not found, "Slicer would have printed and gone on:\n\n" + "\n\n".join(found)


@pytest.fixture
def host() -> Iterator[Host]:
    """A Slicer with its main window. What fails in a slot fails the test."""
    yield from _session(with_main_window=True)


@pytest.fixture
def windowless_host() -> Iterator[Host]:
    """A Slicer without a main window: no layout manager, as in Slicer's generic module tests."""
    yield from _session(with_main_window=False)


@pytest.fixture
def load_module(host: Host) -> Callable[[str], Any]:
    """Load one of the repository's modules by its name and show it; returns its Python widget."""

    def load(name: str) -> Any:
        host.load_module(REPOSITORY / name / f"{name}.py")
        return host.open_module(name)

    return load


@pytest.fixture(autouse=True)
def same_packages_afterwards():
    """A module that is loaded anew brings new classes; tests of other folders hold the old ones."""

    def ours() -> dict:
        return {name: module for name, module in sys.modules.items() if name.startswith("GASNet")}

    before = ours()
    yield
    for name in ours():
        del sys.modules[name]
    sys.modules.update(before)
