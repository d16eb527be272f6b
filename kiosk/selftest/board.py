"""Board, kernel, packages, chip, clock, supply and watchdog: what a machine says of itself. Asks nobody but where a
supply, a battery or a kernel has to be taken away."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from hardware.board import find_header_chip, read_board
from hardware.rtc import battery_volts, find_rtc, read_rtc
from hardware.vitals import read_vitals
from kiosk.commands.journal import surveys
from kiosk.selftest.bench import Bench, Machine
from kiosk.selftest.step import CannotTell, Figures, only_if

PACKAGES = (
    "python3-picamera2", "python3-libcamera", "libcamera0*", "rpicam-apps*", "python3-gpiozero", "python3-lgpio",
    "raspi-utils*", "raspi-firmware", "rpi-eeprom", "python3-numpy", "libzbar0*", "systemd", "cage", "labwc",
)  # fmt: skip
"""What a gate stands on, by the names of both releases; those that are not there are left out."""
CONFIG_LINES = re.compile(r"^(\[[\w=-]+\]|(dtparam|dtoverlay|gpio|camera_auto_detect|enable_uart)=.*)$", re.MULTILINE)
CONFIG_FILES = ("/boot/firmware/config.txt", "/boot/config.txt")
LONGEST_WATCHDOG_S = 15
"""A Pi 4's timer counts to about 15 s; the gate asks for as long (systemd/NOTES.md)."""
RTC_OFF_S = 5


def board(bench: Bench) -> Figures:
    machine = bench.machine
    kernel = machine.run("uname", "-srm")
    return {
        "model": read_board(machine.root).model,
        "compatible": (machine.text("/proc/device-tree/compatible") or "").replace("\0", " "),
        "kernel": kernel.out.strip() if kernel else "",
        "system": _system(machine),
        "memory_mb": meminfo(machine).get("MemTotal", 0) // 1024,
        "cma_mb": meminfo(machine).get("CmaTotal", 0) // 1024,
        "config": _config_lines(machine),
    }


def board_judged(saw: Figures) -> list[str]:
    wrong = only_if("Raspberry Pi" not in saw["model"], f"no Raspberry Pi: {saw['model'] or 'no model is named'}")
    return wrong + only_if(not saw["kernel"].endswith("aarch64"), f"no 64-bit kernel: {saw['kernel']}")


def versions(bench: Bench) -> Figures:
    listed = bench.machine.run("dpkg-query", "-W", "-f", "${Package} ${Version} ${Status}\n", *PACKAGES)
    if listed is None:
        raise CannotTell("no dpkg here")
    found = re.findall(r"^(\S+) (\S+) install ok installed$", listed.out, re.MULTILINE)
    return dict(sorted(found))


def versions_judged(saw: Figures) -> list[str]:
    needed = ("python3-picamera2", "python3-gpiozero", "python3-lgpio", "libzbar0")  # libzbar0t64 in trixie
    return [f"{name} is not installed" for name in needed if not any(found.startswith(name) for found in saw)]


def chip(bench: Bench) -> Figures:
    """The chip of the 40-pin header, whatever its number, and the others. Raises HardwareError where none is it."""
    root = bench.machine.root
    chips = sorted(path.name for path in (root / "sys/bus/gpio/devices").glob("gpiochip*"))
    if not chips:
        raise CannotTell("no gpio chip: nothing in /sys/bus/gpio/devices")
    return {"header": str(find_header_chip(root)), "chips": chips}


def chip_judged(saw: Figures) -> list[str]:
    return only_if(not saw["header"], "no chip is the header's")


def supply(bench: Bench) -> Figures:
    """The alarm of the last two seconds, the kernel's lines of this boot, and the firmware's word (bits 0 and 16)."""
    machine = bench.machine
    vitals = read_vitals(bench.folder, machine.root)
    said = machine.run("vcgencmd", "get_throttled")
    throttled = re.search(r"throttled=0x([0-9a-f]+)", said.out) if said else None
    if vitals.undervoltage is None and throttled is None:
        raise CannotTell("neither rpi_volt nor vcgencmd is here")
    lines = machine.run("journalctl", "-k", "-b", "-q", "-o", "cat", "-g", "[Uu]nder-?voltage detected")
    return {
        "alarm": vitals.undervoltage,
        "throttled": int(throttled[1], 16) if throttled else None,
        "kernel_lines": len(lines.out.splitlines()) if lines and lines.code == 0 else 0,
        "celsius": vitals.celsius,
        "disk_errors": vitals.disk_errors,
        "card_used": vitals.card_used,
    }


def weak(saw: Figures) -> bool:
    return bool(saw["alarm"] or saw["kernel_lines"] or (saw["throttled"] or 0) & 0x10001)


def supply_judged(saw: Figures) -> list[str]:
    return only_if(weak(saw), "under-voltage, now or since the boot: another supply or cable")


def weak_supply(bench: Bench) -> Figures:
    """The same figures with a supply that is too weak, and what the gate makes of them."""
    saw = supply(bench)
    state = bench.state()
    return saw | {"faults": list(state.faults) if state else None}


def weak_supply_judged(saw: Figures) -> list[str]:
    wrong = only_if(not weak(saw), "the board noticed no under-voltage")
    if saw["faults"] is None:
        return [*wrong, "the gate's core does not answer"]
    return wrong + only_if("supply_weak" not in saw["faults"], "the gate does not name the fault")


def rtc(bench: Bench) -> Figures:
    """The hardware clock beside the system's; on a Pi 5 the battery's voltage, too."""
    machine = bench.machine
    folder = find_rtc(machine.root)
    if folder is None:
        raise CannotTell("no hardware clock")
    said = read_rtc(machine.root)
    synchronised = machine.run("timedatectl", "show", "-p", "NTPSynchronized", "--value")
    return {
        "name": machine.text(f"/sys/class/rtc/{folder.name}/name"),
        "off_s": round(said.utc_ms / 1000 - time.time()) if said else None,
        "battery_v": battery_volts(machine.root),
        "system_by_network": synchronised.out.strip() if synchronised else "",
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def rtc_judged(saw: Figures) -> list[str]:
    if saw["off_s"] is None:
        return ["its time cannot be read"]
    return only_if(abs(saw["off_s"]) > RTC_OFF_S, f"{saw['off_s']} s away from the system's clock")


def no_battery(bench: Bench) -> Figures:
    """After a cut without the battery: how far both clocks are off is the person's watch against ``utc``."""
    state = bench.state()
    try:
        clocks = rtc(bench)
    except CannotTell as err:
        clocks = {"name": None, "why": str(err)}
    gate = {"gate": state.clock, "asks": state.clock_asks, "standing": state.rtc} if state else {"gate": None}
    return clocks | gate


def no_battery_judged(saw: Figures) -> list[str]:
    if saw["gate"] is None:
        return ["the gate's core does not answer"]
    proven = saw["gate"] == "trusted" or saw["gate"] == "untrusted" or saw["asks"]
    return only_if(not proven, f"the gate goes by a clock that lost its time ({saw['gate']}, asks nobody)")


def watchdog(bench: Bench) -> Figures:
    asked = bench.machine.run("systemctl", "show", "-p", "RuntimeWatchdogUSec", "--value")
    return {
        "asked": asked.out.strip() if asked else "",
        "timer_s": bench.machine.number("/sys/class/watchdog/watchdog0/timeout"),
        "state": bench.machine.text("/sys/class/watchdog/watchdog0/state"),
        "identity": bench.machine.text("/sys/class/watchdog/watchdog0/identity"),
        "panic_s": bench.machine.number("/proc/sys/kernel/panic"),
    }


def watchdog_judged(saw: Figures) -> list[str]:
    if not saw["identity"]:
        return ["there is no watchdog"]
    wrong = only_if(saw["asked"] in ("", "0", "infinity"), "systemd does not feed it: RuntimeWatchdogSec=15 is missing")
    return wrong + only_if(saw["state"] == "inactive", "it is not running")


def frozen_kernel(bench: Bench) -> None:
    """Bring everything to the card, and stop the kernel: only the watchdog brings the board back."""
    bench.machine.run("sync")
    bench.machine.write("/proc/sysrq-trigger", "c")


def journals(bench: Bench) -> Figures:
    try:
        found = list(surveys(bench.config.core_state))
    except OSError as err:
        raise CannotTell(f"the journals cannot be read: {err.strerror}") from err
    if not found:
        raise CannotTell("there is no journal yet")
    return {one.name: {"state": one.state, "events": one.events, "missing": one.missing, "unproven": one.unproven}
            for one in found}  # fmt: skip


def journals_judged(saw: Figures) -> list[str]:
    return [f"{name}: {one}" for name, one in saw.items()
            if one["state"] == "damaged" or one["missing"] or one["unproven"]]  # fmt: skip


def gate(bench: Bench) -> Figures:
    """What ``python -m kiosk check`` asks the running core, without names."""
    state = bench.state()
    if state is None:
        raise CannotTell("the gate's core does not answer: nothing runs, or this user may not ask it")
    return {"faults": list(state.faults), "clock": state.clock, "list": state.list_state,
            "lanes": {lane.name: {"phase": lane.phase, "light": lane.signal, "camera": lane.camera_why or "fine",
                                  "decode_ms": round(lane.decode_ms, 1)} for lane in state.lanes}}  # fmt: skip


def gate_judged(saw: Figures) -> list[str]:
    return [f"fault {fault}" for fault in saw["faults"]]


def _system(machine: Machine) -> str:
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', machine.text("/etc/os-release") or "", re.MULTILINE)
    return found[1] if found else ""


def meminfo(machine: Machine) -> dict[str, int]:
    """What ``/proc/meminfo`` says: kB by name."""
    text = machine.text("/proc/meminfo") or ""
    return {name: int(kb) for name, kb in re.findall(r"^(\w+): +(\d+) kB$", text, re.MULTILINE)}


def _config_lines(machine: Machine) -> list[str]:
    text = next((text for name in CONFIG_FILES if (text := machine.text(name)) is not None), "")
    return [found[0] for found in CONFIG_LINES.findall(text)]
