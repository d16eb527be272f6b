"""Relay, lights, illumination and inputs of a lane on a Raspberry Pi's pins, through gpiozero.

Outputs are active-high and claimed low, so that neither a claim nor a close makes an edge; each is
switched off before it is closed, because closing turns the pin into a floating input. What a
crash leaves driven is ended by the one-shot in the wiring, not by this file.

Only the relay is essential. Any other pin that the kernel, an overlay or a program holds is left out and named.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

from gpiozero import Buzzer, InputDevice, OutputDevice
from gpiozero.pins import Factory

from hardware import INPUTS, LIGHTS, HardwareError, LaneParts, Signal, Wiring
from hardware.board import HeaderChip, find_header_chip
from hardware.levels import SampledInputs

TONES = {Signal.GREEN: (0.06, 0.1, 1), Signal.YELLOW: (0.12, 0.1, 2), Signal.RED: (0.5, 0.1, 1)}
"""Seconds on, seconds off, how often: by its pattern alone each is told from the others."""
SAMPLES_PER_HOLD = 3
FASTEST_POLL_S, SLOWEST_POLL_S = 0.002, 0.007
"""Never a multiple of 10 ms: what mains couple into a long wire at 50 or 100 Hz must not look like a level."""


def pin_factory(root: Path = Path("/")) -> Factory:
    """The pins of this machine: what ``GPIOZERO_PIN_FACTORY`` names, else lgpio on the header's chip. No fallback.

    Raises HardwareError in words a technician can act on.
    """
    name = os.environ.get("GPIOZERO_PIN_FACTORY", "lgpio").lower()
    found = list(entry_points(group="gpiozero_pin_factories", name=name))
    if not found:
        raise HardwareError(f"GPIOZERO_PIN_FACTORY={name}: gpiozero has no such pin factory; use lgpio")
    try:
        return header_pins(find_header_chip(root)) if name == "lgpio" else cast(Factory, found[0].load()())
    except ImportError as err:
        raise HardwareError(f"pin library missing ({err}): install the package python3-{name}") from err
    except FileNotFoundError as err:
        # lgpio makes a named pipe in the working directory when it is imported (gpiozero issue 1106).
        raise HardwareError(f"{name}: {err}: the working directory, or LG_WD, must be a writable folder") from err
    except HardwareError:
        raise
    except Exception as err:  # lgpio.error and gpiozero's own have no common root, and only one may be installed
        raise HardwareError(
            f"no pins ({err}): is this a Raspberry Pi, and may this user open /dev/gpiochip* (group gpio)?"
        ) from err


def header_pins(chip: HeaderChip) -> Factory:
    """gpiozero's pins on this very chip. Raises HardwareError when it cannot be opened."""
    import lgpio
    from gpiozero.pins.lgpio import LGPIOFactory, LGPIOPin
    from gpiozero.pins.local import LocalPiFactory

    class HeaderFactory(LGPIOFactory):  # type: ignore[misc]
        """Not opened by LGPIOFactory's own constructor: that of 2.0 and 2.0.1 takes chip 4 on a Pi 5, else 0."""

        def __init__(self) -> None:
            LocalPiFactory.__init__(self)
            self._handle = lgpio.gpiochip_open(chip.number)
            self._chip = chip.number
            self.pin_class = LGPIOPin

        def pin(self, name: Any) -> Any:
            try:
                return super().pin(name)
            except lgpio.error as err:
                raise HardwareError(f"{err}, {self._holder(name)}") from err

        def _holder(self, number: int) -> str:
            user = lgpio.gpio_get_line_info(self._handle, number)[-1]
            return f"held by {user!r}" if user else f"see {chip}"

    try:
        return HeaderFactory()
    except lgpio.error as err:
        raise HardwareError(f"{chip}: {err}: may this user open /dev/gpiochip{chip.number} (group gpio)?") from err


def gpio_lane(
    wiring: Wiring, factory: Factory, *, clock: Callable[[], float] = time.monotonic, threaded: bool = True
) -> LaneParts:
    """The parts wired to ``factory``'s pins; a pin that is None is simply not there.

    ``threaded=False`` leaves the sampling of the inputs to the caller (``inputs.poll()``). Raises
    HardwareError when the relay's pin is taken or impossible; any other such pin is among ``missing``.
    """
    claims = _Claims(wiring, factory)
    try:
        relay = GpioSwitch(claims.relay())
        lights = GpioLights({name: lamp for name in LIGHTS if (lamp := claims.output(name)) is not None})
        illumination = GpioSwitch(claims.output("illumination"))
        lines = {name: line for name in INPUTS if (line := claims.input(name)) is not None}
        inputs = _inputs(lines, wiring, clock, threaded)
        return LaneParts(relay, lights, inputs, illumination, claims.missing)
    except BaseException:
        _close(claims.claimed)
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
        self._shown = signal
        lit_last = sorted(self._lamps, key=lambda name: name == signal.value)  # two lamps at once are no signal
        tried = [_why_not(partial(_switch, self._lamps[name], name == signal.value)) for name in lit_last]
        tried.append(_why_not(partial(self._sound, signal)))
        if any(tried):  # a broken lamp has not kept the others from showing
            raise HardwareError("; ".join(filter(None, tried)))

    def _sound(self, signal: Signal) -> None:
        if self._buzzer is None:
            return
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
            try:
                self.show(Signal.OFF)
            finally:
                self._closed = True
                _close([*self._lamps.values(), *([self._buzzer] if self._buzzer is not None else [])])


class _Claims:
    """Claims a lane's pins one by one. ``missing`` says of each pin that could not be had why."""

    def __init__(self, wiring: Wiring, factory: Factory) -> None:
        self.claimed: list[Any] = []
        self.missing: dict[str, str] = {}
        self._wiring = wiring
        self._factory = factory

    def relay(self) -> Any:
        """The one pin that a lane cannot be without, if it has it. Raises HardwareError."""
        device = self.output("relay")
        if "relay" in self.missing:
            raise HardwareError(self.missing["relay"])
        return device

    def output(self, name: str) -> Any:
        kind = Buzzer if name == "buzzer" else OutputDevice
        return self._claim(name, lambda pin: kind(pin, initial_value=False, pin_factory=self._factory))

    def input(self, name: str) -> Any:
        # Not DigitalInputDevice: its edge thread would claim the line a second time for events nobody reads.
        pulled_up = name not in self._wiring.active_high
        return self._claim(name, lambda pin: InputDevice(pin, pull_up=pulled_up, pin_factory=self._factory))

    def _claim(self, name: str, make: Callable[[int], Any]) -> Any:
        pin: int | None = getattr(self._wiring, name)
        if pin is None:
            return None
        try:
            device = self._made(name, pin, make)
        except HardwareError as err:
            self.missing[name] = str(err)
            return None
        self.claimed.append(device)
        return device

    @staticmethod
    def _made(name: str, pin: int, make: Callable[[int], Any]) -> Any:
        try:
            return make(pin)
        except Exception as err:  # GPIOZeroError, or lgpio.error when another program holds the line
            raise HardwareError(f"{name}: GPIO{pin} cannot be had: {err}") from err


def _inputs(lines: Mapping[str, Any], wiring: Wiring, clock: Callable[[], float], threaded: bool) -> SampledInputs:
    def sample() -> dict[str, bool]:
        try:
            return {name: bool(line.is_active) for name, line in lines.items()}
        except Exception as err:  # lgpio.error, see pin_factory
            raise HardwareError(f"the inputs cannot be read: {err}") from err

    holds = {name: wiring.debounce_of(name) / 1000 for name in lines}
    period = poll_s(holds) if threaded else None
    return SampledInputs(sample, holds, period, clock, released=lambda: _close(lines.values()))


def poll_s(holds: Mapping[str, float]) -> float | None:
    """Seconds between two samples of inputs whose levels must hold so long; None: there are none."""
    return min(SLOWEST_POLL_S, max(FASTEST_POLL_S, min(holds.values()) / SAMPLES_PER_HOLD)) if holds else None


def _why_not(move: Callable[[], None]) -> str:
    """Why a move failed; empty: it did not."""
    try:
        move()
    except HardwareError as err:
        return str(err)
    return ""


def _switch(device: Any, value: bool) -> None:
    try:
        if value:
            device.on()
        else:
            device.off()
    except Exception as err:
        raise HardwareError(f"GPIO output failed: {err}") from err


def _close(devices: Iterable[Any]) -> None:
    """Switch each off and let it go; one that fails does not keep the others. Raises HardwareError then."""
    failed = [why for device in devices if (why := _why_not(partial(_let_go, device)))]
    if failed:
        raise HardwareError("; ".join(failed))


def _let_go(device: Any) -> None:
    try:
        if isinstance(device, OutputDevice) and not device.closed:
            device.off()
        device.close()
    except Exception as err:
        raise HardwareError(f"GPIO line not let go: {err}") from err
