"""The last lines before a crash: which are kept, how many, and that a failing card costs only them."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from kiosk import breadcrumb
from kiosk.breadcrumb import A_LINE_AGAIN_S, BURST, FILES, MOST_BYTES, Breadcrumb, command, follow, line_of

AT = {"__REALTIME_TIMESTAMP": "1764504000123456", "__MONOTONIC_TIMESTAMP": "12345678"}


def entry(message: str, who: str = "gate-core", **fields: str) -> dict[str, Any]:
    return {**AT, "MESSAGE": message, "SYSLOG_IDENTIFIER": who, "PRIORITY": "6", **fields}


def kernel(message: str, priority: int) -> dict[str, Any]:
    return entry(message, "kernel", _TRANSPORT="kernel", PRIORITY=str(priority))


@pytest.mark.parametrize(
    "wanted",
    [
        entry("ERROR core journal=unwritten why='No space left on device'"),
        entry("WARNING reader core=lost why='closed'"),
        entry("Fatal Python error: Aborted", "gate-reader"),
        entry("Error: the lane's screen does not come back: silent", "gate-screen"),
        entry("[0:01:02.345] [612] ERROR RPI pipeline_base.cpp:1367 Camera frontend has timed out!", "gate-reader"),
        kernel("hwmon hwmon1: Undervoltage detected!", 2),
        kernel("mmc0: error -110 whilst initialising SD card", 4),
        entry("gate-kiosk-core.service: Main process exited, code=killed", "systemd", UNIT="gate-kiosk-core.service"),
    ],
)
def test_what_tells_of_a_crash_is_kept(wanted: dict[str, Any]) -> None:
    line = line_of(wanted)
    assert line is not None
    assert line.startswith(f"2025-11-30T12:00:00.123Z up=12.346 {wanted['SYSLOG_IDENTIFIER']}: ")
    assert line.endswith(wanted["MESSAGE"])


@pytest.mark.parametrize(
    "unwanted",
    [
        entry("INFO core decided lane=entry outcome=grant"),
        entry("[0:01:02.345] [612] INFO Camera camera_manager.cpp:340 libcamera v0.6.0", "gate-reader"),
        entry("[47:80:1130/132458.5:ERROR:dbus/bus.cc:405] Failed to connect to the bus", "gate-screen"),
        kernel("usb 1-1: new high-speed USB device", 6),
        {**AT, "SYSLOG_IDENTIFIER": "gate-core"},
        {"MESSAGE": "ERROR core no time", "SYSLOG_IDENTIFIER": "gate-core"},
    ],
)
def test_a_line_for_each_presentation_is_not_kept(unwanted: dict[str, Any]) -> None:
    assert line_of(unwanted) is None


def test_a_message_stays_one_line_of_bounded_length() -> None:
    line = line_of(entry("ERROR core " + "a\nb" * 1000))
    assert line is not None
    assert "\n" not in line and len(line) < 600
    assert line_of({**entry(""), "MESSAGE": list("WARNING schöner".encode())}) is not None


def text(folder: Path) -> str:
    return "".join(path.read_text("utf-8") for name in reversed(FILES) if (path := folder / name).exists())


def test_a_loop_of_crashes_writes_a_burst_then_a_line_in_a_while(tmp_path: Path) -> None:
    now = 0.0
    crumb = Breadcrumb(tmp_path, lambda: now)
    crumb.keep([f"line {number}" for number in range(BURST + 50)])
    assert text(tmp_path).count("\n") == BURST
    now = A_LINE_AGAIN_S
    crumb.keep(["after a while"])
    assert text(tmp_path).splitlines()[-2:] == ["… 50 lines left out", "after a while"]


def test_two_files_hold_the_newest_lines_and_never_grow(tmp_path: Path) -> None:
    now = 0.0
    crumb = Breadcrumb(tmp_path, lambda: now)
    for number in range(0, 1500, 50):
        now += 50 * A_LINE_AGAIN_S
        crumb.keep([f"{one:05d} {'x' * 400}" for one in range(number, number + 50)])
    sizes = [(tmp_path / name).stat().st_size for name in FILES]
    assert max(sizes) <= MOST_BYTES
    kept = [int(line[:5]) for line in text(tmp_path).splitlines()]
    assert kept == list(range(kept[0], 1500)) and len(kept) > 300


def test_a_card_that_fails_costs_lines_and_not_the_program(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "card"
    crumb = Breadcrumb(folder)
    crumb.keep(["lost"])
    crumb.keep(["lost, too"])
    assert [record.message for record in caplog.records] == ["breadcrumb=unwritten why='No such file or directory'"]
    folder.mkdir()
    crumb.keep(["kept"])
    assert text(folder) == "kept\n"


def test_only_the_kernel_and_our_units_are_followed() -> None:
    words = command(None)
    assert {word.partition("=")[0] for word in words if "=" in word and word[0] != "-"} == {
        "_TRANSPORT", "_SYSTEMD_UNIT", "UNIT",
    }  # fmt: skip
    assert "--since" not in words
    assert command("12.5")[command("12.5").index("--since") + 1] == "@12.5"


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journalctl that prints what lies in the folder and then follows, or ends."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/journalctl"
    program.write_text(
        '#!/bin/sh\necho "$@" >>"$FOLDER/asked"\ncat "$FOLDER/entries"\n[ -e "$FOLDER/ends" ] || exec sleep 60\n',
        "utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("FOLDER", str(tmp_path))
    return tmp_path


def test_what_was_kept_in_this_boot_is_not_asked_for_again(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breadcrumb, "WAIT_S", 0.01)
    wanted = [entry("INFO core quiet"), entry("ERROR core loud")]
    (journal / "entries").write_text("".join(f"{json.dumps(one)}\n" for one in wanted) + "torn\n", "utf-8")
    stopping = threading.Event()

    def alive() -> None:
        if "loud" in text(journal):
            stopping.set()

    follow(journal, journal, stopping, alive)
    lines = text(journal).splitlines()
    assert lines[0].startswith("--- boot: ")
    assert lines[1].endswith("ERROR core loud")
    assert lines[2:] == ["--- stopped in order"]

    (journal / "ends").touch()
    with pytest.raises(EOFError):
        follow(journal, journal, threading.Event(), lambda: None)
    assert "--- again: " in text(journal)
    first, second = (journal / "asked").read_text("utf-8").splitlines()
    assert "--since" not in first
    assert "--since @1764504000.123457" in second
