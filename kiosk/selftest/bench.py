"""What the steps work on: the board as files and programs, the gate's parts, and the person who looks and acts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from hardware import Camera, CameraSettings, HardwareError, LaneParts
from hardware.opening import open_camera, open_lane
from kiosk.commands.check import ask_core
from kiosk.config import Config, LaneSection
from kiosk.guard.words import Pair
from kiosk.verbs import GateState

Answer = Literal["done", "no", "skip", "stop", "nobody"]

UNITS = ("gate-kiosk-core", "gate-kiosk-reader", "gate-kiosk-guard", "gate-kiosk-sync")
READER = "gate-kiosk-reader"
CORE = "gate-kiosk-core"
TARGET = "gate-kiosk.target"
STOPPED_WITH = {CORE: (TARGET,), READER: (f"{READER}-guard.socket", READER)}
FIRST_FRAME_S = 10.0
"""A camera that has just been opened takes its time, on a busy board above all."""
WELL_S = 90.0
"""How long after a start all four processes may take: a Pi 3B+ with a slow card takes most of it."""


class Ran(NamedTuple):
    """How a program ended, and what it printed on both channels."""

    code: int
    out: str


class Person(Protocol):
    """Who stands before the board."""

    def tell(self, text: Pair) -> None: ...

    def ask(self, question: Pair) -> Answer:
        """Wait for an answer: done (or yes), no, skip this, stop for now; ``nobody`` is there to answer."""
        ...


class Machine:
    """The board: files below ``root``, and programs. A file or a program that is not there is None, never an error."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def text(self, name: str) -> str | None:
        """What a file says, without the zero byte that ends texts of a device tree."""
        try:
            return self.path(name).read_bytes().decode("utf-8", "replace").strip("\0\n ")
        except OSError:
            return None

    def number(self, name: str) -> int | None:
        said = self.text(name)
        return int(said) if said and said.lstrip("-").isdigit() else None

    def write(self, name: str, text: str) -> bool:
        """Write into a file that is there; whether it took it."""
        try:
            with self.path(name).open("r+") as file:
                file.write(text)
        except OSError:
            return False
        return True

    def run(self, *command: str, timeout: float = 30.0) -> Ran | None:
        try:
            ran = subprocess.run(  # noqa: S603
                command, capture_output=True, text=True, errors="replace", timeout=timeout, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return Ran(ran.returncode, ran.stdout + ran.stderr)

    @contextmanager
    def holding(self, pin: int, on: bool) -> Iterator[Callable[[], None]]:
        """Another process holds a pin as an output, on or off; yields what kills it at once (SIGKILL).

        Raises HardwareError where it cannot be had.
        """
        command = [sys.executable, "-P", "-m", "kiosk.selftest.holder", str(pin), "on" if on else "off"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:  # noqa: S603
            try:
                said = holder.stdout.readline().strip() if holder.stdout else ""
                if said != "held":
                    raise HardwareError(said or f"GPIO{pin} cannot be had")
                yield holder.kill
            finally:
                holder.kill()

    @property
    def boot_id(self) -> str:
        return self.text("/proc/sys/kernel/random/boot_id") or ""

    @property
    def is_root(self) -> bool:
        return os.geteuid() == 0

    def active(self, unit: str) -> bool:
        ran = self.run("systemctl", "is-active", unit)
        return ran is not None and ran.out.strip() == "active"

    def property_of(self, unit: str, name: str) -> str:
        """One property of a unit, as systemd says it; empty without systemd."""
        ran = self.run("systemctl", "show", "-p", name, "--value", unit)
        return ran.out.strip() if ran and ran.code == 0 else ""


class Bench:
    """Everything a step may use. ``folder`` keeps what a step has to remember over a boot; ``opened`` and ``lanes``
    open parts, ``clock`` and ``wait`` are the time's."""

    def __init__(
        self,
        config: Config,
        folder: Path,
        person: Person,
        machine: Machine,
        config_path: Path = Path("/etc/gate-kiosk/kiosk.toml"),
        opened: Callable[[CameraSettings, str, int], Camera] = open_camera,
        lanes: Callable[..., LaneParts] = open_lane,
        asked: Callable[[Config], GateState | None] = ask_core,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self.config = config
        self.config_path = config_path
        self.folder = folder
        self.person = person
        self.machine = machine
        self.clock = clock
        self.wait = wait
        self._opened = opened
        self._lanes = lanes
        self._asked = asked
        self._stopped: list[str] = []

    @contextmanager
    def camera(self, lane: str) -> Iterator[Camera]:
        """The camera of a lane, for us alone and with its first frame there: the reader is stopped until
        :meth:`restore`. Raises HardwareError."""
        self.stop(READER)
        camera = self._opened(self.settings(lane), self.config.simulated.folder, self.config.real_cameras)
        try:
            with camera.frame(timeout=FIRST_FRAME_S):
                pass
            yield camera
        finally:
            camera.close()

    @contextmanager
    def lane(self, lane: str) -> Iterator[LaneParts]:
        """The pins of a lane, for us alone: the core is stopped until :meth:`restore`. Raises HardwareError."""
        self.stop(CORE)
        parts = self._lanes(lane, self.wiring(lane), self.config.simulated.folder)
        try:
            yield parts
        finally:
            for part in (parts.relay, parts.lights, parts.inputs, parts.illumination):
                part.close()

    def settings(self, lane: str) -> CameraSettings:
        return next(camera for camera in self.config.camera if camera.lane == lane)

    def wiring(self, lane: str) -> LaneSection:
        return next(section for section in self.config.lane if section.name == lane)

    def installed(self) -> bool:
        """Whether this machine runs the gate as systemd's units."""
        return self.machine.property_of(CORE, "LoadState") == "loaded"

    def stop(self, unit: str) -> None:
        """Stop a process with the sockets by which its peers would start it again: of the core that is all of it."""
        if unit not in self._stopped and self.machine.active(unit):
            self.machine.run("systemctl", "stop", *STOPPED_WITH[unit], timeout=60)
            self._stopped.append(unit)

    def restore(self) -> None:
        """Start again what was stopped."""
        if self._stopped:
            self.machine.run("systemctl", "start", TARGET, timeout=120)
            self._stopped.clear()

    def state(self) -> GateState | None:
        """How the gate says it is; None while its core does not answer."""
        return self._asked(self.config)

    def eventually(self, true: Callable[[], bool], seconds: float) -> float | None:
        """Seconds until it was so; None where it did not become so in time."""
        began = self.clock()
        while not true():
            if self.clock() - began >= seconds:
                return None
            self.wait(0.5)
        return round(self.clock() - began, 1)

    def all_active(self) -> bool:
        return all(self.machine.active(unit) for unit in UNITS)


class Terminal:
    """:class:`Person` at a terminal: both languages, English first. At the end of input nobody is there."""

    KEYS: Pair = (
        "回车=好了/是  n=没有/否  s=跳过  q=先停，以后接着做",
        "Enter = done/yes   n = no   s = skip   q = stop, go on later",
    )

    def __init__(self, say: Callable[[str], None], line: Callable[[], str]) -> None:
        self._say = say
        self._line = line

    def tell(self, text: Pair) -> None:
        zh, en = text
        self._say(f"    {en}\n    {zh}")

    def ask(self, question: Pair) -> Answer:
        self.tell(question)
        answers: dict[str, Answer] = {"": "done", "y": "done", "n": "no", "s": "skip", "q": "stop"}
        with suppress(EOFError):
            while True:
                self._say(f"    [{self.KEYS[1]}]  [{self.KEYS[0]}]")
                said = self._line().strip().lower()
                if said in answers:
                    return answers[said]
        return "nobody"
