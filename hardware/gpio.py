"""Relay, lights, illumination and inputs of a lane on a Raspberry Pi's pins, through gpiozero.

Outputs are active-high and claimed low, so that neither a claim nor a close makes an edge; each is
switched off before it is closed, because closing turns the pin into a floating input. What a
crash leaves driven is ended by the one-shot in the wiring, not by this file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points
from typing import Any, cast

from gpiozero import Buzzer, InputDevice, OutputDevice
from gpiozero.pins import Factory

from hardware import INPUTS, LIGHTS, HardwareError, LaneParts, Signal, Wiring
from hardware.levels import SampledInputs

TONES = {Signal.YELLOW: (0.12, 0.1, 2), Signal.RED: (0.35, 0.1, 1)}
"""Seconds on, seconds off, how often."""
SAMPLES_PER_HOLD = 2
FASTEST_POLL_S = 0.002


def pin_factory() -> Factory:
    """The pins of this machine: what ``GPIOZERO_PIN_FACTORY`` names, else lgpio. No fallback to another.

    Raises HardwareError in words a technician can act on.
    """
    name = os.environ.get("GPIOZERO_PIN_FACTORY", "lgpio").lower()
    found = list(entry_points(group="gpiozero_pin_factories", name=name))
    if not found:
        raise HardwareError(f"GPIOZERO_PIN_FACTORY={name}: gpiozero has no such pin factory; use lgpio")
    try:
        return cast(Factory, found[0].load()())
    except ImportError as err:
        raise HardwareError(f"pin library missing ({err}): install the package python3-{name}") from err
    except FileNotFoundError as err:
        # lgpio makes a named pipe in the working directory when it is imported (gpiozero issue 1106).
        raise HardwareError(f"{name}: {err}: the working directory, or LG_WD, must be a writable folder") from err
    except Exception as err:  # lgpio.error and gpiozero's own have no common root, and only one may be installed
        raise HardwareError(
            f"no pins ({err}): is this a Raspberry Pi, and may this user open /dev/gpiochip* (group gpio)?"
        ) from err


def gpio_lane(
    wiring: Wiring, factory: Factory, *, clock: Callable[[], float] = time.monotonic, threaded: bool = True
) -> LaneParts:
    """The parts wired to ``factory``'s pins; a pin that is None is simply not there.

    ``threaded=False`` leaves the sampling of the inputs to the caller (``inputs.poll()``). Raises
    HardwareError naming the pin that is taken or impossible; whatever was claimed before is let go.
    """
    claimed: list[Any] = []
    try:
        relay = GpioSwitch(_output(wiring, "relay", factory, claimed))
        lights = GpioLights(
            {name: lamp for name in LIGHTS if (lamp := _output(wiring, name, factory, claimed)) is not None}
        )
        illumination = GpioSwitch(_output(wiring, "illumination", factory, claimed))
        lines = {name: line for name in INPUTS if (line := _input(wiring, name, factory, claimed)) is not None}
        inputs = _inputs(lines, wiring.debounce_ms / 1000, clock, threaded)
        return LaneParts(relay, lights, inputs, illumination)
    except BaseException:
        _close(claimed)
        raise


class GpioSwitch:
    """:class:`hardware.Relay` or the illumination on one pin; without a pin it remembers what it was told."""

    def __init__(self, device: OutputDevice | None) -> None:
        self._device = device
        self._on = False
        self._closed = False

    def on(self) -> None:
        self._set(True)

    def off(self) -> None:
        self._set(False)

    def _set(self, value: bool) -> None:
        if self._closed:
            return
        if self._device is not None:
            _switch(self._device, value)
        self._on = value

    @property
    def is_on(self) -> bool:
        return self._on

    def close(self) -> None:
        if not self._closed:
            self.off()
            self._closed = True
            _close([self._device] if self._device is not None else [])


class GpioLights:
    """:class:`hardware.Lights` on up to five lamps and a buzzer. Each call of ``show`` sounds its tone anew."""

    def __init__(self, lamps: Mapping[str, Any]) -> None:
        self._lamps = {name: lamp for name, lamp in lamps.items() if name != "buzzer"}
        self._buzzer: Any = lamps.get("buzzer")
        self._shown = Signal.OFF
        self._closed = False

    def show(self, signal: Signal) -> None:
        if self._closed:
            return
        for name, lamp in self._lamps.items():
            if name != signal.value:
                _switch(lamp, False)  # first: two lamps at once are no signal
        if signal.value in self._lamps:
            _switch(self._lamps[signal.value], True)
        self._shown = signal
        if self._buzzer is not None:
            self._sound(signal)

    def _sound(self, signal: Signal) -> None:
        if signal in TONES:
            on, off, times = TONES[signal]
            self._buzzer.beep(on, off, times, background=True)
        else:
            _switch(self._buzzer, False)

    @property
    def shown(self) -> Signal:
        return self._shown

    def close(self) -> None:
        if not self._closed:
            self.show(Signal.OFF)
            self._closed = True
            _close([*self._lamps.values(), *([self._buzzer] if self._buzzer is not None else [])])


def _inputs(lines: Mapping[str, Any], hold_s: float, clock: Callable[[], float], threaded: bool) -> SampledInputs:
    def sample() -> dict[str, bool]:
        try:
            return {name: bool(line.is_active) for name, line in lines.items()}
        except Exception as err:  # lgpio.error, see pin_factory
            raise HardwareError(f"the inputs cannot be read: {err}") from err

    poll_s = max(FASTEST_POLL_S, hold_s / SAMPLES_PER_HOLD) if threaded and lines else None
    return SampledInputs(sample, hold_s, poll_s, clock, released=lambda: _close(lines.values()))


def _output(wiring: Wiring, name: str, factory: Factory, claimed: list[Any]) -> Any:
    kind = Buzzer if name == "buzzer" else OutputDevice
    return _claim(wiring, name, claimed, lambda pin: kind(pin, initial_value=False, pin_factory=factory))


def _input(wiring: Wiring, name: str, factory: Factory, claimed: list[Any]) -> Any:
    # Not DigitalInputDevice: its edge thread would claim the line a second time for events nobody reads.
    pulled_up = name not in wiring.active_high
    return _claim(wiring, name, claimed, lambda pin: InputDevice(pin, pull_up=pulled_up, pin_factory=factory))


def _claim(wiring: Wiring, name: str, claimed: list[Any], make: Callable[[int], Any]) -> Any:
    pin: int | None = getattr(wiring, name)
    if pin is None:
        return None
    try:
        device = make(pin)
    except Exception as err:  # GPIOZeroError, or lgpio.error when another program holds the line
        raise HardwareError(f"{name}: GPIO{pin} cannot be had: {err}") from err
    claimed.append(device)
    return device


def _switch(device: Any, value: bool) -> None:
    try:
        if value:
            device.on()
        else:
            device.off()
    except Exception as err:
        raise HardwareError(f"GPIO output failed: {err}") from err


def _close(devices: Iterable[Any]) -> None:
    for device in devices:
        if isinstance(device, OutputDevice) and not device.closed:
            device.off()
        device.close()
