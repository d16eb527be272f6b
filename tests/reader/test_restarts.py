"""A real reader that hangs and dies beside a real core: it comes back, the page says so, the gate opens meanwhile."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from hardware import Picture
from kiosk import channel as ch
from kiosk import verbs
from kiosk.guard.app import create_app
from kiosk.guard.line import CoreLine, GuardSettings
from kiosk.together import Together, wait_until
from tests.fixtures.gate_parts import ANCHOR, BOX, PIN, usual_changes, write_list
from tests.fixtures.guard import Guard
from tests.fixtures.pictures.hostile import FILES, SIGHTS, as_file, slow_jpeg

LONG_S = 30.0


class Device:
    """Core and reader as processes of their own, started again when they end, and a guard signed in at the page."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.run = folder, Path(tempfile.mkdtemp(prefix="gk"))
        config = folder / "kiosk.toml"
        config.write_text(f"""
[gate]
state = "{folder}/state"
run = "{self.run}"
anchor = "{folder}/anchor.json"
[simulated]
folder = "{folder}/parts"
passage_after_s = 0.2
[[lane]]
name = "entry"
part = "simulated"
direction = "in"
[[camera]]
lane = "entry"
part = "simulated"
width = 320
height = 240
""")
        (folder / "anchor.json").write_bytes(msgspec.json.encode(ANCHOR))
        (folder / "state" / "core").mkdir(parents=True)
        (folder / "state" / "core" / "box.key").write_bytes(bytes(BOX))
        write_list(folder / "state" / "list", [], usual_changes())
        self.together = Together(config, folder, ("core", "reader"))
        self.client = ch.Client(self.run / "core-guard.sock")
        self.page_core = CoreLine(self.run / "core-guard.sock", self.run / "reader-guard.sock")
        if not wait_until(lambda: self.is_well() and (self.run / "reader-guard.sock").exists(), LONG_S):
            self.close()
            raise AssertionError(self.said())
        self.guard = Guard(create_app(self.page_core, GuardSettings()), "Lin", PIN)

    def said(self) -> str:
        return "".join(path.read_text() for path in self.folder.glob("*.log"))

    def lane(self) -> verbs.LaneState | None:
        try:
            return self.client.ask(verbs.STATE, verbs.Nothing()).lanes[0]
        except ch.ChannelError:
            return None

    def faults(self) -> list[str]:
        return self.client.ask(verbs.STATE, verbs.Nothing()).faults

    def is_well(self) -> bool:
        lane = self.lane()
        return lane is not None and lane.camera_ok

    def is_idle(self) -> bool:
        """Whether the person who was let through has gone."""
        lane = self.lane()
        return lane is not None and lane.phase == "idle"

    def restarts(self) -> int:
        lane = self.lane()
        return lane.reader_restarts if lane else 0

    def openings(self) -> int:
        path = self.folder / "parts" / "outputs.jsonl"
        return path.read_text().count('"what": "relay", "value": true') if path.exists() else 0

    def opens(self, how: Callable[[], object]) -> bool:
        assert wait_until(self.is_idle, LONG_S)
        before = self.openings()
        how()
        return wait_until(lambda: self.openings() > before, LONG_S)

    def press_button(self) -> None:
        level = self.folder / "parts" / "inputs" / "entry.guard_button"
        level.write_text("1")

    def release_button(self) -> None:
        (self.folder / "parts" / "inputs" / "entry.guard_button").write_text("0")

    def camera_suffers(self, trouble: str) -> None:
        (self.folder / "parts" / "inputs" / "entry.camera").write_text(trouble)

    def signal_reader(self, number: int) -> None:
        os.kill(self.together.children["reader"].pid, number)

    def photo(self, picture: bytes) -> str:
        """What the page says to a photo."""
        page = self.guard.post("/present/photo", lane="entry", photo=(io.BytesIO(picture), "p.jpg")).text
        said = re.search(r'class="problem".*?</span> (.*?)</p>', page)
        return said[1] if said else page

    def close(self) -> None:
        self.signal_reader(signal.SIGCONT)
        self.page_core.close()
        self.client.close()
        self.together.stop()
        shutil.rmtree(self.run)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    device = Device(tmp_path)
    yield device
    device.close()


def test_a_reader_that_hangs_and_is_killed_comes_back_and_the_gate_opens_meanwhile(device: Device) -> None:
    device.signal_reader(signal.SIGSTOP)
    assert wait_until(lambda: not device.is_well(), LONG_S)
    assert "识别程序停了，正在自己重启" in device.guard.page()
    assert device.opens(lambda: device.guard.press("/open")), "by the page"
    assert device.opens(device.press_button), "by the wired button"
    device.release_button()
    device.signal_reader(signal.SIGKILL)  # as a watchdog does
    assert wait_until(lambda: device.is_well() and device.restarts() == 1, LONG_S), device.said()
    assert "自己重启，1小时内 1 次" in device.guard.page()
    assert device.opens(lambda: device.guard.press("/open"))
    assert "reader=restarted why=unknown" in device.said()


@pytest.mark.slow
def test_a_reader_killed_again_and_again_is_back_each_time(device: Device) -> None:
    for times in range(1, 4):
        device.signal_reader(signal.SIGKILL)
        assert wait_until(lambda times=times: device.is_well() and device.restarts() == times, LONG_S), device.said()  # type: ignore[misc]
    page = device.guard.page()
    assert "1小时内 3 次" in page and "叫技术员" in page


def test_a_photo_under_which_the_reader_dies_is_answered_at_once_and_the_next_is_read(device: Device) -> None:
    answers: list[str] = []
    device.signal_reader(signal.SIGSTOP)
    sending = threading.Thread(target=lambda: answers.append(device.photo(b"\x89PNG and what ends a reader")))
    sending.start()
    assert wait_until(
        lambda: len(device.page_core._clients._free.queue) == 4, LONG_S
    )  # the core was asked, now the reader
    device.signal_reader(signal.SIGKILL)
    sending.join(LONG_S)
    assert "识别程序读这张照片时停了" in answers[0] or "识别程序没有回应" in answers[0]
    assert wait_until(lambda: device.is_well() and device.restarts() == 1, LONG_S), device.said()
    assert "照片里没读到新的二维码" in device.photo(slow_jpeg(1, (64, 64)))


@pytest.mark.slow
def test_hostile_photos_one_after_the_other_end_nothing_and_the_lane_reads_on(device: Device) -> None:
    draw = np.random.default_rng(7)
    for name in ("finders", "broken_codes", "coarse_noise"):
        assert "照片里没读到新的二维码" in device.photo(png_of(SIGHTS[name](draw, (2000, 1500)))), name
    for raw in (slow_jpeg(2000), FILES["largest_png"](draw), FILES["lying_png"](draw), FILES["deep"](draw)):
        assert "照片里没读到新的二维码" in device.photo(raw)
    shown = device.page_core.ask_reader(verbs.SHOW, verbs.Show("entry", [FILES["good"](np.random.default_rng(1))]), b"")
    assert [answer.lane for answer in shown.presented] == ["entry"], shown.why
    assert device.restarts() == 0, device.said()


def test_a_camera_in_trouble_is_named_on_the_page_while_the_gate_opens_and_then_it_reads_on(device: Device) -> None:
    for trouble, fault, told in (("black", "camera_black", "一片黑"), ("hangs", "camera_hung", "没有画面")):
        device.camera_suffers(trouble)
        assert wait_until(lambda fault=fault: fault in device.faults(), LONG_S), device.said()  # type: ignore[misc]
        assert told in device.guard.page()
    assert device.opens(lambda: device.guard.press("/open"))
    device.camera_suffers("")
    assert wait_until(device.is_well, LONG_S), device.said()
    shown = device.page_core.ask_reader(verbs.SHOW, verbs.Show("entry", [FILES["good"](np.random.default_rng(1))]), b"")
    assert [answer.lane for answer in shown.presented] == ["entry"], shown.why


def png_of(luma: Picture) -> bytes:
    return as_file(Image.fromarray(luma), "PNG")


def test_a_restart_in_order_is_no_news(device: Device) -> None:
    before = device.together.children["reader"].pid
    device.signal_reader(signal.SIGTERM)
    assert wait_until(lambda: device.together.children["reader"].pid != before, LONG_S)
    assert wait_until(device.is_well, LONG_S)
    assert device.restarts() == 0, device.said()
