"""Opening the parts that the configuration names: real ones or simulated ones."""

from __future__ import annotations

from hardware import Camera, CameraSettings, HardwareError, LaneParts, Wiring


def open_camera(settings: CameraSettings, simulated_dir: str = "", among: int = 1) -> Camera:
    """The camera the settings ask for. Raises HardwareError in words a technician can act on.

    ``simulated_dir`` is where a simulated one looks for its trouble (see ``hardware.simulated``); ``among`` is the
    number of real cameras the device should have.
    """
    if settings.part == "simulated":
        from hardware.simulated import SimulatedCamera

        return SimulatedCamera(settings, folder=simulated_dir)
    try:
        from hardware.camera import PiCamera
    except ImportError as err:
        raise HardwareError(
            f"{err}: install python3-picamera2; the environment must see the system's packages"
        ) from err
    return PiCamera(settings, among)


def open_lane(name: str, wiring: Wiring, simulated_dir: str, passage_after_s: float | None = None) -> LaneParts:
    """The relay, lights and inputs of one lane.

    ``simulated_dir`` is where simulated parts keep their levels (see ``hardware.simulated``);
    ``passage_after_s`` makes a simulated car drive through that long after each opening.
    """
    if wiring.part == "simulated":
        from hardware.simulated import simulated_lane

        return simulated_lane(name, simulated_dir, passage_after_s)
    try:
        from hardware.gpio import gpio_lane, pin_factory
    except ImportError as err:
        raise HardwareError(f"{err}: install python3-gpiozero and python3-lgpio") from err
    return gpio_lane(wiring, pin_factory())
