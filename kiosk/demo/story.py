"""``demo --once``: what a gate must do, played from end to end without a person, and checked step by step.

Everything goes the way it goes at a real gate: a printed card is photographed badly and held before the (simulated)
camera; guards act through their page; the centre is an own program whose network can go and whose answers take time.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from hardware import Picture
from hardware.simulated import burst
from kiosk import channel as ch
from kiosk import verbs
from kiosk.core.lanes.repeats import REPEAT_S
from kiosk.demo.post import Post
from kiosk.demo.record import StoryRecord
from kiosk.demo.town import COMPOUND, GUARD, Town, day
from kiosk.demo_passes import draw
from kiosk.reader.pictures import load_picture
from kiosk.together import wait_until
from sync.credential import digits_at
from sync.protocol import Event, EventBatch, EventsAfter

FRAMES = 6
SETTLE_S = 15.0
UNANSWERED_S = 60.0
CENTRE_S = 30.0
PEOPLE = 24
ONE_IN = 20
"""Of this many people at peak, one is refused."""
PEOPLE_A_MINUTE = 20
MOST_DRAWN = 100
"""Of so many short codes all have a digit once in fifty million times."""


class Story:
    """The town, watched: each ``tell_*`` is one part of the story and adds its steps to the record."""

    def __init__(self, town: Town, record: StoryRecord) -> None:
        self.town = town
        self.expect, self.note = record.expect, record.note
        self._reader = town.client("reader-guard", 60.0)
        self._core = town.client("core-guard")
        self._post = Post(town.page)
        self._token = ""
        self._seed = 0
        self._nobody_answers = 0
        self.held_again = 0

    # --- holding things up ---

    def printed(self, word: str) -> bytes:
        """The picture of a pass's card as the centre printed it."""
        return (self.town.pictures / f"{word}.png").read_bytes()

    def photographed(self, word: str) -> list[bytes]:
        """The frames of a bad photograph of a printed card: tilt, blur, glare, noise, a moving hand."""
        self._seed += 1
        return [_jpeg(frame) for frame in burst(load_picture(self.printed(word)), self._seed, FRAMES)]

    def hold(self, lane: str, pictures: Sequence[bytes], frames_each: int = 2) -> verbs.PresentationAnswer | None:
        """Hold pictures before a lane's camera; what the core said, None if nothing was read."""
        answer = self._reader.ask(verbs.SHOW, verbs.Show(lane, list(pictures), frames_each))
        return answer.presented[-1] if answer.presented else None

    def hold_card(self, word: str, lane: str = "entry", frames_each: int = 2) -> verbs.PresentationAnswer | None:
        """The printed card of a pass, photographed badly; held up a second time where the first was not read."""
        shown = self.hold(lane, self.photographed(word), frames_each)
        if shown is None:
            self.held_again += 1
            shown = self.hold(lane, self.photographed(word), frames_each)
        return shown

    def hold_text(self, text: str, lane: str = "entry") -> verbs.PresentationAnswer | None:
        """A code on a phone's screen."""
        return self.hold(lane, [draw(text)], frames_each=8)

    # --- watching ---

    def relay_rises(self, lane: str = "entry") -> int:
        """How often the relay of a lane has been switched on since the demo began."""
        lines = self.town.outputs.read_text().splitlines() if self.town.outputs.exists() else []
        changes = [json.loads(line) for line in lines]
        return sum(1 for c in changes if (c["lane"], c["what"], c["value"]) == (lane, "relay", True))

    def light(self, lane: str = "entry") -> str:
        """The light a lane shows."""
        state = self.town.state()
        return next((at.signal for at in state.lanes if at.name == lane), "") if state else ""

    def settled(self, number: int) -> str:
        """How the passage of a decision, ruling or override ended; empty if it did not in time."""
        passage = self._follower(number, "passage", SETTLE_S)
        return passage.outcome if passage else ""

    def _follower(self, number: int, kind: str, patience_s: float) -> verbs.LiveLine | None:
        """The line of that kind which followed another line of the guards' list; None if none came in time."""
        found: list[verbs.LiveLine] = []

        def look() -> bool:
            items = self._core.ask(verbs.WATCH, verbs.Watch(self._token, 0, 0.0)).items
            found[:] = [item for item in items if item.kind == kind and item.about == number]
            return bool(found)

        wait_until(look, patience_s)
        return found[0] if found else None

    def list_moves(self, change: Callable[[], object]) -> float:
        """Make a change at the centre; seconds from giving the command until the gate's list has it."""
        before, begun = self._revision(), time.monotonic()
        change()
        wait_until(lambda: self._revision() > before, CENTRE_S)
        return time.monotonic() - begun

    def _revision(self) -> int:
        state = self.town.state()
        return state.list_revision if state else -1

    # --- telling ---

    def until_no_repeat(self) -> None:
        """Wait until the gate takes the card just shown for a new presentation."""
        time.sleep(REPEAT_S + 0.3)

    def tell(self) -> None:
        """The whole story, in order."""
        self._token = self._core.ask(verbs.SIGN_IN, verbs.SignIn(GUARD, self.town.pins[GUARD], "story")).token
        for part in (
            self.tell_a_card,
            self.tell_phone_codes,
            self.tell_refusals,
            self.tell_the_exit,
            self.tell_guards,
            self.tell_a_late_tap,
            self.tell_an_answered_yellow,
            self.tell_out_and_in,
            self.tell_nobody_is_kept_in,
            self.tell_the_centre,
            self.tell_enforcement,
            self.tell_a_crash,
            self.tell_the_network,
            self.tell_the_peak,
            self.tell_a_short_code,
            self.tell_the_journal,
        ):
            part()

    def tell_a_card(self) -> None:
        rises = self.relay_rises()
        shown: list[verbs.PresentationAnswer | None] = []

        def first() -> str:
            shown.append(self.hold_card("resident"))
            return _said(shown[0])

        self.expect("card photographed badly", "grant ok", first)
        number = shown[0].happening if shown[0] else 0
        self.expect("passage sensed, barrier opened once", "passed, 1 opening",
                    lambda: f"{self.settled(number)}, {self.relay_rises() - rises} opening")  # fmt: skip
        self.expect("the same card again at once", "grant ok repeat, 1 opening",
                    lambda: f"{_said(self.hold_card('resident'))}, {self.relay_rises() - rises} opening")  # fmt: skip
        self.until_no_repeat()
        self.expect("a second time within the passback", "refer passback, yellow",
                    lambda: f"{_said(self.hold_card('resident'))}, {self.light()}")  # fmt: skip

    def tell_phone_codes(self) -> None:
        text, secret = self.town.phone["text"], base64.b32decode(self.town.phone["secret"])

        def with_digits(steps_ago: int) -> str:
            state = self.town.state()
            step = (state.now_ms if state else 0) // 30_000 - steps_ago
            return f"{text}.{digits_at(secret, step)}"

        self.expect("phone code without its digits", "deny digits_missing", lambda: _said(self.hold_text(text)))
        self.expect("phone code with old digits", "refer digits_stale",
                    lambda: _said(self.hold_text(with_digits(10))))  # fmt: skip
        self.expect("phone code with digits of now", "grant ok", lambda: _said(self.hold_text(with_digits(0))))

    def tell_refusals(self) -> None:
        for word, reason in (
            ("revoked", "revoked"),
            ("expired", "expired"),
            ("printed", "not_collected"),
            ("foreign", "foreign_scope"),
            ("forged", "bad_signature"),
        ):
            self.expect(f"card: {word}", f"deny {reason}", lambda word=word: _said(self.hold_card(word)))  # type: ignore[misc]
        self.expect("somebody's web address", "deny not_a_pass", lambda: _said(self.hold_text("https://example.org/")))

    def tell_the_exit(self) -> None:
        self.expect("revoked card at the exit", "refer revoked", self._leave_without_an_answer)
        self.expect("forged card at the exit", "refer bad_signature", lambda: _said(self.hold_card("forged", "exit")))
        self.expect("resident leaves", "grant ok", lambda: _said(self.hold_card("resident", "exit")))

    def _leave_without_an_answer(self) -> str:
        shown = self.hold_card("revoked", "exit")
        self._nobody_answers = shown.happening if shown else 0
        return _said(shown)

    def tell_guards(self) -> None:
        rises, pin = self.relay_rises(), self.town.pins[GUARD]
        self.expect("guard signs in on the page", "signed in", lambda: self._post.sign_in(GUARD, pin))
        self.expect("guard opens by the page", "1 opening", lambda: self._opened(rises, self._post.tap_open))
        self.expect("guard opens by the wired button", "2 opening", lambda: self._opened(rises, self._press_button, 2))

    def _opened(self, rises: int, act: Callable[[], object], times: int = 1) -> str:
        act()
        wait_until(lambda: self.relay_rises() - rises >= times, SETTLE_S)
        wait_until(self._idle, SETTLE_S)
        return f"{self.relay_rises() - rises} opening"

    def _idle(self) -> bool:
        state = self.town.state()
        return bool(state and all(lane.phase == "idle" for lane in state.lanes))

    def tell_a_late_tap(self) -> None:
        rises = self.relay_rises()

        def late() -> str:
            said = self._post.tap_open(held_up_s=verbs.TIMELY_S + 0.2)
            return f"{said}, {self.relay_rises() - rises} opening"

        self.expect("a guard's tap that comes late", "refused, 0 opening", late)

    def tell_an_answered_yellow(self) -> None:
        self.town.centre.say("suspend", self._neighbour("doubted", "9-1-101"))
        yellow: list[verbs.PresentationAnswer | None] = []

        def doubted() -> str:
            yellow.append(self.hold_card("doubted"))
            return _said(yellow[0])

        self.expect("suspended card: the guard is asked", "refer suspended", doubted)
        rises, number = self.relay_rises(), yellow[0].happening if yellow[0] else 0

        def answer_twice() -> str:
            taps = [self._post.tap_open(number) for _ in range(2)]
            stays = f"已放行 · {GUARD}" in self._post.read(number)
            return f"{', '.join(taps)}, {'green' if stays else 'not green'}, {self.relay_rises() - rises} opening"

        self.expect("the guard lets them in, and taps again: it stays answered", "done, done, green, 1 opening",
                    answer_twice)  # fmt: skip
        self.settled(number)

    def tell_out_and_in(self) -> None:
        self._neighbour("commuter", "9-1-102")
        for name, lane in (("comes in", "entry"), ("goes out", "exit")):
            self.expect(f"somebody {name}", "grant ok, passed", lambda lane=lane: self._passes("commuter", lane))  # type: ignore[misc]
        self.until_no_repeat()
        self.expect("and comes in again: went out, so no passback", "grant ok, passed",
                    lambda: self._passes("commuter", "entry"))  # fmt: skip

    def _passes(self, word: str, lane: str) -> str:
        shown = self.hold_card(word, lane)
        return f"{_said(shown)}, {self.settled(shown.happening) if shown else ''}"

    def _neighbour(self, word: str, dwelling: str) -> str:
        """Somebody new with a card, whom the gate knows when this returns. The pass's number."""
        number = self.town.issue(word, "", "", "--holder", "何静", "--active", "--dwelling", dwelling)
        wait_until(lambda: self._known(number), CENTRE_S)
        return number

    def tell_nobody_is_kept_in(self) -> None:
        def opened() -> str:
            answer = self._follower(self._nobody_answers, "ruling", UNANSWERED_S)
            said = f"{answer.outcome} {answer.reason}" if answer else "still waiting"
            return f"{said}, {'opened' if self.relay_rises('exit') else 'closed'}"

        self.expect("nobody answers at the exit: it opens", "grant unanswered, opened", opened)

    def _press_button(self) -> None:
        button = Path(self.town.config.simulated.folder) / "inputs" / "entry.guard_button"
        button.parent.mkdir(parents=True, exist_ok=True)
        button.write_text("1")
        time.sleep(0.3)
        button.write_text("0")

    def tell_the_centre(self) -> None:
        say = self.town.centre.say
        number = self.town.issue("lost", "", "", "--holder", "孙丽", "--active", "--dwelling", "2-1-603")
        wait_until(lambda: self._known(number), CENTRE_S)
        self.expect("new card, before it is lost", "grant ok", lambda: _said(self.hold_card("lost")))
        took = self.list_moves(lambda: say("revoke", number))
        self.until_no_repeat()
        self.expect("revoked at the centre: red at the gate", "deny revoked", lambda: _said(self.hold_card("lost")))
        self.note("from the command at the centre to the gate's list", f"{took:.2f} s")
        self.list_moves(lambda: say("extend", self.town.passes["expired"], "--until", day(300)))
        self.until_no_repeat()
        self.expect("extended at the centre: the old card opens", "grant ok",
                    lambda: _said(self.hold_card("expired")))  # fmt: skip

    def _known(self, number: str) -> bool:
        found = self._core.ask(verbs.LOOK_UP, verbs.LookUp(self._token, number))
        return bool(found.passes)

    def tell_enforcement(self) -> None:
        self._stage("introduce")
        self.expect("introduce: revoked card", "grant revoked", lambda: _said(self.hold_card("revoked")))
        self.expect("introduce: not collected", "grant not_collected", lambda: _said(self.hold_card("printed")))
        self.expect("introduce: another compound's", "grant foreign_scope", lambda: _said(self.hold_card("foreign")))
        self._stage("guard")
        self.until_no_repeat()
        self.expect("guard stage: revoked card", "refer revoked", lambda: _said(self.hold_card("revoked")))
        self._stage("strict")

    def _stage(self, stage: str) -> None:
        rule = json.dumps([{"stage": stage, "from_ms": 0}])
        self.list_moves(lambda: self.town.centre.say("set-rule", str(COMPOUND), "enforcement", rule))

    def tell_a_crash(self) -> None:
        assert self.town.device  # noqa: S101 - the story is told in an open town
        wait_until(self._idle, SETTLE_S)
        rises, core = self.relay_rises(), self.town.device.children["core"]
        car = threading.Thread(target=self._hold_and_forget, args=("vehicle",))
        car.start()

        def opening() -> str:
            opened = wait_until(lambda: self.relay_rises() > rises, SETTLE_S, every=0.01)
            return "barrier asked to open" if opened else "nothing"

        self.expect("a car begins to pass", "barrier asked to open", opening)
        killed = core.kill()
        car.join()
        self.expect("core killed mid-passage: back by itself", "back",
                    lambda: "back" if wait_until(lambda: self._is_back(killed), CENTRE_S) else "away")  # fmt: skip
        self._token = self._core.ask(verbs.SIGN_IN, verbs.SignIn(GUARD, self.town.pins[GUARD], "story")).token
        self.expect("nothing opened twice", "1 opening, relay off", lambda: (
            f"{self.relay_rises() - rises} opening, relay {'on' if self._relay_on() else 'off'}"))  # fmt: skip
        self.expect("the open passage is closed in the journal", "interrupted", self._last_passage)

    def _hold_and_forget(self, word: str) -> None:
        with contextlib.suppress(ch.ChannelError):  # the core is killed before it can answer the reader
            self.hold("entry", [self.printed(word)], frames_each=4)

    def _is_back(self, killed: int) -> bool:
        assert self.town.device  # noqa: S101
        state = self.town.state()
        return bool(
            state
            and self.town.device.children["core"].pid != killed
            and state.list_state != "none"
            and all(lane.camera_ok for lane in state.lanes)
        )

    def _relay_on(self) -> bool:
        state = self.town.state()
        return any(lane.relay_on for lane in state.lanes) if state else True

    def _last_passage(self) -> str:
        passages = [event for event in self._journal() if event.kind == "passage"]
        return passages[-1].outcome if passages else "none"

    def tell_the_network(self) -> None:
        self.town.centre.stop()
        wait_until(lambda: not self._centre_ok(), CENTRE_S)
        number = 0

        def offline() -> str:
            nonlocal number
            shown = self.hold_card("visitor")
            number = shown.happening if shown else 0
            return f"{_said(shown)}, centre {'there' if self._centre_ok() else 'away'}"

        self.expect("network cut: still decides", "grant ok, centre away", offline)
        self.settled(number)
        self.town.centre.start()
        self.expect("network back", "centre there", lambda: (
            "centre there" if wait_until(self._centre_ok, CENTRE_S * 2) else "centre away"))  # fmt: skip

    def _centre_ok(self) -> bool:
        state = self.town.state()
        return bool(state and state.centre_ok)

    def tell_the_peak(self) -> None:
        words = []
        for person in range(PEOPLE):
            word = f"person{person}"
            self.town.issue(word, "", "", "--holder", "何静", "--active", "--dwelling", f"8-1-{person + 101}")
            words.append(word)
        refused = {word for at, word in enumerate(words) if at % ONE_IN == ONE_IN - 1}
        for word in refused:
            self.town.centre.say("revoke", self.town.passes[word])
        last = self.town.passes[words[-1]]
        wait_until(lambda: self._known(last), CENTRE_S)
        photographs = {word: self.photographed(word) for word in words}
        begun, right = time.monotonic(), 0
        for word, frames in photographs.items():
            said = _said(self.hold("entry", frames, frames_each=1) or self.hold_card(word))
            right += said == ("deny revoked" if word in refused else "grant ok")
        rate = PEOPLE / (time.monotonic() - begun) * 60
        self.expect("peak: everybody decided rightly", f"{PEOPLE} of {PEOPLE}", lambda: f"{right} of {PEOPLE}")
        self.expect(f"peak: at least {PEOPLE_A_MINUTE} people a minute", "yes",
                    lambda: "yes" if rate >= PEOPLE_A_MINUTE else f"only {rate:.0f}")  # fmt: skip
        self.note("people a minute through one lane", f"{rate:.0f}")
        self.note("cards held up a second time", str(self.held_again))
        wait_until(self._idle, SETTLE_S * 2)

    def tell_a_short_code(self) -> None:
        number, code = self._without_a_digit()

        def look_up() -> str:
            found = self._post.look_up(f"{code[:2]} {code[2:].lower()}")
            return "found" if number in found else "not found"

        self.expect("a short code without a digit, as somebody says it", "found", look_up)

    def _without_a_digit(self) -> tuple[str, str]:
        """A pass whose short code is letters alone, as every sixth one's is: its number and the code."""
        new = ("issue", str(COMPOUND), "--holder", "孙丽", "--active", "--dwelling", "9-1-103")
        drawn = (self.town.centre.say(*new) for _ in range(MOST_DRAWN))
        made = next(one for one in drawn if one["short_code"].isalpha())
        number = str(made["number"])
        wait_until(lambda: self._known(number), CENTRE_S)
        return number, str(made["short_code"])

    def tell_the_journal(self) -> None:
        def unsent() -> int:
            state = self.town.state()
            return state.unsent if state else -1

        def once() -> str:
            mine = self._journal()
            wait_until(lambda: unsent() == 0 and len(self._at_centre()) >= len(mine), CENTRE_S)
            ids = [event.id for event in self._at_centre()]
            missing = {event.id for event in mine} - set(ids)
            return f"{len(missing)} missing, {len(ids) - len(set(ids))} doubled"

        self.expect("every event at the centre exactly once", "0 missing, 0 doubled", once)
        self.note("events", str(len(self._journal())))

    def _journal(self) -> list[Event]:
        client, events = self.town.client("core-sync"), []
        try:
            batch: EventBatch = client.ask(verbs.EVENTS, EventsAfter("", 0, 500))
            while batch.events:
                events += [msgspec.json.decode(text, type=Event) for text in batch.events]
                batch = client.ask(
                    verbs.EVENTS, EventsAfter(batch.journal_id, batch.first_seq + len(batch.events) - 1, 500)
                )
        finally:
            client.close()
        return events

    def _at_centre(self) -> list[Event]:
        found = self.town.centre.say("events", str(COMPOUND), "--rows", "10000")
        return [msgspec.json.decode(row["event"], type=Event) for row in found]

    def close(self) -> None:
        self._reader.close()
        self._core.close()
        self._post.close()


def play(town: Town, report: Path | None) -> bool:
    """Tell the story, print it as a table, write the report; whether every step came out right."""
    record = StoryRecord()
    story = Story(town, record)
    try:
        story.tell()
    finally:
        story.close()
        record.finish(report)
    return record.verdict()


def _said(shown: verbs.PresentationAnswer | None) -> str:
    if shown is None:
        return "not read"
    return f"{shown.outcome} {shown.reason}{' repeat' if shown.repeat else ''}"


def _jpeg(picture: Picture) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(out, "JPEG", quality=92)
    return out.getvalue()
