"""The guards' page before a scripted core."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from kiosk.guard.app import create_app
from kiosk.guard.line import CoreLine, GuardSettings
from tests.fixtures.browsers.guard_stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path).start()
    yield stage
    stage.stop()


@pytest.fixture
def app(stage: Stage) -> Iterator[Flask]:
    core = CoreLine(stage.core_path, stage.reader_path)
    yield create_app(core, GuardSettings())
    core.close()
