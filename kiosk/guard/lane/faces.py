"""What a lane's screen shows everybody who stands there: one face, made of the gate's state. Pure; nothing personal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from kiosk.guard import limits, views, words
from kiosk.guard.lane import desk
from kiosk.guard.lane.form_code import form_code
from kiosk.guard.words import Pair, Public, say
from kiosk.verbs import GateState, LaneState

HINT = "hint-"
"""A hint's sign is named by its word after this."""
COUNTER = "counter"
"""The sign of a pass that only waits to be collected."""
SIGNS = {"ready": "frame", "grant": "tick", "refer": "bang", "deny": "cross", "closed": "bar", "fault": "broken"}


@dataclass(frozen=True)
class Face:
    """Every text is a pair (zh, en)."""

    tone: str
    sign: str
    headline: Pair
    line: Pair
    lane: Pair
    way: str
    """in, out or both; empty while nothing is known of the lane."""
    place: Pair
    clock: str
    """Empty while the gate does not know the time."""
    notes: tuple[Pair, ...]
    shown: int
    """Differs for each result, also where it looks like the one before."""
    no_pass: Public | None = None
    """For people with nothing to show."""
    form: str = ""
    """SVG of the code that leads to the form; empty: nobody has said where it is."""

    @property
    def size(self) -> str:
        """How large the headline may be: of up to 4, 6 or 12 characters."""
        characters = len(self.headline[0])
        return "short" if characters <= 4 else "middle" if characters <= 6 else "long"


def face(state: GateState, lane: LaneState) -> Face:
    """An open lane before anything else, then the result being shown, then what is wrong, else ready with what
    would help to read the code that is held up."""
    if lane.phase in ("fire", "held"):
        return _face(state, lane, "grant", words.LANE["open"])
    if lane.shown_outcome in views.TONES:
        shown = _face(state, lane, lane.shown_outcome, _result(lane, state), lane.shown_until_ms)
        collects = lane.shown_outcome != "grant" and lane.shown_reason == "not_collected"
        return replace(shown, sign=COUNTER) if collects else shown
    if lane.signal == "fault" or "withdrawn" in state.faults:
        return lost(state, lane)
    if lane.lockdown:
        return _face(state, lane, "closed", _with_neighbour(words.LANE["closed"], state))
    if lane.called:
        word = lane.called if lane.called == "answered" or state.attended else "nobody"
        return _face(state, lane, "ready", words.CALLED.get(word, words.LANE["ready"]))
    if lane.hint in words.HINTS:
        return replace(_face(state, lane, "ready", words.HINTS[lane.hint]), sign=HINT + lane.hint)
    return _with_form(_face(state, lane, "ready", words.LANE["ready"]), state)


def lost(state: GateState | None, lane: LaneState | None) -> Face:
    """Nothing is read here, or the gate does not answer; ``state`` is then what was known last."""
    return _face(state, lane, "fault", _with_neighbour(words.LANE["fault"], state))


def _with_form(ready: Face, state: GateState) -> Face:
    code = form_code(state.form_url)
    return replace(ready, no_pass=words.NO_PASS["form" if code else "guard"], form=code)


def _result(lane: LaneState, state: GateState) -> Public:
    # A reason that is not here is one that may not be told: the guard is asked instead.
    found = words.PUBLIC.get(lane.shown_reason, words.AT_THE_POST)
    now = views.local(state.now_ms, state)
    zh, en = (limits.for_lane(language, lane.shown_reason, lane.shown_limits, now) for language in ("zh", "en"))
    if zh:
        found = Public(found.headline, (zh, en))
    if at_desk := desk.line(lane.shown_reason, state, _ended(lane, now), now if state.clock != "untrusted" else None):
        found = Public(found.headline, at_desk)
    if lane.shown_outcome == "grant" and lane.shown_label:
        found = Public(found.headline, _filled(words.SCREEN["label"], line=found.line, label=(lane.shown_label,) * 2))
    if lane.shown_outcome != "grant" or lane.shown_reason == "ok":
        return found
    go = words.PUBLIC["ok"]
    return Public(go.headline, _filled(words.SCREEN["guided"], headline=found.headline, line=found.line))


def _ended(lane: LaneState, now: datetime) -> Pair:
    zh, en = (limits.ended(language, lane.shown_limits, now) for language in ("zh", "en"))
    return zh, en


def _with_neighbour(public: Public, state: GateState | None) -> Public:
    zh = state.neighbour_zh if state else ""
    en = (state.neighbour_en if state else "") or zh
    if not zh:
        return public
    return Public(public.headline, _filled(words.SCREEN["neighbour"], line=public.line, neighbour=(zh, en)))


def _filled(pair: Pair, **facts: Pair) -> Pair:
    zh, en = ({name: fact[which] for name, fact in facts.items()} for which in (0, 1))
    return say("zh", pair, **zh), say("en", pair, **en)


def _face(state: GateState | None, lane: LaneState | None, tone: str, public: Public, shown: int = 0) -> Face:
    knows_time = state is not None and state.clock != "untrusted"
    return Face(
        tone=tone,
        sign=SIGNS[tone],
        headline=public.headline,
        line=public.line,
        lane=(views.lane_title("zh", lane), views.lane_title("en", lane)) if lane else ("", ""),
        way=lane.direction if lane else "",
        place=(" · ".join(filter(None, [state.compound_zh, state.gate])), state.compound_en) if state else ("", ""),
        clock=views.local(state.now_ms, state).strftime("%H:%M") if state and knows_time else "",
        notes=_notes(state) if state else (),
        shown=shown,
    )


def _notes(state: GateState) -> tuple[Pair, ...]:
    notes = []
    if state.list_state in ("stale", "expired"):
        age = (views.age("zh", state.list_age_s), views.age("en", state.list_age_s))
        notes.append(_filled(words.SCREEN["stale"], age=age))
    elif state.list_state == "none":
        notes.append(words.SCREEN["no_list"])
    if state.simulated:
        notes.append(words.SCREEN["demo"])
    return tuple(notes)
