"""Fixtures of the tests of both ends of the wire. Imports wait until a test asks: other tests need neither end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flask import Flask

    from sync.server.centre.writing import Centre
    from tests.fixtures.both_ends import Gate
    from tests.fixtures.centre import World
    from tests.fixtures.office import Office


os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in kiosk, which tests may import after numpy


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """A centre in the test's folder, whose clock stands still."""
    from sync.server.app import close_app
    from sync.server.centre.settings import Settings
    from tests.fixtures.both_ends import NOW_MS
    from tests.fixtures.centre import copy_empty, open_app

    copy_empty(tmp_path / "centre")
    app = open_app(Settings(state=tmp_path / "centre", watch=False, clock=lambda: NOW_MS))
    yield app
    close_app(app)


@pytest.fixture
def centre(app: Flask) -> Centre:
    from sync.server.app import centre_of

    return centre_of(app)


@pytest.fixture
def gates() -> Iterator[list[Gate]]:
    """Gates made by a test, let go of afterwards."""
    made: list[Gate] = []
    yield made
    for gate in made:
        gate.stop()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A centre with two compounds, 7 and 8."""
    from sync.server.app import close_app
    from tests.fixtures.centre import World

    made = World(tmp_path / "centre")
    yield made
    close_app(made.app)


@pytest.fixture
def office(world: World) -> Office:
    """A browser signed in for compound 7."""
    from tests.fixtures.office import Office

    return Office(world, "wang", mine=(7,))
