"""The real gate and its specification side by side: every act is done to the gate, then held against what it owes.

An act is a method with plain arguments; :data:`ACTS` lists them with the arguments that are tried.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, time
from pathlib import Path
from typing import Any

import msgspec

from kiosk.channel import Refused
from kiosk.core.guards.post import GuardSessions
from kiosk.verbs import Presentation, SignIn
from sync.credential import Credential
from sync.protocol import CHAIN_START, Event, EventsAfter, chain
from tests.faults.model.portions import in_portions
from tests.faults.model.specification import (
    BUTTON_S,
    CAUSES,
    CHATTER_S,
    LONGEST_S,
    PASSBACK_S,
    QUOTA,
    REFER_S,
    SENSOR_S,
    SETTLE_S,
    Before,
    Showing,
    broken_by_answer,
    broken_by_journal,
    broken_by_relay,
    broken_by_repeat,
    broken_by_silence,
)
from tests.faults.model.stage import LIST_FAULTS, Stage
from tests.faults.tally import Tally
from tests.fixtures.gate_parts import DAY_MS, HOUR_MS, NOON_MS, PIN, ZONE, credential, kept_tries, row_of, text_of

LANE = "entry"
LAST_DAY_MS = NOON_MS + 60 * DAY_MS
"""No story goes on beyond the day on which the residents' own passes come near their end."""
YEAR_MS = 365 * DAY_MS
STRANGER_KEY = bytes(range(7, 39))


class Role(msgspec.Struct, frozen=True):
    """One of those who show a pass."""

    pass_: Credential
    stands: str = "active"
    listed: bool = True


ROLES = {
    "resident": Role(credential(1)),
    "neighbour": Role(credential(2)),
    "third": Role(credential(3)),
    "phone": Role(credential(4, medium="phone")),
    "revoked": Role(credential(5), "revoked"),
    "suspended": Role(credential(6), "suspended"),
    "visitor": Role(credential(7, kind="visitor", validity_hours=24 + 8)),
    "stranger": Role(credential(8, scope=99), "foreign", listed=False),
    "forger": Role(credential(1, random=9), "forged", listed=False),
}
ROWS = [
    row_of(role.pass_, state=role.stands, household=number, dwelling=f"1-1-{number}")
    for number, role in enumerate(ROLES.values(), 1)
    if role.listed
]
ACTS: dict[str, tuple[Sequence[Any], ...]] = {
    "show": (tuple(ROLES),),
    "wait": ((0.2, 1.0, 3.0, 9.0, 12.5, 31.0, 100.0, 200.0, 3600.0, 86_400.0, 3 * 86_400.0),),
    "sensor": ((True, False),),
    "drive_through": (),
    "button": ((True, False),),
    "fire": ((True, False),),
    "chatter": (),
    "flicker": (),
    "rule": ((True, False),),
    "override": ((True, False),),
    "hold": ((True, False),),
    "lockdown": ((True, False),),
    "sign_in": (),
    "kill": ((0.0, 1.0, 86_400.0),),
    "restart": (),
    "damage_memory": ((b"", b"\0" * 40, b"{}"),),
    "lose_statements": (),
    "spoil_list": (LIST_FAULTS,),
    "send_list": (),
    "card_refuses": (),
    "card_heals": (),
    "hardware_clock": ((None, 0, 60 * DAY_MS, YEAR_MS, -17 * DAY_MS, 20 * YEAR_MS, -20 * YEAR_MS),),
    "centre_says_time": (),
    "guard_says_time": (),
}
OFTEN = {"show": 12, "wait": 5, "drive_through": 8, "centre_says_time": 3, "send_list": 2, "card_heals": 3}
"""How often an act comes in a long run; the others once."""
Act = tuple[Any, ...]


class Broken(AssertionError):
    """The gate broke what it owes; the text says which promises, after which acts."""


class _Question(msgspec.Struct):
    """A yellow answer that waits for the guard."""

    who: str
    until: float
    event: str = ""


class _Use(msgspec.Struct, frozen=True):
    """An opening for somebody; ``at`` by the clock that never goes back. ``dated``: the gate knew what time it was."""

    who: str
    at: float
    true_ms: int
    dated: bool


class Play:
    """``close`` it."""

    def __init__(self, folder: Path, mode: str = "pulse"):
        self.stage = Stage(folder, ROWS, mode, quota_person_day=QUOTA)
        self.done: list[Act] = []
        self._hold_mode = mode == "hold"
        self._list_whole = self._time_sure = True
        self._lockdown: bool | None = False
        self._held = self._fire = self._sensor = False
        self._fire_doubted_until = self._flickers_until = 0.0
        self._active_since: dict[str, float] = {}
        self._list_lost = self._statements_lost = self._tells_itself = False
        self._opened_at = self._cleared_at = float("-inf")
        self._before: dict[str, Before] = {}
        self._waiting: dict[int, _Question] = {}
        self._opened_for: dict[str, float] = {}
        self._openings: dict[str, _Use] = {}
        self._uses: dict[str, list[_Use]] = {name: [] for name in (*ROLES, "")}
        self._refers: dict[str, str] = {}
        self._known_ms, self._journal_unread = 0, False
        self._uses_sure_from_ms = 0.0
        self._shown_while_refused = self._locked_while_refused = False
        self._bodies: list[str] = []
        self._journal_id, self._link = "", CHAIN_START
        self._broken: list[str] = []
        self._may_rise = False
        self._audit()

    def close(self) -> None:
        self.stage.close()

    def act(self, name: str, *arguments: Any) -> None:
        """Do it, let the gate's loop turn, and hold the gate against its specification. Raises Broken."""
        self.done.append((name, *arguments))
        rises, self._may_rise = self.stage.edges.count(True), self._fire_doubted
        getattr(self, name)(*arguments)
        self.stage.mirror.refresh()
        if self._journal_unread:
            self.stage.written()  # the loop's next turn finds the journal, if the card gives it now
        self.stage.gate.tick()
        if self.stage.edges.count(True) > rises and not self._may_rise:
            self._broken.append("the relay rose though nobody asked")
        self._audit()
        if self._broken:
            told = "\n  ".join(self._broken)
            raise Broken(f"after {self.done}:\n  {told}")

    # --- people ---

    def show(self, name: str) -> None:
        role, now = ROLES[name], self.stage.time.s
        if role.stands == "forged":
            text = text_of(role.pass_, key=STRANGER_KEY)
        else:
            text = text_of(role.pass_, self.stage.time.utc_ms if role.pass_.medium == "phone" else None)
        shown = self._showing(name)
        answer = self.stage.gate.present(Presentation(lane=LANE, text=text))
        before = self._before.get(name)
        self._broken += broken_by_repeat(before, text, now, self._is_under_way(before), answer.repeat)
        if answer.repeat:
            return
        self._broken += broken_by_answer(shown, answer.outcome, answer.reason)
        self._before[name] = Before(now, text, answer.outcome)
        self._shown_while_refused |= self.stage.card_refuses
        if answer.outcome == "grant":
            self._opens(name)
        elif answer.outcome == "refer":
            self._waiting[answer.happening] = _Question(name, now + REFER_S)

    def _showing(self, name: str) -> Showing:
        role, now_ms = ROLES[name], self.stage.time.utc_ms
        until = role.pass_.valid_until_ms
        known_ms = max(0 if self._journal_unread else self._known_ms, now_ms if self._time_sure else 0)
        return Showing(
            stands=role.stands,  # type: ignore[arg-type]
            expired=now_ms >= until,
            known_expired=known_ms >= until,
            list_whole=self._list_whole,
            clock_doubtful=not self._time_sure and self.stage.clock.now().state != "untrusted",
            lockdown=self._lockdown,
            just_passed=self._just_passed(name),
            quota_full=self._quota_full(name),
            digits_sure=role.pass_.medium == "card",
        )

    def _uses_sure(self, name: str) -> bool:
        """Whether the gate can count what this person did of late; it can where that is nothing."""
        if self.stage.time.utc_ms < self._uses_sure_from_ms:
            return False
        nothing = not (self._uses[name] or self._under_way(name) or self._before.get(name))
        return nothing or (not self.stage.card_refuses and self._time_sure and self._list_whole)

    def _under_way(self, name: str) -> list[_Use]:
        return [use for use in self._openings.values() if use.who == name]

    def _quota_full(self, name: str) -> bool | None:
        if ROLES[name].pass_.kind != "resident":
            return False
        midnight = datetime.combine(self.stage.clock.now().local.date(), time(), ZONE).timestamp() * 1000
        counted = [use for use in self._uses[name] if use.true_ms >= midnight or not use.dated]
        sure = [use for use in counted if use.dated and use.true_ms > midnight + 2000]
        if not self._uses_sure(name):
            return None
        if len(sure) >= QUOTA:
            return True
        return None if len(counted) + len(self._under_way(name)) >= QUOTA else False

    def _just_passed(self, name: str) -> bool | None:
        if not self._uses_sure(name):
            return None
        uses = self._under_way(name) + self._uses[name]
        if not uses:
            return False
        last = max(uses, key=lambda use: use.true_ms)
        since = (self.stage.time.utc_ms - last.true_ms) / 1000
        return None if abs(since - PASSBACK_S) < 2 or not last.dated else since < PASSBACK_S

    def _is_under_way(self, before: Before | None) -> bool | None:
        if before is None or self.stage.card_refuses:
            return None
        return before.event in self._openings or any(q.event == before.event for q in self._waiting.values())

    def _opens(self, name: str = "") -> None:
        self._may_rise, self._opened_at = True, self.stage.time.s
        self._opened_for[name] = self.stage.time.s
        if not self.stage.parts[LANE].is_on:
            self._broken.append("what is granted opens at once")

    def drive_through(self) -> None:
        self.sensor(True)
        self.stage.go(0.5)
        self.sensor(False)
        self.stage.go(1.0)

    # --- inputs ---

    def sensor(self, level: bool) -> None:
        if self._sensor and not level:
            self._cleared_at = self.stage.time.s
        self._sensor = level
        self._input("passage", level)

    def button(self, level: bool) -> None:
        if level and not self.stage.parts[LANE].levels["guard_button"]:
            self._may_rise, self._opened_at = True, self.stage.time.s
            self._opened_for[""] = self.stage.time.s
        self._input("guard_button", level)

    def fire(self, level: bool) -> None:
        self._fire, self._may_rise = level, level
        self._fire_doubted_until += CHATTER_S if self._fire_doubted else 0.0
        self._input("fire", level)

    def chatter(self) -> None:
        """The fire contact comes and goes, forty times in two seconds, and then keeps its level."""
        self._may_rise = True
        for level in (not self._fire, self._fire) * 20:
            self._input("fire", level)
            self.stage.go(0.05)
        self._fire_doubted_until = self.stage.time.s + CHATTER_S

    def flicker(self) -> None:
        """The passage sensor comes and goes, forty times in two seconds, and then keeps its level."""
        level = self._sensor
        for other in (not level, level) * 20:
            self.sensor(other)
            self.stage.go(0.05)
        self._flickers_until = self.stage.time.s + CHATTER_S

    @property
    def _flickers(self) -> bool:
        return self.stage.time.s <= self._flickers_until

    @property
    def _fire_doubted(self) -> bool:
        return self.stage.time.s <= self._fire_doubted_until

    def _input(self, name: str, level: bool) -> None:
        if not level:
            self._active_since.pop(name, None)
        else:
            self._active_since.setdefault(name, self.stage.time.s)
        if self.stage.parts[LANE].levels[name] != level:
            self.stage.parts[LANE].levels[name] = level
            self.stage.gate.input_changed(LANE, name, level)

    # --- guards ---

    def rule(self, grant: bool) -> None:
        if not self._waiting:
            return
        number = max(self._waiting)
        question = self._waiting.pop(number)
        try:
            self.stage.acts.rule(number, grant, "Lin", "")
        except Refused:
            if self.stage.time.s < question.until - 0.5:
                self._broken.append("a question waits for the guard for half a minute")
            return
        if grant:
            self._opens(question.who)

    def override(self, opens: bool) -> None:
        self.stage.acts.override(LANE, opens, 0, "Lin", "knows him")
        if opens:
            self._opens()

    def hold(self, on: bool) -> None:
        self._held, self._may_rise = on, on
        self.stage.acts.hold(LANE, on, "Lin")

    def lockdown(self, on: bool) -> None:
        self._lockdown = on
        self._locked_while_refused = self.stage.card_refuses
        self.stage.acts.lockdown(LANE, on, "Zhao", "drill")

    def sign_in(self) -> None:
        if self._statements_lost:
            return  # nothing on this device says any more who its guards are
        post = GuardSessions(lambda: self.stage.mirror.vouched.accounts, self.stage.time, kept_tries(self.stage.folder))
        try:
            post.sign_in(SignIn(name="Lin", pin=PIN))
        except Refused as err:
            self._broken.append(f"a guard can sign in whatever the list is like, here {err}")

    # --- faults ---

    def wait(self, seconds: float) -> None:
        """Time goes on; a long time in one leap, once everything short has had its turn."""
        if self.stage.time.utc_ms + seconds * 1000 > LAST_DAY_MS:
            return
        short = min(seconds, LONGEST_S + 60)
        self.stage.go(short)
        self.stage.time.go(seconds - short)
        self.stage.gate.tick()

    def kill(self, power_s: float) -> None:
        self._end_life(lambda: self.stage.kill(power_s))

    def restart(self) -> None:
        self._end_life(self.stage.stop_and_start)

    def damage_memory(self, raw: bytes) -> None:
        """The power goes, and then the memory is not what was written."""
        self._end_life(lambda: self.stage.kill(1.0, raw))
        if self.stage.card_refuses:
            self._lockdown = None  # neither journal nor memory can be read

    def lose_statements(self) -> None:
        """The power goes, and with it the file in which the core keeps what the root signed."""
        (self.stage.folder / "vouched.json").unlink(missing_ok=True)
        self._end_life(lambda: self.stage.kill(1.0))
        self._statements_lost |= not self._list_whole or self.stage.card_refuses

    def _end_life(self, end: Callable[[], None]) -> None:
        end()
        self._before.clear()
        self._waiting.clear()
        self._opened_for.clear()
        self._active_since.clear()
        self._list_lost = not self._list_whole and self._tells_itself
        self._journal_unread = self.stage.card_refuses
        self._time_sure = self._held = False
        self._fire_doubted_until = self._flickers_until = 0.0
        self._opened_at = self._cleared_at = float("-inf")
        if self._shown_while_refused:
            self._uses_sure_from_ms = self.stage.time.utc_ms + DAY_MS
            self._shown_while_refused = False
        if self._locked_while_refused:
            self._lockdown, self._locked_while_refused = None, False
        self.stage.edges.clear()
        self._openings.clear()
        for name, level in (("passage", self._sensor), ("fire", self._fire)):
            if level:
                self._may_rise = True
                self._input(name, level)

    def spoil_list(self, how: str) -> None:
        if not self.stage.card_refuses:
            self._list_whole = False
            self._tells_itself |= how != "rows_flipped"  # a row's damage shows when somebody needs the row
            self.stage.spoil_list(how)

    def send_list(self) -> None:
        if not self.stage.card_refuses:
            self.stage.send_list()
            self._list_whole, self._list_lost, self._statements_lost = True, False, False
            self._tells_itself = False

    def card_refuses(self) -> None:
        self.stage.refuse()

    def card_heals(self) -> None:
        self.stage.heal()

    def hardware_clock(self, off_ms: int | None) -> None:
        self.stage.time.rtc_off_ms = off_ms

    def centre_says_time(self) -> None:
        if self.stage.hear_time():
            self._broken.append("the centre's signed time is taken")
        self._time_sure = True

    def guard_says_time(self) -> None:
        """A guard who looks at a good watch."""
        self.stage.clock.confirm(self.stage.time.utc_ms)
        away_ms = abs(self.stage.clock.now().utc_ms - self.stage.time.utc_ms)
        if away_ms > HOUR_MS:
            self._broken.append(f"a guard's word counts over a wrong clock, here {away_ms / DAY_MS:.1f} days out")

    # --- what is held against the specification after each act ---

    def _audit(self) -> None:
        self._audit_relay()
        self._broken += broken_by_silence(self._trouble(), self.stage.faults())
        self._waiting = {n: question for n, question in self._waiting.items() if question.until > self.stage.time.s}
        if self.stage.written():
            self._shown_while_refused = self._journal_unread = False
            self._locked_while_refused &= not self.stage.kept.settle(0)
            self._read_on()
            running = {event for event, use in self._openings.items() if self.stage.time.s - use.at < LONGEST_S}
            waiting = {question.event for question in self._waiting.values()}
            self._broken += broken_by_journal([_event(body) for body in self._bodies], running, waiting)

    def _audit_relay(self) -> None:
        now, parts = self.stage.time.s, self.stage.parts[LANE]
        under = self._sensor or bool(self.stage.gate.openings) or now - self._cleared_at <= SETTLE_S + 0.1
        held = self._held or (self._fire and not self._fire_doubted)
        if held or self._fire_doubted:
            self._opened_at = max(self._opened_at, now)
        self._broken += broken_by_relay(parts.is_on, now - self._opened_at, held, self._hold_mode, under)

    def _trouble(self) -> dict[str, bool]:
        """What is wrong for long enough that the guard must be told, by its code."""
        now, since = self.stage.time.s, self._active_since
        return {
            "no_list list_forged": self._list_lost,
            "clock_untrusted": not self._time_sure and self.stage.clock.now().state == "untrusted",
            "journal": self.stage.card_refuses and self.stage.is_refused_something(),
            "passage_stuck": now - since.get("passage", now) > SENSOR_S,
            "button_stuck": now - since.get("guard_button", now) > BUTTON_S,
            "fire": self._fire and not self._fire_doubted,
            "lockdown": bool(self._lockdown),
        }

    def _read_on(self) -> None:
        """Take up what was written since, and see that the chain goes on from what was seen before."""
        batch = self.stage.journal.read(EventsAfter(self._journal_id, len(self._bodies), 1000))
        if self._journal_id and (batch.journal_id, batch.first_seq) != (self._journal_id, len(self._bodies) + 1):
            self._broken.append("the journal goes on in the same file")
            return
        if batch.before != self._link:
            self._broken.append("the chain goes on from what was seen before")
        self._journal_id = batch.journal_id
        for body in batch.events:
            self._bodies.append(body)
            self._link = chain(self._link, body)
            self._take_event(_event(body))

    def _take_event(self, event: Event) -> None:
        name = next((n for n, role in ROLES.items() if _is_of(role, event)), "") or self._refers.get(event.about, "")
        if event.clock in ("trusted", "holdover") and self._time_sure:
            self._known_ms = max(self._known_ms, event.at_ms)
        if event.kind in CAUSES and event.outcome == "grant":
            self._openings[event.id] = self._use_of(name)
        if event.kind == "decided":
            if name in self._before:
                self._before[name].event = event.id
            if event.outcome == "refer":
                self._refers[event.id] = name
                for question in self._waiting.values():  # in their order; a pass that could not be read has no name
                    if not question.event and name in (question.who, ""):
                        question.event = event.id
                        break
        if event.kind == "passage":
            self._settle(event)
        if event.kind == "boot":
            self._openings.clear()

    def _use_of(self, name: str) -> _Use:
        now, at = self.stage.time, self._opened_for.get(name)
        if at is None:  # a button's; or of a life that ended before anybody could read of it
            return _Use(name, now.s, now.utc_ms, False)
        return _Use(name, at, now.utc_ms - int((now.s - at) * 1000), self._time_sure)

    def _settle(self, event: Event) -> None:
        use = self._openings.pop(event.about, None)
        if use and event.outcome in ("passed", "no_sensor"):
            self._uses[use.who].append(use)


def _event(body: str) -> Event:
    return msgspec.json.decode(body, type=Event)


def _is_of(role: Role, event: Event) -> bool:
    return event.kind == "decided" and (role.pass_.scope, role.pass_.serial) == (event.scope, event.serial)


def acts_by_chance(rng: random.Random, steps: int) -> Iterator[Act]:
    """Acts for one story, which has a few favourites and leaves some others out: so it gets further into a corner."""
    names = list(ACTS)
    weights = [OFTEN.get(name, 1) * rng.choice((0, 1, 1, 4)) for name in names]
    weights[0] = OFTEN["show"]
    for name in rng.choices(names, weights, k=steps):
        yield (name, *(rng.choice(domain) for domain in ACTS[name]))


STEPS_OF_A_STORY, STORIES_AT_ONCE = 60, 40


def run(seed: int, steps: int) -> Tally:
    """Stories of 60 acts each, drawn by chance from the seed; held are those in which no promise was broken."""
    return in_portions(_stories, seed, -(-steps // STEPS_OF_A_STORY), STORIES_AT_ONCE)


def _stories(seed: int, count: int) -> Tally:
    rng, notes = random.Random(seed), []
    for number in range(1, count + 1):
        story = list(acts_by_chance(rng, STEPS_OF_A_STORY))
        why = broken_in(story, rng.choice(("pulse", "hold")))
        notes += [f"seed {seed}, story {number}: {why}"] if why else []
    return Tally("model", count, count - len(notes), tuple(notes))


def broken_in(story: Sequence[Act], mode: str = "pulse") -> str:
    """What a story breaks; empty: nothing."""
    with tempfile.TemporaryDirectory(prefix="play") as folder:
        play = Play(Path(folder), mode)
        try:
            for act in story:
                play.act(*act)
        except Broken as err:
            return str(err)
        finally:
            play.close()
    return ""
