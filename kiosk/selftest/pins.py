"""The pins: their levels before the core starts, while it runs, stopped and killed; a pin that is taken; long wires."""

from __future__ import annotations

import re

from hardware import LIGHTS, HardwareError
from kiosk.config import LaneSection
from kiosk.selftest.bench import CORE, WELL_S, Bench, Machine
from kiosk.selftest.step import CannotTell, Figures, only_if

PINCTRL = re.compile(r"^ *(\d+): +(\S+) +(?:(dh|dl) )? *(\S+) +\| (hi|lo|--)", re.MULTILINE)
"""A line of ``pinctrl get``: number, function, drive where it is an output, pull, level."""
EARLY = "pins-before-start.txt"
"""Where the unit that runs before the core notes what ``pinctrl`` said."""
FALLS_S = 1.0
WIRES_S = 60.0


def has_pins(bench: Bench) -> str:
    real = any(lane.part == "gpiozero" for lane in bench.config.lane)
    return "" if real else "every lane's pins are simulated"


def has_pinctrl(bench: Bench) -> str:
    return "" if bench.machine.run("pinctrl", "help") else "pinctrl is not here (package raspi-utils)"


def outputs(lane: LaneSection) -> dict[str, int]:
    """BCM number by what hangs there."""
    named = {name: getattr(lane, name) for name in ("relay", "illumination", *LIGHTS)}
    return {name: pin for name, pin in named.items() if pin is not None}


def all_outputs(bench: Bench) -> dict[str, int]:
    return {f"{lane.name}.{name}": pin for lane in bench.config.lane if lane.part == "gpiozero"
            for name, pin in outputs(lane).items()}  # fmt: skip


def in_words(said: str, pins: dict[str, int]) -> dict[str, str]:
    """For each pin: function, drive, pull and level, as ``op dl pd lo``."""
    found = {int(number): " ".join(filter(None, rest)) for number, *rest in PINCTRL.findall(said)}
    return {name: found[pin] for name, pin in pins.items() if pin in found}


def levels(machine: Machine, pins: dict[str, int]) -> dict[str, str]:
    """What ``pinctrl`` reads from the chip's registers; it claims and changes nothing."""
    said = machine.run("pinctrl", "get", ",".join(map(str, pins.values())))
    if said is None or said.code:
        raise CannotTell(f"pinctrl does not answer: {said.out.strip() if said else 'it is not here'}")
    return in_words(said.out, pins)


def _high(saw: dict[str, str], only: str = "") -> list[str]:
    return [f"{name} is high ({words})" for name, words in saw.items()
            if words.endswith("hi") and name.endswith(only)]  # fmt: skip


def before_start(bench: Bench) -> Figures:
    try:
        noted = (bench.folder / EARLY).read_text()
    except OSError as err:
        raise CannotTell("no boot was noted yet: the boots come first") from err
    return {"levels": in_words(noted, all_outputs(bench))}


def low_judged(saw: Figures) -> list[str]:
    return _high(saw["levels"]) or only_if(not saw["levels"], "no level is known")


def running(bench: Bench) -> Figures:
    bench.eventually(lambda: bench.state() is not None, WELL_S)
    state = bench.state()
    if state is None:
        raise HardwareError("the gate's core does not answer")
    return {
        "levels": levels(bench.machine, all_outputs(bench)),
        "lights": {one.name: one.signal for one in state.lanes},
    }


def running_judged(saw: Figures) -> list[str]:
    """At rest the relay is an output and low, and exactly the lamp that the core says is lit."""
    wrong = _high(saw["levels"], ".relay")
    wrong += [f"{name} is no output ({words})" for name, words in saw["levels"].items()
              if name.endswith(".relay") and not words.startswith("op")]  # fmt: skip
    for lane, light in saw["lights"].items():
        lit = {name.partition(".")[2] for name, words in saw["levels"].items()
               if name.startswith(f"{lane}.") and words.endswith("hi")} & set(LIGHTS) - {"buzzer"}  # fmt: skip
        wired = f"{lane}.{light}" in saw["levels"]
        wrong += only_if(lit != ({light} if wired else set()), f"{lane} says {light}, lit are {sorted(lit) or 'none'}")
    return wrong


def stopped(bench: Bench) -> Figures:
    bench.stop(CORE)
    bench.wait(FALLS_S)
    try:
        return {"levels": levels(bench.machine, all_outputs(bench))}
    finally:
        bench.restore()


def killed(bench: Bench) -> Figures:
    """SIGKILL at rest; read before systemd starts the core again, half a second later."""
    bench.eventually(lambda: bench.state() is not None, WELL_S)
    bench.machine.run("systemctl", "kill", "-s", "KILL", CORE)
    at_once = levels(bench.machine, all_outputs(bench))
    back = bench.eventually(lambda: bench.state() is not None, WELL_S)
    return {"levels": at_once, "back_after_s": back}


def killed_judged(saw: Figures) -> list[str]:
    wrong = _high(saw["levels"], ".relay")
    return wrong + only_if(saw["back_after_s"] is None, f"the core is not back after {WELL_S:g} s")


def relay_killed(bench: Bench, lane: str) -> Figures:
    """A process that drives the relay is killed: whether the line falls by itself (``dtparam=strict_gpiod``)."""
    pin = bench.wiring(lane).relay
    if pin is None:
        raise CannotTell("this lane has no relay")
    bench.stop(CORE)
    with bench.machine.holding(pin, True) as kill:
        driven = levels(bench.machine, {"relay": pin})
        kill()
        bench.wait(FALLS_S)
        after = levels(bench.machine, {"relay": pin})
    return {"driven": driven, "levels": after}


def relay_killed_judged(saw: Figures) -> list[str]:
    wrong = only_if(not saw["driven"].get("relay", "").endswith("hi"), "the relay's pin was not driven high")
    stays = bool(_high(saw["levels"]))
    return wrong + only_if(stays, "the relay's pin stays high after a kill: dtparam=strict_gpiod, and the one-shot")


def lamp_taken(bench: Bench, lane: str) -> Figures:
    """Another program has a lamp's pin while the core starts: the core runs, and says so."""
    lamps = {name: pin for name, pin in outputs(bench.wiring(lane)).items() if name not in ("relay", "illumination")}
    if not lamps:
        raise CannotTell("this lane has no lamp")
    name, pin = list(lamps.items())[-1]
    bench.stop(CORE)
    with bench.machine.holding(pin, False):
        bench.restore()
        answers = bench.eventually(lambda: bench.state() is not None, WELL_S)
        state = bench.state()
    bench.machine.run("systemctl", "restart", CORE, timeout=90)
    return {"taken": name, "pin": pin, "answers_after_s": answers, "faults": list(state.faults) if state else None}


def lamp_taken_judged(saw: Figures) -> list[str]:
    if saw["faults"] is None:
        return [f"the core does not run while GPIO{saw['pin']} ({saw['taken']}) is taken"]
    return only_if(not saw["faults"], "the gate names no fault")


def long_wires(bench: Bench, lane: str) -> Figures:
    """Changes of the debounced inputs while a motor runs beside their wires, WIRES_S long."""
    changes: dict[str, int] = {}

    def changed(name: str, level: bool) -> None:
        changes[name] = changes.get(name, 0) + 1

    with bench.lane(lane) as parts:
        parts.inputs.watch(changed)
        began = bench.clock()
        bench.wait(WIRES_S)
        lasted = bench.clock() - began
    return {"watched_s": round(lasted), "inputs": sorted(parts.inputs.read()), "changes": changes}


def long_wires_judged(saw: Figures) -> list[str]:
    return [f"{name} changed {count} times" for name, count in saw["changes"].items()]
