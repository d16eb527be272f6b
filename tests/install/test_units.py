"""The units as systemd reads them: valid, independent, shut in, and the sockets in the right hands."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import msgspec
import pytest

from kiosk.config import Config, parse
from kiosk.core.guards.post import CHECKED_AT_ONCE
from kiosk.reader.caps import DATA_BYTES, HANG_S
from sync.server.centre.settings import Settings

SYSTEMD = Path(__file__).parents[2] / "systemd"
SERVICES = ("core", "reader", "guard", "sync")
ASIDE = ("breadcrumb", "screen")
"""What runs beside the four: none of them knows it."""
MOST_EXPOSED = {"core": 1.0, "reader": 1.5, "guard": 1.5, "sync": 1.5, "breadcrumb": 1.5, "screen": 2.5}
PAIRS = {  # socket -> (who listens, who may connect)
    "core-reader": ("core", "reader"),
    "core-guard": ("core", "guard"),
    "core-sync": ("core", "sync"),
    "reader-guard": ("reader", "guard"),
}
STATES = ("core", "list", "sync")
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")


def unit_files() -> list[Path]:
    return sorted(SYSTEMD.rglob("gate-kiosk*.*"))


def settings(unit: str) -> dict[str, list[str]]:
    """Every setting of a unit file, in the order it is given."""
    found: dict[str, list[str]] = defaultdict(list)
    (path,) = SYSTEMD.rglob(f"gate-kiosk{unit}")
    for line in path.read_text("utf-8").splitlines():
        if re.match(r"[A-Z]\w*=", line):
            key, _, value = line.partition("=")
            found[key].append(value)
    return found


@pytest.fixture
def as_installed(tmp_path: Path) -> Path:
    """The units with a program in them that exists here, so that only our own mistakes are reported."""
    for path in unit_files():
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", path.read_text("utf-8"), flags=re.MULTILINE)
        text = re.sub(r"^(User|Group|SocketUser|SocketGroup)=.*$", r"\1=root", text, flags=re.MULTILINE)
        (tmp_path / path.name).write_text(text, "utf-8")
    return tmp_path


@needs_systemd
def test_systemd_has_nothing_to_say_against_any_unit(as_installed: Path) -> None:
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(str(path) for path in as_installed.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in said.stderr.splitlines() if "gate-kiosk" in line]
    assert ours == []


@needs_systemd
@pytest.mark.parametrize("service", (*SERVICES, *ASIDE))
def test_exposure_stays_under_its_limit(service: str) -> None:
    (unit,) = SYSTEMD.rglob(f"gate-kiosk-{service}.service")
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    score = re.search(r"Overall exposure level .*: ([0-9.]+)", said.stdout)
    assert score, said.stderr
    assert float(score[1]) <= MOST_EXPOSED[service]


@pytest.mark.parametrize(("pair", "sides"), PAIRS.items())
def test_socket_belongs_to_its_listener_and_opens_to_its_one_peer(pair: str, sides: tuple[str, str]) -> None:
    listener, peer = sides
    socket = settings(f"-{pair}.socket")
    assert socket["ListenStream"] == [f"{Config(lane=()).gate.run}/{pair}.sock"]
    assert socket["FileDescriptorName"] == [pair]
    assert socket["Service"] == [f"gate-kiosk-{listener}.service"]
    assert (socket["SocketUser"], socket["SocketGroup"]) == ([f"gate-{listener}"], [f"gate-{peer}"])
    assert socket["SocketMode"] == ["0660"]


@pytest.mark.parametrize("service", SERVICES)
def test_service_takes_exactly_the_sockets_it_listens_on(service: str) -> None:
    given = " ".join(settings(f"-{service}.service")["Sockets"]).split()
    assert given == [f"gate-kiosk-{pair}.socket" for pair, (listener, _) in PAIRS.items() if listener == service]


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_is_stopped_by_another(service: str) -> None:
    unit = settings(f"-{service}.service")
    assert not unit.keys() & {"Requires", "Requisite", "BindsTo", "After", "Before", "Conflicts", "Upholds"}
    assert unit["PartOf"] == ["gate-kiosk.target"]
    assert (unit["Restart"], unit["StartLimitIntervalSec"]) == (["always"], ["0"])
    assert (unit["Type"], bool(unit["WatchdogSec"])) == (["notify"], True)


def test_no_folder_that_vanishes_with_its_unit_is_shared() -> None:
    everything = (*SERVICES, *ASIDE)
    folders = [folder for service in everything for folder in settings(f"-{service}.service")["RuntimeDirectory"]]
    assert len(set(folders)) == len(folders) == len(everything)
    assert "gate-kiosk" not in folders  # the sockets' folder


@pytest.mark.parametrize("service", ASIDE)
def test_what_runs_beside_the_four_comes_back_and_has_none_of_their_state(service: str) -> None:
    unit = settings(f"-{service}.service")
    assert unit["PartOf"] == ["gate-kiosk.target"]
    assert (unit["Restart"], unit["StartLimitIntervalSec"]) == (["always"], ["0"])
    assert (unit["Type"], bool(unit["WatchdogSec"])) == (["notify"], True)
    assert unit["User"] == [f"gate-{service}"]
    hidden = " ".join(unit["InaccessiblePaths"])
    assert hidden == "-/var/lib/gate-kiosk" or all(f"-/var/lib/gate-kiosk/{name}" in hidden for name in STATES)
    assert int(unit["OOMScoreAdjust"][0]) > int(settings("-reader.service")["OOMScoreAdjust"][0])
    assert not unit.keys() & {"Requires", "Requisite", "BindsTo", "Upholds", "Before"}


def test_the_screens_browser_reaches_this_device_alone_and_writes_nothing_to_the_card() -> None:
    unit = settings("-screen.service")
    assert (unit["IPAddressDeny"], unit["IPAddressAllow"]) == (["any"], ["localhost"])
    assert (unit["SocketBindDeny"], unit["ProtectSystem"]) == (["any"], ["strict"])
    assert not unit["StateDirectory"] and not unit["ReadWritePaths"]
    assert {value.split()[0] for value in unit["DeviceAllow"]} == {"char-drm", "char-alsa"}
    assert unit["MemoryDenyWriteExecute"] == ["yes"]


def test_core_has_no_network_and_no_device_but_pins() -> None:
    unit = settings("-core.service")
    assert unit["PrivateNetwork"] == ["yes"]
    assert unit["RestrictAddressFamilies"] == ["AF_UNIX"]
    assert unit["DeviceAllow"] == ["char-gpiochip rw"]


@pytest.mark.parametrize("service", ["core", "sync"])
def test_keys_journal_and_token_lie_in_a_folder_of_their_owner_alone(service: str) -> None:
    unit = settings(f"-{service}.service")
    assert unit["StateDirectory"] == [f"gate-kiosk/{service}"] and unit["StateDirectoryMode"] == ["0700"]
    assert unit["User"] == unit["Group"] == [f"gate-{service}"]
    others = [settings(f"-{other}.service")["User"] for other in SERVICES if other != service]
    assert unit["User"] not in others


def test_two_pins_are_checked_at_once_within_the_cores_memory(tmp_path: Path) -> None:
    """48 MB is what a core takes at rest (measured); half of it more is left over."""
    most = int(settings("-core.service")["MemoryMax"][0].removesuffix("M")) << 20
    assert CHECKED_AT_ONCE * Settings(state=tmp_path).pin_memory_bytes + (48 << 20) * 3 // 2 <= most


def test_reader_has_cameras_and_no_network_and_no_state() -> None:
    unit = settings("-reader.service")
    assert unit["PrivateNetwork"] == ["yes"]
    assert {value.split()[0] for value in unit["DeviceAllow"]} == {"char-video4linux", "char-media", "char-dma_heap"}
    assert unit["InaccessiblePaths"] == ["-/var/lib/gate-kiosk"]
    assert not unit["StateDirectory"]


def test_a_reader_that_a_picture_ends_is_back_a_second_later_as_often_as_it_takes() -> None:
    unit = settings("-reader.service")
    assert (unit["RestartSec"], unit["StartLimitIntervalSec"]) == (["1"], ["0"])
    assert not unit.keys() & {"RestartSteps", "RestartMaxDelaySec", "StartLimitBurst"}
    assert int(unit["WatchdogSec"][0]) >= HANG_S, "its own watchdog says more before it ends"
    assert unit["LimitDATA"] == [f"{DATA_BYTES >> 20}M"]


def test_only_the_guards_page_may_listen_and_it_has_no_state_and_no_device() -> None:
    page, sync = settings("-guard.service"), settings("-sync.service")
    assert page["InaccessiblePaths"] == ["-/var/lib/gate-kiosk"]
    assert (page["PrivateDevices"], sync["PrivateDevices"]) == (["yes"], ["yes"])
    assert sync["SocketBindDeny"] == ["any"]
    assert sync["UMask"] == ["0007"]


def test_nothing_a_unit_writes_is_open_to_other_users() -> None:
    told = {
        path.name: re.findall(r"^UMask=(\d+)", path.read_text("utf-8"), re.M) for path in SYSTEMD.rglob("*.service")
    }
    assert len(told) > 5 and all(len(masks) == 1 and masks[0].endswith("7") for masks in told.values()), told


@pytest.mark.parametrize("service", SERVICES)
def test_traps_stay_avoided(service: str) -> None:
    unit = settings(f"-{service}.service")
    assert not unit["PrivateUsers"]  # peers would appear as 65534
    if service in ("core", "reader"):
        assert not unit["ProcSubset"]  # gpiozero and libcamera read /proc outside the processes
    # `python -m` would otherwise look for the program in the working directory, which the service can write.
    assert " -P -m kiosk " in unit["ExecStart"][0]


def test_every_unit_is_started_by_the_target() -> None:
    units = [path for path in unit_files() if path.suffix in (".service", ".socket")]
    assert len(units) == len(SERVICES) + len(ASIDE) + len(PAIRS)
    for path in units:
        assert settings(path.name.removeprefix("gate-kiosk"))["WantedBy"] == ["gate-kiosk.target"]


def test_example_configuration_is_valid_as_it_stands() -> None:
    config = parse((SYSTEMD / "kiosk.example.toml").read_text("utf-8"))
    assert [lane.part for lane in config.lane] == ["gpiozero"]
    assert [camera.part for camera in config.camera] == ["picamera2"]


def keys(struct: type[msgspec.Struct]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(struct)}


def test_example_configuration_shows_every_key() -> None:
    text = (SYSTEMD / "kiosk.example.toml").read_text("utf-8")
    whole = parse(re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE))
    sections = [whole.gate, whole.centre, whole.guard, whole.screen, whole.simulated, whole.lane[0], whole.camera[0]]
    for section in sections:
        for key in keys(type(section)):
            assert re.search(rf"^(# )?{key} = ", text, re.MULTILINE), key
    for key in keys(Config):
        assert re.search(rf"^\[?\[{key}\]\]?", text, re.MULTILINE), key
