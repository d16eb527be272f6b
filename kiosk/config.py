"""The device's configuration: ``kiosk.toml`` read once into frozen objects.

What a compound decides (rules, accounts, names) comes from the centre; here stands only what belongs to this box: its
pins, its camera, its folders, its addresses. An unknown or wrong key is an error that names the full key.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from hardware import INPUTS, LIGHTS, CameraSettings, Wiring
from sync.hosts import host_of

USABLE_PINS = frozenset(range(9, 28)) - {14, 15}
"""BCM numbers that a Pi pulls down at boot and that no console uses, so that nothing opens at power-up."""


class ConfigError(Exception):
    """The configuration cannot be used; the text names the key and what is wrong with it."""


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class GateSection(_Section, frozen=True):
    """Folders of this device."""

    state: str = "/var/lib/gate-kiosk"
    """Holds ``core/`` (journal, clock, keys), ``list/`` (the list), ``sync/`` (device token)."""
    run: str = "/run/gate-kiosk"
    """Holds the sockets between the processes."""
    anchor: str = "/etc/gate-kiosk/anchor.json"
    """Whom this gate trusts; written by root at enrolment."""


class CentreSection(_Section, frozen=True):
    url: str = ""
    ca: str = ""
    """PEM file of the centre's certificate authority; empty: the system's."""


class GuardSection(_Section, frozen=True):
    host: str = "0.0.0.0"
    """Guards open the page from their phones in the yard."""
    port: int = 8080
    tls_cert: str = ""
    """PEM file of the page's certificate and those above it; empty: plain HTTP, and PINs travel in the clear."""
    tls_key: str = ""
    hosts: tuple[str, ...] = ()
    """Names under which guards open the page, beside the device's own name and its addresses."""
    screen_elsewhere: bool = False
    """The lane's screen is shown to this very device only, unless it hangs on another machine."""


class ScreenSection(_Section, frozen=True):
    """What the lane shows, and the display that hangs on this very device."""

    grant_s: float = 3.0
    """How long a result is shown, in seconds; a new presentation replaces it at once."""
    other_s: float = 5.0
    display: Literal["none", "hdmi"] = "none"
    """``hdmi`` is also right for a panel on the board's display connector (DSI)."""
    lane: str = ""
    """The lane it shows; empty: the first one."""
    rotate: Literal[0, 90, 180, 270] = 0
    touch: bool = False
    """Touch screens reach the page; nothing does without it, and keyboards and mice never do."""
    sound: Literal["none", "hdmi", "jack"] = "none"
    volume: int = 80
    """Of the screen's sounds, in percent; at ``night`` it is ``night_volume``."""
    night_volume: int = 30
    night: str = "22:00-07:00"
    voices: str = ""
    """Folder of spoken words (``grant.1-zh.ogg`` and so on); empty: tones alone."""
    tls_name: str = ""
    """With HTTPS, the name in the page's certificate."""


class SimulatedSection(_Section, frozen=True):
    """For parts that are ``simulated``: nothing here matters on a gate with real ones."""

    folder: str = ""
    passage_after_s: float | None = None
    """A car drives through this long after each opening; unset: only when an input file says so."""
    passes: str = ""
    """Folder of demo passes the guards' page can hold up."""


class LaneSection(Wiring, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One controlled opening: its wiring, and how it behaves."""

    name: str
    title_zh: str = ""
    """What people call it; empty: made from the direction (:meth:`Config.title`)."""
    title_en: str = ""
    direction: Literal["in", "out", "both"]
    lock: Literal["barrier", "turnstile", "strike", "maglock"] = "barrier"
    """What the relay drives, and so what power loss does: a maglock opens, a barrier and a strike stay."""
    mode: Literal["pulse", "hold"] = "pulse"
    pulse_ms: int = 500
    passage_timeout_s: float = 12.0
    """How long after opening the passage may come before it counts as not passed."""
    settle_s: float = 1.0
    """``hold`` only: how long the opening stays asked for after the passage has cleared."""


_TITLES = {"in": ("入口", "Entry"), "out": ("出口", "Exit"), "both": ("出入口", "Entry and exit")}
_LONGEST_TITLE = 30


class Config(_Section, frozen=True, kw_only=True):
    """All of ``kiosk.toml``."""

    gate: GateSection = GateSection()
    centre: CentreSection = CentreSection()
    guard: GuardSection = GuardSection()
    screen: ScreenSection = ScreenSection()
    simulated: SimulatedSection = SimulatedSection()
    lane: tuple[LaneSection, ...]
    camera: tuple[CameraSettings, ...] = ()

    def socket(self, pair: str) -> Path:
        """The socket of a pair of processes: core-reader, core-guard, core-sync or reader-guard."""
        return Path(self.gate.run) / f"{pair}.sock"

    @property
    def core_state(self) -> Path:
        return Path(self.gate.state) / "core"

    @property
    def list_folder(self) -> Path:
        return Path(self.gate.state) / "list"

    @property
    def sync_state(self) -> Path:
        return Path(self.gate.state) / "sync"

    @property
    def screen_lane(self) -> str:
        """The lane that the display on this device shows."""
        return self.screen.lane or self.lane[0].name

    def title(self, lane: LaneSection) -> tuple[str, str]:
        """What guards and residents read (zh, en): as configured, else by direction, and name where others share it."""
        alike = sum(other.direction == lane.direction for other in self.lane) > 1
        zh, en = (f"{title} {lane.name}" if alike else title for title in _TITLES[lane.direction])
        return lane.title_zh or zh, lane.title_en or en

    @property
    def screen_night(self) -> tuple[int, int]:
        """From which minute of the day until which the screen's sounds are low."""
        begins, _, ends = self.screen.night.partition("-")
        return _minute(begins), _minute(ends)

    @property
    def real_cameras(self) -> int:
        """How many cameras the device should have."""
        return sum(camera.part != "simulated" for camera in self.camera)

    def simulated_parts(self) -> list[str]:
        """What is not real on this device, for the permanent banner."""
        lanes = [f"barrier {lane.name}" for lane in self.lane if lane.part == "simulated"]
        return lanes + [f"camera {camera.lane}" for camera in self.camera if camera.part == "simulated"]


_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def _minute(clock: str) -> int:
    """The minute of the day of ``22:00``. Raises ValueError."""
    found = _CLOCK.fullmatch(clock.strip())
    if found is None:
        raise ValueError(clock)
    return int(found[1]) * 60 + int(found[2])


_AT_PATH = re.compile(r" - at `\$\.?(?P<path>.*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`")
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`")


def _in_words(text: str) -> str:
    """msgspec's message as `full.key: what is wrong`."""
    found = _AT_PATH.search(text)
    path, what = (found["path"], text[: found.start()]) if found else ("", text)
    for pattern, wording in ((_UNKNOWN, "unknown key"), (_MISSING, "is missing")):
        named = pattern.match(what)
        if named:
            return f"{'.'.join(filter(None, (path, named['name'])))}: {wording}"
    return f"{path or 'the file'}: {what}"


def parse(text: str) -> Config:
    """The configuration in a TOML text. Raises ConfigError."""
    try:
        config = msgspec.convert(tomllib.loads(text), Config)
    except tomllib.TOMLDecodeError as err:
        raise ConfigError(f"not valid TOML: {err}") from err
    except msgspec.ValidationError as err:
        raise ConfigError(_in_words(str(err))) from err
    problem = next(_problems(config), None)
    if problem:
        raise ConfigError(problem)
    return config


def load(path: Path) -> Config:
    """The configuration in a file. Raises ConfigError, which names the file."""
    try:
        return parse(path.read_text("utf-8"))
    except OSError as err:
        raise ConfigError(f"{path}: {err.strerror}") from err
    except UnicodeDecodeError as err:
        raise ConfigError(f"{path}: not UTF-8 text") from err
    except ConfigError as err:
        raise ConfigError(f"{path}: {err}") from err


def _problems(config: Config) -> Iterator[str]:
    if not config.lane:
        yield "lane: at least one [[lane]] is needed"
    names = Counter(lane.name for lane in config.lane)
    for name, count in names.items():
        if count > 1:
            yield f"lane.name: {name!r} is used {count} times"
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,30}", name):
            yield f"lane.name: {name!r} must be small letters, digits, - and _, and begin with a letter"
    for at, lane in enumerate(config.lane):
        yield from _lane_problems(f"lane[{at}]", lane)
    yield from _title_problems(config)
    yield from _screen_problems(config)
    if bool(config.guard.tls_cert) != bool(config.guard.tls_key):
        missing, given = ("key", "cert") if config.guard.tls_cert else ("cert", "key")
        yield f"guard.tls_{missing}: is missing, where guard.tls_{given} is set"
    for at, host in enumerate(config.guard.hosts):
        if not host or host_of(f"[{host}]" if ":" in host else host) != host.lower():
            yield f"guard.hosts[{at}]: {host!r} is no name or address, without http:// and without a port"
    yield from _pin_problems(config)
    for at, camera in enumerate(config.camera):
        if camera.lane not in names:
            yield f"camera[{at}].lane: no lane is named {camera.lane!r}"
        if camera.lane in {other.lane for other in config.camera[:at]}:
            yield f"camera[{at}].lane: {camera.lane!r} has a camera already"
        if camera.port and camera.port in {other.port for other in config.camera[:at]}:
            yield f"camera[{at}].port: {camera.port!r} is another camera's already"
    yield from _range_problems(config)


def _screen_problems(config: Config) -> Iterator[str]:
    if config.screen.lane and config.screen.lane not in {lane.name for lane in config.lane}:
        yield f"screen.lane: no lane is named {config.screen.lane!r}"
    try:
        _ = config.screen_night
    except ValueError:
        yield f"screen.night: {config.screen.night!r} is not like 22:00-07:00"
    if config.screen.display == "none":
        return
    if config.guard.host not in ("0.0.0.0", "::", "127.0.0.1"):
        yield f"screen.display: the page answers on {config.guard.host} only; guard.host must be 0.0.0.0 or 127.0.0.1"
    if config.guard.tls_cert and not config.screen.tls_name:
        yield "screen.tls_name: is missing, where guard.tls_cert and screen.display are set"


def _title_problems(config: Config) -> Iterator[str]:
    """A guard who cannot tell two lanes apart opens the wrong one."""
    for which, key in enumerate(("title_zh", "title_en")):
        taken: dict[str, int] = {}
        for at, lane in enumerate(config.lane):
            title = config.title(lane)[which]
            if len(title) > _LONGEST_TITLE:
                yield f"lane[{at}].{key}: longer than {_LONGEST_TITLE} characters"
            if title in taken:
                yield f"lane[{at}].{key}: {title!r} is the title of lane[{taken[title]}] too"
            taken[title] = at


def _lane_problems(key: str, lane: LaneSection) -> Iterator[str]:
    if lane.part == "gpiozero" and lane.relay is None:
        yield f"{key}.relay: is missing"
    if lane.mode == "hold" and lane.part == "gpiozero" and lane.passage is None:
        # The arm may fall only after the car has left, and only an input can tell.
        yield f"{key}.mode: hold needs a passage input"
    for name in lane.active_high:
        if name not in INPUTS:
            yield f"{key}.active_high: {name!r} is not one of {', '.join(INPUTS)}"


def _pins(config: Config) -> Iterator[tuple[str, int]]:
    for at, lane in enumerate(config.lane):
        for name in ("relay", "illumination", *LIGHTS, *INPUTS):
            pin = getattr(lane, name)
            if pin is not None and lane.part == "gpiozero":
                yield f"lane[{at}].{name}", pin


def _pin_problems(config: Config) -> Iterator[str]:
    taken: dict[int, str] = {}
    for key, pin in _pins(config):
        if pin not in USABLE_PINS:
            yield f"{key}: GPIO {pin} cannot be used (9-27 without 14 and 15)"
        if pin in taken:
            yield f"{key}: GPIO {pin} is already {taken[pin]}"
        taken[pin] = key


def _range_problems(config: Config) -> Iterator[str]:
    def outside(key: str, value: float, low: float, high: float) -> Iterator[str]:
        if not low <= value <= high:
            yield f"{key}: {value} is not between {low} and {high}"

    yield from outside("guard.port", config.guard.port, 0, 65535)
    yield from outside("screen.volume", config.screen.volume, 0, 100)
    yield from outside("screen.night_volume", config.screen.night_volume, 0, 100)
    yield from outside("screen.grant_s", config.screen.grant_s, 0.5, 60)
    yield from outside("screen.other_s", config.screen.other_s, 0.5, 60)
    yield from outside("simulated.passage_after_s", config.simulated.passage_after_s or 0.0, 0, 60)
    for at, lane in enumerate(config.lane):
        yield from outside(f"lane[{at}].pulse_ms", lane.pulse_ms, 50, 5000)
        yield from outside(f"lane[{at}].debounce_ms", lane.debounce_ms, 0, 400)
        for name in INPUTS:
            yield from outside(f"lane[{at}].input_debounce_ms.{name}", lane.debounce_of(name), 0, 400)
        yield from outside(f"lane[{at}].passage_timeout_s", lane.passage_timeout_s, 1, 120)
        yield from outside(f"lane[{at}].settle_s", lane.settle_s, 0, 30)
    for at, camera in enumerate(config.camera):
        yield from outside(f"camera[{at}].width", camera.width, 320, 4608)
        yield from outside(f"camera[{at}].height", camera.height, 240, 2592)
        yield from outside(f"camera[{at}].frame_us", camera.frame_us, 8_000, 500_000)
        yield from outside(f"camera[{at}].exposure_us", camera.exposure_us, 100, 100_000)
        yield from outside(f"camera[{at}].distance_cm", camera.distance_cm, 5, 300)
        if camera.lens_mm is not None:
            yield from outside(f"camera[{at}].lens_mm", camera.lens_mm, 1, 100)


def in_force(config: Config) -> dict[str, Any]:
    """Every key with its value, defaults filled in: what ``python -m kiosk config`` prints."""
    return dict(msgspec.to_builtins(config))
