"""Which camera is meant, on the device trees of the boards: the exit's never becomes the entry's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hardware import CameraAbsent, CameraSettings, HardwareError
from hardware.ports import attached, connectors, meant

PI_4, PI_5 = "/soc/i2c0mux", "/axi/pcie@120000/rp1"
TREES = {
    "Pi 4": {"i2c_csi_dsi0": f"{PI_4}/i2c@0", "i2c_csi_dsi": f"{PI_4}/i2c@1"},
    "CM4": {"i2c_csi_dsi0": f"{PI_4}/i2c@0", "i2c_csi_dsi": f"{PI_4}/i2c@1"},
    "Pi 5": {
        "i2c_csi_dsi0": f"{PI_5}/i2c@88000",
        "i2c_csi_dsi1": f"{PI_5}/i2c@80000",
        "i2c_csi_dsi": f"{PI_5}/i2c@80000",
    },
    "CM5 on its own board": {
        "i2c_csi_dsi0": f"{PI_5}/i2c@88000",
        "i2c_csi_dsi1": f"{PI_5}/i2c@70000",
        "i2c_csi_dsi": f"{PI_5}/i2c@88000",
    },
    "CM5 on the CM4's board": {
        "i2c_csi_dsi0": f"{PI_5}/i2c@70000",
        "i2c_csi_dsi1": f"{PI_5}/i2c@88000",
        "i2c_csi_dsi": f"{PI_5}/i2c@88000",
    },
}
"""Of raspberrypi/linux: what each board's device tree calls its connectors' buses."""


def tree(folder: Path, board: str) -> Path:
    symbols = folder / "__symbols__"
    symbols.mkdir()
    for name, place in TREES[board].items():
        (symbols / name).write_bytes(place.encode() + b"\0")
    return folder


def info(bus: str, model: str = "imx708") -> dict[str, Any]:
    return {"Model": model, "Id": f"/base{bus}/{model}@1a"}


def settings(port: str = "", index: int = 0) -> CameraSettings:
    return CameraSettings(lane="entry", port=port, index=index)


@pytest.mark.parametrize("board", TREES)
@pytest.mark.parametrize("port", ["cam0", "cam1", "CAM1"])
def test_a_connectors_name_means_the_bus_that_this_board_gives_it(tmp_path: Path, board: str, port: str) -> None:
    named = connectors(tree(tmp_path, board))
    assert set(named) == {"cam0", "cam1"}
    infos = [info(bus.removeprefix("/base").rstrip("/")) for bus in named.values()]
    found = meant(settings(port), attached(infos, tmp_path), 2)
    assert (found.port, found.id.startswith(named[port.lower()])) == (port.lower(), True)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_with_one_cable_out_the_exits_camera_does_not_become_the_entrys(tmp_path: Path, order: tuple[int, int]) -> None:
    tree(tmp_path, "Pi 5")
    both = [info(f"{PI_5}/i2c@88000"), info(f"{PI_5}/i2c@80000")]
    for left_out in order:
        seen = attached([both[left_out]], tmp_path)
        gone, here = ("cam1", "cam0") if left_out == 0 else ("cam0", "cam1")
        assert meant(settings(here), seen, 2).number == 0
        with pytest.raises(CameraAbsent, match=rf"no camera at {gone}.*Here: imx708 at {here} \(/base/axi"):
            meant(settings(gone), seen, 2)


def test_the_order_counts_only_while_no_camera_is_missing(tmp_path: Path) -> None:
    both = attached([info(f"{PI_5}/i2c@88000"), info(f"{PI_5}/i2c@80000")], tmp_path)
    assert [meant(settings(index=index), both, 2).number for index in (0, 1)] == [0, 1]
    assert meant(settings(), both, 1).number == 0
    with pytest.raises(CameraAbsent, match=r"2 cameras are configured and 1 found.*set `port`.*i2c@88000"):
        meant(settings(), both[:1], 2)
    with pytest.raises(CameraAbsent, match="there is no camera 1; this device has 1"):
        meant(settings(index=1), both[:1], 2)


@pytest.mark.parametrize(
    ("port", "index"),
    [
        ("/base/axi/pcie@120000/rp1/i2c@80000/imx708@1a", 1),
        ("i2c@88000", 0),
        ("i2c@80000/imx708@1a", 1),
        ("i2c@88", 0),
        ("/rp1/i2c@80000/", 1),
    ],
)
def test_a_part_of_the_id_is_enough(tmp_path: Path, port: str, index: int) -> None:
    both = attached([info(f"{PI_5}/i2c@88000"), info(f"{PI_5}/i2c@80000")], tmp_path)
    assert meant(settings(port), both, 2).number == index


def test_whole_parts_of_the_id_go_before_chance_ones(tmp_path: Path) -> None:
    seen = attached([info("/soc/i2c@10"), info("/soc/i2c@1")], tmp_path)
    assert meant(settings("i2c@1"), seen, 2).number == 1


def test_a_part_that_fits_several_is_refused_with_all_of_them(tmp_path: Path) -> None:
    both = attached([info(f"{PI_5}/i2c@88000"), info(f"{PI_5}/i2c@80000")], tmp_path)
    with pytest.raises(HardwareError, match=r"several cameras fit.*i2c@88000.*i2c@80000"):
        meant(settings("imx708"), both, 2)


def test_without_any_camera_it_is_said_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(CameraAbsent, match="no camera found at cam1: look at the ribbon cable"):
        meant(settings("cam1"), [], 2)


def test_a_system_that_names_no_connector_still_takes_a_part_of_the_id(tmp_path: Path) -> None:
    seen = attached([info("/soc/i2c0mux/i2c@1")], tmp_path / "no-tree")
    assert (seen[0].port, meant(settings("i2c@1"), seen, 1).number) == ("", 0)
    with pytest.raises(CameraAbsent, match=r"no camera at cam1.*an unnamed port"):
        meant(settings("cam1"), seen, 1)
