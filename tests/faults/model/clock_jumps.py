"""Power cuts after which the hardware clock is anywhere within twenty years, or not there at all."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from kiosk.verbs import Presentation
from sync.credential import Credential
from tests.faults.model.portions import in_portions
from tests.faults.model.specification import Showing, broken_by_answer
from tests.faults.model.stage import Stage
from tests.faults.tally import Tally
from tests.fixtures.gate_parts import DAY_MS, HOUR_MS, NOON_MS, credential, row_of, text_of

MINUTE_MS, YEARS_MS = 60_000, 20 * 365 * DAY_MS
RESIDENT = credential(1)
VISITORS = [credential(100 + day, kind="visitor", validity_hours=24 * day) for day in range(1, 60)]
"""One for each day: their passes end at noon of the days after the first."""
ROWS = [row_of(pass_, household=pass_.serial, dwelling=f"d{pass_.serial}") for pass_ in (RESIDENT, *VISITORS)]
CLOCKS = ((None, True), (None, True), (0, True), (0, True), (0, True), (-17 * DAY_MS, True), (0, False))
"""Hardware clocks: how far they are ahead, if there is one, and whether it has a battery."""
JUMPS_AT_ONCE = 40
LAST_MS = NOON_MS + 55 * DAY_MS


class ClockJumps:
    """One gate over its power cuts. ``close`` it."""

    def __init__(self, folder: Path, rng: random.Random):
        self.stage = Stage(folder, ROWS)
        self._rng = rng
        self._known_ms = 0
        self._time_sure = True
        self.broken: list[str] = []

    def close(self) -> None:
        self.stage.close()

    @property
    def is_old(self) -> bool:
        return self.stage.time.utc_ms > LAST_MS

    def jump(self) -> None:
        """A while with the centre, a while without, a power cut, and what the residents and visitors then meet."""
        rng, stage = self._rng, self.stage
        self._with_the_centre()
        stage.go(20)
        stage.time.go(rng.choice((0, 3600, 86_400, 10 * 86_400)))
        self._people_come()
        if stage.time.rtc_off_ms is not None and stage.time.battery:
            stage.time.fit_rtc(_jumped(rng))
        stage.kill(rng.choice((1.0, 60.0, 86_400.0)))
        self._time_sure = False
        if not stage.time.battery and stage.clock.now().state != "untrusted":
            self.broken.append("a hardware clock without a battery is not believed after a power cut")
        self._people_come()
        if rng.random() < 0.3:
            stage.clock.confirm(stage.time.utc_ms)
            if abs(stage.clock.now().utc_ms - stage.time.utc_ms) > HOUR_MS:
                self.broken.append("a guard's word counts over a wrong clock")
            self._people_come()
        if rng.random() < 0.5:
            stage.kill(1.0)
            self._people_come()

    def _with_the_centre(self) -> None:
        """Its signed time comes now; the hardware clock, where there is one, is right or wrong at that moment, or right
        only as long as there is power."""
        off_ms, battery = self._rng.choice(CLOCKS)
        self.stage.time.fit_rtc(off_ms, battery)
        if self.stage.hear_time():
            self.broken.append("the centre's signed time is taken")
        self._time_sure = True
        self._people_come()

    def _people_come(self) -> None:
        now_ms = self.stage.time.utc_ms
        gone = [pass_ for pass_ in VISITORS if pass_.valid_until_ms <= max(self._known_ms, NOON_MS)]
        for pass_ in (RESIDENT, *gone[-1:], *gone[:1], *self._rng.sample(VISITORS, 1)):
            self._show(pass_, now_ms)
        self.stage.written()
        self._known_ms = now_ms if self._time_sure else self._known_ms

    def _show(self, pass_: Credential, now_ms: int) -> None:
        until = pass_.valid_until_ms
        shown = Showing(
            stands="active",
            expired=now_ms >= until,
            known_expired=max(self._known_ms, now_ms if self._time_sure else 0) >= until,
            list_whole=True,
            clock_doubtful=not self._time_sure or pass_ is not RESIDENT,  # an old list refers visitors
            lockdown=False,
            just_passed=False,
        )
        answer = self.stage.gate.present(Presentation(lane="entry", text=text_of(pass_)))
        if pass_ is RESIDENT or answer.reason != "expired":  # a visitor's clock may be wrong by what is plausible
            self.broken += broken_by_answer(shown, answer.outcome, answer.reason)
        self.stage.go(13)


def _jumped(rng: random.Random) -> int:
    """Anything from a minute to twenty years, either way, small jumps as often as large ones."""
    size = MINUTE_MS * (YEARS_MS / MINUTE_MS) ** rng.random()
    return int(rng.choice((-1, 1)) * size)


def run(seed: int, jumps: int) -> Tally:
    """That many power cuts, with and without a hardware clock; held are those after which nobody was wronged."""
    return in_portions(_jumps, seed, jumps, JUMPS_AT_ONCE)


def _jumps(seed: int, jumps: int) -> Tally:
    rng, notes, held, done = random.Random(seed), [], 0, 0
    while done < jumps:
        with tempfile.TemporaryDirectory(prefix="jumps") as folder:
            gate = ClockJumps(Path(folder), rng)
            while done < jumps and not gate.is_old:
                done += 1
                before_ms, gate.broken = gate.stage.time.rtc_off_ms, []
                gate.jump()
                held += not gate.broken
                battery = "a battery" if gate.stage.time.battery else "none"
                clocks = f"hardware clock with {battery}, {before_ms} and then {gate.stage.time.rtc_off_ms} ms ahead"
                notes += [f"seed {seed}, jump {done}, {clocks}: {why}" for why in gate.broken]
            gate.close()
    return Tally("clock jumps", jumps, held, tuple(notes))
