"""A Slicer session for each widget test: of the test host, or the real one that the tests run in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

IN_SLICER = hasattr(slicer, "app")
if IN_SLICER:
    from real_slicer import RealSlicer
else:
    pytest.importorskip("PySide6", reason="the test host needs PySide6-Essentials")
    from host.session import Host

if TYPE_CHECKING:
    Session = Host | RealSlicer

REPOSITORY = Path(__file__).resolve().parents[2]


def _ended(session: Session) -> None:
    found = session.close()
    assert not found, "Slicer would have printed and gone on:\n\n" + "\n\n".join(found)


@pytest.fixture
def host() -> Iterator[Session]:
    """A Slicer with its main window. What fails in a slot fails the test."""
    session = RealSlicer() if IN_SLICER else Host(with_main_window=True)
    yield session
    _ended(session)


@pytest.fixture
def only_in_the_host() -> None:
    """What a test does to Slicer itself cannot be done to a real one."""
    if IN_SLICER:
        pytest.skip("only the test host can do this")


@pytest.fixture
def windowless_host(only_in_the_host) -> Iterator[Session]:
    """A Slicer without a main window: no layout manager, as in Slicer's generic module tests."""
    session = Host(with_main_window=False)
    yield session
    _ended(session)


@pytest.fixture
def load_module(host: Session) -> Callable[[str], Any]:
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
