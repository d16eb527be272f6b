"""The cameras: which there are, what a frame holds, how evenly frames come, how exposure and lens follow."""

from __future__ import annotations

import re
from itertools import islice

from hardware import Camera, Exposure, ExposureRange, HardwareError
from hardware.exposure import SAME
from hardware.reading.decoder import QrDecoder
from kiosk.commands.focus import Aid, look_once
from kiosk.selftest.bench import READER, WELL_S, Bench
from kiosk.selftest.step import CannotTell, Figures, only_if

FRAMES = 900
LATE = 1.6
"""Of a frame's time: a longer pause has lost a frame."""
FOLLOWS_FRAMES = 10
TRIED_FRAMES = 40
SETTLED_FRAMES = 30
LOOKED_FRAMES = 30
WHITE, BLACK = 250, 3
LEAST_MOST_GAIN = 4.0
TOLD_S = 5.0
"""A camera that gives no frames is told within 3 s; two more for our asking."""
BACK_S = 90.0
LISTERS = ("rpicam-hello", "libcamera-hello")


def has_camera(bench: Bench) -> str:
    return "" if bench.config.camera else "there is no [[camera]] in the configuration"


def has_two(bench: Bench) -> str:
    return "" if len(bench.config.camera) > 1 else "there is one camera only"


def listed(bench: Bench) -> Figures:
    """What libcamera finds: Id, sensor, and each mode with its crop. The reader may be running."""
    for program in LISTERS:
        said = bench.machine.run(program, "--list-cameras", timeout=20)
        if said is not None:
            found = re.findall(r"^(\d+) : (\S+) \[([^\]]*)\] \(([^)]*)\)", said.out, re.MULTILINE)
            modes = re.findall(r"\d+x\d+ \[[\d.]+ fps - \(\d+, \d+\)/\d+x\d+ crop\]", said.out)
            cameras = [{"index": int(index), "sensor": sensor, "size": size, "id": name}
                       for index, sensor, size, name in found]  # fmt: skip
            return {"cameras": cameras, "modes": modes, "configured": len(bench.config.camera)}
    raise CannotTell(f"none of {', '.join(LISTERS)} is installed (rpicam-apps)")


def listed_judged(saw: Figures) -> list[str]:
    found = len(saw["cameras"])
    return only_if(found < saw["configured"], f"{found} cameras found, {saw['configured']} configured")


def in_force(bench: Bench, lane: str) -> Figures:
    """What this camera was opened with (model, Id, mode, crop, controls), and what it offers for the exposure."""
    with bench.camera(lane) as camera:
        limits = camera.exposures
        return {
            "camera": dict(camera.describe()),
            "exposure_range": limits._asdict() if limits else None,
            "nearest_cm": camera.nearest_cm,
            "asked_us": bench.settings(lane).exposure_us,
        }


def in_force_judged(saw: Figures) -> list[str]:
    limits = saw["exposure_range"]
    if limits is None:
        return ["it offers neither ExposureTime nor AnalogueGain: it exposes by itself"]
    wrong = only_if(limits["longest_us"] < saw["asked_us"], f"at most {limits['longest_us']} us of {saw['asked_us']}")
    return wrong + only_if(limits["most_gain"] < LEAST_MOST_GAIN, f"gain at most {limits['most_gain']:g}")


def brightest(bench: Bench, lane: str) -> Figures:
    """The brightest and the darkest value in frames taken with shutter and gain as far open as they go."""
    with bench.camera(lane) as camera:
        limits = camera.exposures
        if limits:
            camera.expose(Exposure(limits.longest_us, limits.most_gain))
        ends = [_ends(camera) for _ in range(SETTLED_FRAMES + LOOKED_FRAMES)][SETTLED_FRAMES:]
    return {"min": min(least for least, _ in ends), "max": max(most for _, most in ends)}


def _ends(camera: Camera) -> tuple[int, int]:
    """The least and the greatest value of the next frame. No frame outlives this: a camera cannot be closed before."""
    with camera.frame() as frame:
        return int(frame.luma.min()), int(frame.luma.max())


def lens_lamp_judged(saw: Figures) -> list[str]:
    return only_if(saw["max"] < WHITE, f"white is {saw['max']}, not {WHITE} at least: is the range limited (16-235)?")


def lens_cap_judged(saw: Figures) -> list[str]:
    return only_if(saw["min"] > BLACK, f"black is {saw['min']}, not {BLACK} at most: is the range limited (16-235)?")


def frames(bench: Bench, lane: str) -> Figures:
    """FRAMES frames in a row, with nothing else done in between."""
    wanted_s = bench.settings(lane).frame_us / 1e6
    with bench.camera(lane) as camera:
        ats = [_at(camera) for _ in range(FRAMES + 5)][5:]
    pauses = [after - before for before, after in zip(ats, islice(ats, 1, None), strict=False)]
    return {
        "frames": len(ats),
        "per_second": round((len(ats) - 1) / (ats[-1] - ats[0]), 2),
        "asked_per_second": round(1 / wanted_s, 2),
        "longest_ms": round(1000 * max(pauses), 1),
        "gaps": sum(pause > LATE * wanted_s for pause in pauses),
    }


def _at(camera: Camera) -> float:
    with camera.frame() as frame:
        return frame.at


def frames_judged(saw: Figures) -> list[str]:
    slow = saw["per_second"] < 0.97 * saw["asked_per_second"]
    wrong = only_if(bool(saw["gaps"]), f"{saw['gaps']} gaps in {saw['frames']} frames, up to {saw['longest_ms']} ms")
    return wrong + only_if(slow, f"{saw['per_second']} frames a second, {saw['asked_per_second']} asked")


def exposure_steps(bench: Bench, lane: str) -> Figures:
    """How many frames each step of exposure takes to be in force; None: it was not in TRIED_FRAMES."""
    with bench.camera(lane) as camera:
        limits = camera.exposures
        if limits is None:
            raise CannotTell("this camera exposes by itself")
        return {"steps": [{"us": asked.us, "gain": round(asked.gain, 2), "frames": _followed(camera, asked)}
                          for asked in _steps(limits)]}  # fmt: skip


def _steps(limits: ExposureRange) -> list[Exposure]:
    """Time and gain, up and down, each alone and both."""
    short = max(limits.shortest_us, limits.longest_us // 6)
    gain = min(limits.most_gain, 4.0)
    return [
        Exposure(limits.longest_us, limits.least_gain),
        Exposure(short, limits.least_gain),
        Exposure(limits.longest_us, gain),
        Exposure(short, gain),
        Exposure(limits.longest_us, limits.least_gain),
    ]


def _followed(camera: Camera, asked: Exposure) -> int | None:
    camera.expose(asked)
    for number in range(1, TRIED_FRAMES + 1):
        with camera.frame() as frame:
            given = frame.exposure
        if given and _alike(given.us, asked.us) and _alike(given.gain, asked.gain):
            return number
    return None


def _alike(one: float, other: float) -> bool:
    return max(one, other) <= (1 + (SAME - 1) / 4) * min(one, other)


def exposure_steps_judged(saw: Figures) -> list[str]:
    return [f"{one['us']} us x {one['gain']}: in force after {one['frames'] or f'more than {TRIED_FRAMES}'} frames"
            for one in saw["steps"] if one["frames"] is None or one["frames"] > FOLLOWS_FRAMES]  # fmt: skip


def focus(bench: Bench, lane: str) -> Figures:
    """The search for the sharpest distance, where a motor turns the lens; else how sharp it is set by hand."""
    settings = bench.settings(lane)
    with bench.camera(lane) as camera:
        aid = Aid(camera, QrDecoder(), settings.distance_cm)
        searched = aid.search()
        found = look_once(aid)
        if searched:
            found = look_once(aid)
    return {
        "by_motor": searched,
        "configured_cm": settings.distance_cm,
        "found_cm": found.found_cm,
        "sharpness": found.sharpness,
        "module_px": found.module_px,
        "code_read": found.code,
    }


def focus_judged(saw: Figures) -> list[str]:
    wrong = only_if(saw["by_motor"] and saw["found_cm"] is None, "no distance was clearly the sharpest")
    return wrong + only_if(not saw["code_read"], "no code of the sheet is read there")


def as_unit(bench: Bench) -> Figures:
    """The reader as its unit runs it: its user, what it costs, what it says of each camera."""
    took = bench.eventually(lambda: _cameras_fine(bench), WELL_S)
    state = bench.state()
    return {
        "active": bench.machine.active(READER),
        "fine_after_s": took,
        "user": bench.machine.property_of(READER, "User"),
        "restarts": bench.machine.property_of(READER, "NRestarts"),
        "memory_bytes": bench.machine.property_of(READER, "MemoryCurrent"),
        "lanes": {lane.name: {"camera": lane.camera_why or "fine", "fault": lane.camera_fault,
                              "decode_ms": round(lane.decode_ms, 1), "looked": lane.looked}
                  for lane in state.lanes} if state else None,
    }  # fmt: skip


def _cameras_fine(bench: Bench) -> bool:
    state = bench.state()
    return state is not None and all(lane.camera_ok for lane in state.lanes)


def as_unit_judged(saw: Figures) -> list[str]:
    wrong = only_if(not saw["active"], "the reader's unit is not active")
    if saw["lanes"] is None:
        return [*wrong, "the gate's core does not answer"]
    return wrong + [f"lane {name}: {lane['camera']}" for name, lane in saw["lanes"].items() if lane["camera"] != "fine"]


def no_frames(bench: Bench) -> Figures:
    """The frames have just ended: when the gate says so, and what it says. Then the person brings them back."""
    told = bench.eventually(lambda: bool(_faults(bench)), 30)
    faults = _faults(bench)
    restarts = bench.machine.property_of(READER, "NRestarts")
    return {"told_after_s": told, "faults": faults, "restarts_before": restarts}


def no_frames_judged(saw: Figures) -> list[str]:
    if saw["told_after_s"] is None:
        return ["the gate did not notice within 30 s"]
    return only_if(saw["told_after_s"] > TOLD_S, f"told after {saw['told_after_s']} s, not {TOLD_S}")


def frames_back(bench: Bench) -> Figures:
    took = bench.eventually(lambda: not _faults(bench), BACK_S)
    return {"well_after_s": took, "restarts": bench.machine.property_of(READER, "NRestarts"), "faults": _faults(bench)}


def frames_back_judged(saw: Figures) -> list[str]:
    return only_if(saw["well_after_s"] is None, f"still at fault after {BACK_S:g} s: {saw['faults']}")


def _faults(bench: Bench) -> list[str]:
    """The cameras' faults by lane; a core that does not answer counts."""
    state = bench.state()
    if state is None:
        return ["the core does not answer"]
    return [f"{lane.name}: {lane.camera_fault or lane.camera_why}" for lane in state.lanes if not lane.camera_ok]


def first_missing(bench: Bench) -> Figures:
    """Booted without the first camera: every other lane keeps its own, and the first lane is at fault."""
    bench.eventually(lambda: bool(_faults(bench)), WELL_S)
    bench.wait(10)
    state = bench.state()
    if state is None:
        raise HardwareError("the gate's core does not answer")
    lanes = {lane.name: lane.camera_why or "fine" for lane in state.lanes}
    return {"lanes": lanes, "first": bench.config.camera[0].lane, "found": listed(bench)["cameras"]}


def first_missing_judged(saw: Figures) -> list[str]:
    first, lanes = saw["first"], saw["lanes"]
    wrong = only_if(lanes.get(first) == "fine", f"lane {first} has a camera: it took another lane's")
    return wrong + [f"lane {name}: {why}" for name, why in lanes.items() if name != first and why != "fine"]
