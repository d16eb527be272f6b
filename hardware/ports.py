"""Which camera is meant: by the port its cable is in, since their order changes when one is missing.

libcamera's Id of a camera is its place in the device tree: ``/base``, the I2C bus of its connector, the sensor. Which
bus belongs to which connector differs from board to board, even for one and the same Compute Module. The device tree's
own symbols say it (raspberrypi/linux, ``i2c_csi_dsi0`` and ``i2c_csi_dsi1`` of each board).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hardware import CameraAbsent, CameraSettings, HardwareError

TREE = Path("/proc/device-tree")
CONNECTORS = {"cam0": ("i2c_csi_dsi0",), "cam1": ("i2c_csi_dsi1", "i2c_csi_dsi")}
"""Symbols of a connector's bus, the first that is there. A board with one connector has no number in its symbol, and
its overlays call it cam1."""
LIST = "rpicam-hello --list-cameras"


class Attached(NamedTuple):
    """A camera that libcamera sees. ``port`` is a name of CONNECTORS, "" where the device tree does not say."""

    number: int
    """Its place in libcamera's list, from 0 on."""
    id: str
    model: str
    port: str = ""

    def __str__(self) -> str:
        return f"{self.model} at {self.port or 'an unnamed port'} ({self.id})"


def connectors(tree: Path = TREE) -> dict[str, str]:
    """The Id's beginning of each connector that this board names."""
    named = {}
    for port, symbols in CONNECTORS.items():
        places = (_symbol(tree, symbol) for symbol in symbols)
        if place := next(filter(None, places), ""):
            named[port] = f"/base{place}/"
    return named


def _symbol(tree: Path, name: str) -> str:
    try:
        return (tree / "__symbols__" / name).read_bytes().rstrip(b"\0").decode("ascii", "replace")
    except OSError:
        return ""


def attached(infos: Sequence[Mapping[str, Any]], tree: Path = TREE) -> list[Attached]:
    """The cameras of ``Picamera2.global_camera_info()`` with their ports."""
    named = connectors(tree)
    cameras = []
    for number, info in enumerate(infos):
        place = str(info.get("Id", ""))
        port = next((port for port, bus in named.items() if place.startswith(bus)), "")
        cameras.append(Attached(number, place, str(info.get("Model", "camera")), port))
    return cameras


def meant(settings: CameraSettings, seen: Sequence[Attached], among: int) -> Attached:
    """The camera of these settings. ``among`` is the number of real cameras the device should have.

    Raises CameraAbsent where it is not there, or where a missing one makes the order worthless; HardwareError where
    the port fits several. Both say what was looked for and what is there.
    """
    if not seen:
        looked_for = f" at {settings.port}" if settings.port else ""
        raise CameraAbsent(f"no camera found{looked_for}: look at the ribbon cable, then at `{LIST}`")
    here = "; ".join(map(str, seen))
    if not settings.port:
        return _by_index(settings.index, seen, among, here)
    fitting = _fitting(settings.port, seen)
    if not fitting:
        raise CameraAbsent(f"no camera at {settings.port}: look at its ribbon cable. Here: {here}")
    if len(fitting) > 1:
        raise HardwareError(f"several cameras fit the port {settings.port!r}: name more of the Id. Here: {here}")
    return fitting[0]


def _by_index(index: int, seen: Sequence[Attached], among: int, here: str) -> Attached:
    if index >= len(seen):
        raise CameraAbsent(f"there is no camera {index}; this device has {len(seen)}, counted from 0: {here}")
    if len(seen) < among:
        raise CameraAbsent(
            f"{among} cameras are configured and {len(seen)} found, so camera {index} may be another lane's: "
            f"set `port` for each [[camera]]. Here: {here}"
        )
    return seen[index]


def _fitting(port: str, seen: Sequence[Attached]) -> list[Attached]:
    """By the connector's name or the whole Id, else by whole parts of the Id, else by any part of it."""
    asked = port.strip("/")
    if port.lower() in CONNECTORS:
        return [camera for camera in seen if camera.port == port.lower()]
    exact = [camera for camera in seen if camera.id == port]
    parts = [camera for camera in seen if f"/{asked}/" in f"{camera.id}/"]
    return exact or parts or [camera for camera in seen if asked in camera.id]
