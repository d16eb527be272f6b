"""How the next frames are to be exposed: pure, from what the last ones showed.

A shutter that is open for 3 ms at noon shows white, and one that is open for longer at night shows a smeared hand:
so the time is short, and gain does the rest. The light of the lane is followed slowly. What is held up may be far
brighter (a phone at night) or darker (a card against the sun) than the lane: while something is there that nobody can
read, every third frame is taken darker or brighter.

libcamera's own exposure cannot do this: with a fixed ExposureTime it moves the gain alone, which ends at 1, and its
metering sees the lane, not the card. Both values are set by hand, so that they are known for each frame.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hardware import Exposure, ExposureRange, Picture, within

STRIDE = 8
"""Every eighth pixel of every eighth row: 14,400 of 1280 x 720, 0.1 ms."""
CLIPPED, DARK = 250, 40

TARGET, DARKEST, BRIGHTEST = 85.0, 45.0, 135.0
"""Mean of the lane's frames: what is aimed at, and what is left alone. White paper is then at about 165 to 190 (it
reflects four to five times as much as the average lane, values follow the light's power 1 / 2.2)."""
CORRECTION = 1.3
"""Light is changed by this power of TARGET / mean: settles in some steps whether values follow the light itself or its
power 1 / 2.2, and in a camera that follows late."""
MOST_CHANGE = 8.0
OFF_S = 0.5
"""So long the lane is too dark or too bright before the light is followed: not for somebody walking through."""
LOST_S = 2.0
"""A camera that never does what it was asked: what it does is the middle from then on."""
CALM_GAIN = 2.0
"""This much gain is taken before the shutter stays open for longer than half the limit: it costs little noise."""

NIGHT = 4.0
"""Dark is a lane that takes more than one part in this number of all the light the camera can gather: gain 4 of 16."""

SAME = 1.4
"""Exposures that differ by less are one: sensors know whole rows only. Steps are much further apart."""
STEP = 6.0
"""White shown at 240 is at 106 after one step down: a code is well seen everywhere between two steps."""
ALIKE = 3.0
STEPS_EVERY = 3
CLIPPED_SHARE, DARK_SHARE = 0.003, 0.15
"""A phone's screen is 5 % of the frame and more; a card against the sun darkens a large part of it."""
LIT = 65.0
"""A mean below is a lane that is dark all over: what is dark in it is not against the light."""
PATIENCE_S, LONG_PATIENCE_S = 0.1, 1.0
"""How long after something clipped or dark came the steps begin; and where nothing shows why it is not read."""
ROUND_S = 6.0
LAMP_S = 5.0
"""How long the lamp stays on in an empty lane: the next person of a queue comes sooner."""
LAMP_FRAMES = 3
"""Stirred frames in a row that are somebody: a gate of motion also has single frames of an empty lane looked at."""
LAMP_LATE_S, LAMP_STIRS_S = 1.0, 8.0
"""How long after our word the lamp has gone out at the latest; and how long it stirs the picture at most."""
READ_REST_S = 1.5
REST_S, LONGEST_REST_S = 3.0, 24.0
"""After a round in vain; doubled each time until the lane was seen empty, since our own steps stir the picture."""


class Brightness(NamedTuple):
    """Mean value, and the shares of pixels that are white beyond telling and nearly black, 0..1."""

    mean: float
    clipped: float
    dark: float


def sampled(luma: Picture) -> Picture:
    """Every eighth pixel of every eighth row, in one piece; of a picture too small for that, all of it."""
    sample = luma[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]
    return np.ascontiguousarray(sample if sample.size else luma)


def brightness(luma: Picture) -> Brightness:
    """The figures of a sample of ``luma`` (``(height, width)``, any size but 0)."""
    sample = sampled(luma)
    return Brightness(float(sample.mean()), float((sample >= CLIPPED).mean()), float((sample < DARK).mean()))


def split(light: float, limits: ExposureRange) -> Exposure:
    """Time and gain that make ``light`` (microseconds at gain 1): short first, half the limit, some gain, all of it.

    The nearest the camera can do where it cannot do that.
    """
    half = limits.longest_us / 2
    us = max(min(light, half), min(light / CALM_GAIN, limits.longest_us))
    us = max(limits.shortest_us, us)
    return within(Exposure(round(us), light / us), limits)


class Bracket:
    """Frame by frame: what a frame showed goes in, the exposure to ask for comes out. ``now`` never goes back."""

    def __init__(self, limits: ExposureRange) -> None:
        self._limits = limits
        self._least = split(0.0, limits).light
        self._most = limits.longest_us * limits.most_gain
        self._middle = 0.0
        self._middle_at = self._off_at = 0.0
        self._off = False
        self._lane = Brightness(TARGET, 0.0, 0.0)
        self._began: float | None = None
        self._rests_until = 0.0
        self._rest_s = REST_S
        self._turn = 0

    @property
    def dark(self) -> bool:
        """The lane needs so much gain that a lamp would be better."""
        return self._middle * NIGHT >= self._most

    def step(self, in_force: Exposure, shown: Brightness, stirred: bool, read: bool, now: float) -> Exposure:
        """The exposure to ask for. ``in_force`` is that of the frame which showed this; ``read``: a code was read.

        Nothing but frames of the middle exposure counts, for the light as well as for ``stirred``: the camera
        follows late, and a step of ours stirs the picture by itself.
        """
        if not self._middle:
            self._middle, self._middle_at = in_force.light, now
        if _same(in_force.light, self._middle):
            self._middle_at, self._lane = now, shown
            self._follow(in_force, shown, now)
            self._notice(stirred, now)
        elif now - self._middle_at > LOST_S:
            self._middle = in_force.light
        if read:
            self._rest(now, READ_REST_S)
            self._rest_s = REST_S
        elif self._began is not None and now - self._began > ROUND_S:
            self._rest(now, self._rest_s)
            self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)
        return split(self._light(now), self._limits)

    def hold(self, now: float) -> None:
        """Frames are taken in another exposure on purpose: they say nothing of the middle, which stays."""
        self._middle_at = now

    def _follow(self, in_force: Exposure, shown: Brightness, now: float) -> None:
        off = not DARKEST <= shown.mean <= BRIGHTEST
        if off and not self._off:
            self._off_at = now
        self._off = off
        if off and now - self._off_at >= OFF_S:
            change = (TARGET / max(shown.mean, 1.0)) ** CORRECTION
            change = max(1 / MOST_CHANGE, min(change, MOST_CHANGE))
            self._middle = self._reachable(in_force.light * change)
            self._off = False

    def _notice(self, stirred: bool, now: float) -> None:
        if not stirred:
            self._began, self._rest_s = None, REST_S
        elif self._began is None and now >= self._rests_until:
            self._began = now

    def _rest(self, now: float, seconds: float) -> None:
        self._began, self._rests_until = None, now + seconds

    def _light(self, now: float) -> float:
        steps = self._steps(now)
        if not steps:
            self._turn = 0
            return self._middle
        self._turn += 1
        turn, between = divmod(self._turn, STEPS_EVERY)
        return self._middle if between else steps[turn % len(steps)]

    def _steps(self, now: float) -> list[float]:
        """The other lights to try, the likeliest first; those the camera cannot do are left out."""
        waited = -1.0 if self._began is None else now - self._began
        clipped = self._lane.clipped > CLIPPED_SHARE
        dark = self._lane.dark > DARK_SHARE and self._lane.mean > LIT
        if waited < (PATIENCE_S if clipped or dark else LONG_PATIENCE_S):
            return []
        if not clipped and not dark:
            times = [1 / ALIKE, ALIKE]
        else:
            far = [[1 / STEP, 1 / STEP**2] * clipped, [STEP, STEP**2] * dark]
            times = [step for pair in zip(*filter(None, far), strict=True) for step in pair]
        lights: list[float] = []
        for light in (self._reachable(self._middle * step) for step in times):
            if not any(_same(light, other) for other in (self._middle, *lights)):
                lights.append(light)
        return lights

    def _reachable(self, light: float) -> float:
        return max(self._least, min(light, self._most))


class Lamp:
    """Frame by frame: whether the lane's illumination should be on. ``now`` never goes back."""

    def __init__(self) -> None:
        self._on = False
        self._running = 0
        self._needed_at = 0.0
        self._out_at = float("-inf")
        self._calm = True

    def step(self, stirred: bool, code: bool, dark: bool, now: float) -> bool:
        """On while something is there that came in the dark, until the lane was empty for LAMP_S.

        ``code``: one was read or located. The lamp itself brightens the picture, and going out it stirs it: what is
        dark is judged while it is off only, and after it went out nothing but a code counts until the lane was calm.
        """
        self._running = self._running + 1 if stirred else 0
        stirred = self._running >= LAMP_FRAMES
        out_for = now - self._out_at
        self._calm |= out_for > LAMP_STIRS_S or (not stirred and out_for > LAMP_LATE_S)
        if self._on:
            if stirred:
                self._needed_at = now
            elif now - self._needed_at > LAMP_S:
                self._on, self._calm, self._out_at = False, False, now
        elif dark and (code or (stirred and self._calm)):
            self._on, self._needed_at = True, now
        return self._on


def _same(one: float, other: float) -> bool:
    return max(one, other) <= SAME * max(1e-6, min(one, other))
