"""A board without the board, for the first hour: files in a folder, answers of programs, a scripted person."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hardware import Camera, CameraSettings
from hardware.simulated import SimulatedCamera
from kiosk.config import Config, parse
from kiosk.guard.words import Pair
from kiosk.selftest.bench import Answer, Bench, Machine, Ran
from kiosk.verbs import GateState, LaneState

CONFIG = """
[gate]
state = "{state}"
[[lane]]
name = "entry"
direction = "in"
relay = 17
ready = 22
green = 23
red = 25
guard_button = 27
[[camera]]
lane = "entry"
part = "simulated"
width = 480
height = 272
"""
PI_5 = {
    "/proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "/proc/device-tree/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
    "/proc/meminfo": "MemTotal:        8245248 kB\nMemAvailable:    7000000 kB\nCmaTotal:          65536 kB\n",
    "/proc/sys/kernel/panic": "10",
    "/etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n',
    "/boot/firmware/config.txt": "# For more options\n[all]\ndtparam=strict_gpiod\ndtoverlay=imx708,cam0\nsecret=1\n",
    "/sys/bus/gpio/devices/gpiochip10/of_node/compatible": "brcm,brcmstb-gpio\0",
    "/sys/bus/gpio/devices/gpiochip11/of_node/compatible": "raspberrypi,rp1-gpio\0",
    "/sys/class/hwmon/hwmon2/name": "rpi_volt",
    "/sys/class/hwmon/hwmon2/in0_lcrit_alarm": "0",
    "/sys/class/thermal/thermal_zone0/type": "cpu-thermal",
    "/sys/class/thermal/thermal_zone0/temp": "51200",
    "/sys/class/rtc/rtc0/name": "rpi_rtc soc:rpi_rtc",
    "/sys/class/watchdog/watchdog0/identity": "Broadcom BCM2835 Watchdog timer",
    "/sys/class/watchdog/watchdog0/state": "active",
    "/sys/class/watchdog/watchdog0/timeout": "15",
    "/sys/class/leds/ACT/trigger": "none timer [mmc0] heartbeat default-on",
    "/proc/sys/kernel/random/boot_id": "boot-1",
}
PACKAGES = """\
python3-picamera2 0.3.31-1 install ok installed
python3-gpiozero 2.0.1-3 install ok installed
python3-lgpio 0.2.2-1 install ok installed
libzbar0 0.23.93-6 install ok installed
libcamera-tools 0.5 deinstall ok config-files
"""
LISTED = """\
Available cameras
-----------------
0 : imx708 [4608x2592 10-bit RGGB] (/base/axi/pcie@1000120000/rp1/i2c@88000/imx708@1a)
    Modes: 'SRGGB10_CSI2P' : 1536x864 [120.13 fps - (768, 432)/3072x1728 crop]
                             2304x1296 [56.03 fps - (0, 0)/4608x2592 crop]
"""
RESTING = """\
17: op dl pd | lo // GPIO17 = output
22: op dh pd | hi // GPIO22 = output
23: op dl pd | lo // GPIO23 = output
25: op dl pd | lo // GPIO25 = output
"""
ANSWERS: dict[tuple[str, ...], Ran] = {
    ("uname", "-srm"): Ran(0, "Linux 6.12.47+rpt-rpi-2712 aarch64\n"),
    ("dpkg-query",): Ran(0, PACKAGES),
    ("rpicam-hello",): Ran(0, LISTED),
    ("vcgencmd",): Ran(0, "throttled=0x0\n"),
    ("timedatectl",): Ran(0, "yes\n"),
    ("journalctl",): Ran(1, ""),
    ("pinctrl",): Ran(0, RESTING),
    ("systemctl", "is-active"): Ran(0, "active\n"),
    ("systemctl", "show", "-p", "LoadState"): Ran(0, "loaded\n"),
    ("systemctl", "show", "-p", "RuntimeWatchdogUSec"): Ran(0, "15s\n"),
    ("systemctl", "show", "-p", "MainPID"): Ran(0, "0\n"),
    ("systemctl", "show", "-p", "NRestarts"): Ran(0, "0\n"),
    ("systemctl",): Ran(0, ""),
}


class ScriptedMachine(Machine):
    """A board in ``root``. Programs answer by the longest beginning of their command; ``ran`` lists the commands."""

    def __init__(self, root: Path, answers: dict[tuple[str, ...], Ran] = ANSWERS) -> None:
        super().__init__(root)
        self.answers = dict(answers)
        self.ran: list[tuple[str, ...]] = []
        self.held: list[tuple[int, bool]] = []
        self.put("/etc/systemd/system/.here", "")

    def put(self, name: str, text: str) -> None:
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_text(text)

    def run(self, *command: str, timeout: float = 30.0) -> Ran | None:
        self.ran.append(command)
        begins = [begin for begin in self.answers if command[: len(begin)] == begin]
        return self.answers[max(begins, key=len)] if begins else None

    @contextmanager
    def holding(self, pin: int, on: bool) -> Iterator[Callable[[], None]]:
        self.held.append((pin, on))
        before = self.answers[("pinctrl",)]
        if on:
            self.answers[("pinctrl",)] = Ran(0, f"{pin}: op dh pd | hi // GPIO{pin} = output\n")

        def killed() -> None:
            self.answers[("pinctrl",)] = before

        yield killed

    @property
    def is_root(self) -> bool:
        return True


def a_pi(root: Path) -> ScriptedMachine:
    """A Pi 5 on which all is well."""
    machine = ScriptedMachine(root)
    for name, text in PI_5.items():
        machine.put(name, text)
    return machine


class ScriptedPerson:
    """Does and answers what a test says of a question, by words of its English text; ``usually`` for all others."""

    def __init__(self, usually: Answer = "done") -> None:
        self.usually: Answer = usually
        self.does: dict[str, Callable[[], Answer]] = {}
        self.asked: list[str] = []
        self.told: list[str] = []
        self.hears: Callable[[str], object] = lambda text: None

    def tell(self, text: Pair) -> None:
        self.told.append(text[1])
        self.hears(text[1])

    def ask(self, question: Pair) -> Answer:
        self.asked.append(question[1])
        return next((does() for words, does in self.does.items() if words in question[1]), self.usually)


class Time:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def well_state() -> GateState:
    """A gate on which all is well."""
    lane = LaneState(name="entry", direction="in", lock="barrier", signal="ready", relay_on=False, phase="idle",
                     camera_ok=True)  # fmt: skip
    return GateState(
        run="r", gate="g", compound_zh="翠湖花园", compound_en="Cuihu Garden", enforcement="strict", lanes=[lane],
        list_state="fresh", list_age_s=1, list_revision=1, list_passes=1, clock="trusted", clock_uncertainty_ms=1,
        now_ms=0, timezone="Asia/Shanghai", centre_ok=True, centre_why="", centre_seen_s=1, unsent=0, journal_ok=True,
        events_in_memory=0, faults=[],
    )  # fmt: skip


class ScriptedBoard:
    """Everything a run needs, with nothing real but the files and the decoder."""

    def __init__(self, folder: Path, config: str = CONFIG) -> None:
        self.machine = a_pi(folder / "root")
        self.person = ScriptedPerson()
        self.time = Time()
        self.state: GateState | None = well_state()
        self.said: list[str] = []
        self.config: Config = parse(config.format(state=folder / "state"))
        self.folder = folder / "state" / "selftest"
        self.folder.mkdir(parents=True)
        self.before_camera: Callable[[SimulatedCamera], None] = lambda camera: None
        self.bench = Bench(
            self.config, self.folder, self.person, self.machine, opened=self.open, asked=lambda config: self.state,
            clock=self.time, wait=self.time.wait,
        )  # fmt: skip

    def open(self, settings: CameraSettings, folder: str, among: int) -> Camera:
        camera = SimulatedCamera(settings, self.time, self.time.wait)
        self.before_camera(camera)
        return camera
