"""What the templates print: finished sentences, made of happenings, states and found passes. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kiosk.guard import limits, words
from kiosk.guard.board import Board, Entry
from kiosk.guard.standing import SHOWN, Standing, faults, notes, place, standing
from kiosk.guard.words import code, say, word
from kiosk.restarts import SEVERAL
from kiosk.verbs import FoundPass, GateState, LaneState, LiveLine, Session
from sync.terms import CAMERA_FAULTS

FRESH_MS = 60_000
"""A presentation older than this is history: the buttons then act on the lane, not on that person."""
NIGHT_BEGINS, NIGHT_ENDS = 18, 7

FAMILY_MS = 60_000
"""So long after somebody was let in the page offers to let their family follow."""
COUNTED = ("provisional", "family")
"""Kinds of lines about a number of people."""

TONES = {"grant": "ok", "refer": "look", "deny": "stop"}
MARKS = {"ok": "✓", "look": "!", "stop": "✕", "fault": "▨", "plain": "•"}
KIND_TONES = {
    "fire": "stop",
    "tamper": "fault",
    "call": "look",
    "lockdown": "look",
    "held_open": "look",
    "unasked": "look",
    "provisional": "ok",
    "family": "ok",
    "annulled": "plain",
}


@dataclass(frozen=True)
class Badge:
    tone: str
    mark: str
    text: str


@dataclass(frozen=True)
class StreamLine:
    """One row of the stream."""

    number: int
    tone: str
    mark: str
    time: str
    title: str
    where: str
    reason: str
    badges: list[Badge]
    wants_reason: int
    selectable: bool
    missed: bool = False
    """They waited for a guard, and nobody answered."""


@dataclass(frozen=True)
class Panel:
    """The presentation in front of the guard, and what the two buttons do about it."""

    key: str
    """Changes exactly when the guard must be shown something else."""
    headline: str
    reason: str
    lane: str
    run: str
    open_word: str
    lane_title: str = ""
    tone: str = "plain"
    mark: str = ""
    label: str = ""
    dwelling: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    answer: str = ""
    time: str = ""
    waits: bool = False
    seconds_left: int = 0
    more_waiting: str = ""
    old: bool = False
    happening: int = 0
    can_refuse: bool = False
    several: bool = False
    """The gate has several lanes: say which one is in hand."""
    rests: bool = False
    """A guard has opened for this person, and the passage has not settled: opening again would let another car in."""
    family: bool = False
    """A resident was let in a moment ago: others of the household may follow."""


@dataclass(frozen=True)
class Bar:
    """The thin bar that is always there."""

    tone: str
    mark: str
    sentence: str
    more: str
    list_age: str
    unexplained: str
    simulated: str
    clock_asks: bool
    held_asks: str
    held_title: str
    waiting: bool
    reader: list[str]
    """That the reader is down or began anew, and what to do."""
    cautions: list[str] = field(default_factory=list)
    rings: bool = False
    """Somebody called, and nobody has answered: it rings."""
    overspent: list[str] = field(default_factory=list)
    """Who overrode beyond the budget, for a supervisor; ``overspent_event`` is the newest of it."""
    overspent_event: str = ""
    no_duty: bool = False
    """A guard is signed in who has not begun a shift."""
    caution: int = 0
    """The newest of them: acknowledging it acknowledges what this page has shown, and nothing later."""


@dataclass(frozen=True)
class FoundRow:
    label: str
    dwelling: str
    facts: list[tuple[str, str]]
    tone: str
    mark: str
    state: str
    look: str = ""


def zone(name: str) -> tzinfo:
    """The compound's time zone; UTC where the machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def local(ms: int, state: GateState | None) -> datetime:
    """Milliseconds since 1970 as the compound's clocks show them."""
    return datetime.fromtimestamp(ms / 1000, zone(state.timezone) if state else UTC)


def is_night(state: GateState | None) -> bool:
    """Evening by the gate's clock, when it is known and can be trusted for that."""
    if state is None or state.clock == "untrusted":
        return False
    hour = local(state.now_ms, state).hour
    return hour >= NIGHT_BEGINS or hour < NIGHT_ENDS


def lane_title(language: str, lane: LaneState) -> str:
    """What people call the lane; its name in a core that does not say."""
    return (lane.title_en if language == "en" else lane.title_zh) or lane.name


def title_of(language: str, state: GateState | None, name: str) -> str:
    """The title of the lane of that name; the name itself where no such lane is known."""
    titles = {lane.name: lane_title(language, lane) for lane in state.lanes} if state else {}
    return titles.get(name, name)


def age(language: str, seconds: int) -> str:
    """A duration in one unit, the largest that leaves at least 2 of it."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return word(language, f"age_{unit}", n=seconds // size)
    return word(language, "age_seconds", n=max(seconds, 0))


def reason_sentence(language: str, reason: str) -> str:
    """The guard's sentence of a decision's reason."""
    return code(language, words.GUARD, reason) if reason else ""


def look_sentence(language: str, look: str) -> str:
    """What the guard shall look for; of a code that this page does not know, that there is something."""
    return say(language, words.LOOKS.get(look, words.GUARD["attention"]))


def given_reason(language: str, reason: str) -> str:
    """An override's reason: a code of the closed list, with free text after a colon."""
    name, _, text = reason.partition(":")
    spoken = code(language, words.OVERRIDE_REASONS | words.OTHER_REASONS, name)
    return f"{spoken}：{text.strip()}" if text.strip() else spoken


def line(language: str, entry: Entry, board: Board, state: GateState | None) -> StreamLine:
    """``entry`` as a row of the stream."""
    happening = entry.first
    decision = happening.kind == "decision"
    tone = TONES.get(happening.outcome, "plain") if decision else KIND_TONES.get(happening.kind, "plain")
    title = happening.label or code(language, words.OUTCOMES, happening.outcome)
    wanting = [h.number for h in entry.everything if board.wants_reason(h)]
    lane = title_of(language, state, happening.lane)
    return StreamLine(
        number=happening.number,
        tone=tone,
        mark=MARKS[tone],
        time=local(happening.at_ms, state).strftime("%H:%M:%S") if happening.at_ms else "",
        title=title if decision else _title(language, happening),
        where=" · ".join(filter(None, [happening.dwelling, happening.plate, lane])),
        reason=_line_reason(language, happening, state),
        badges=[_badge(language, follower) for follower in entry.followers],
        wants_reason=wanting[-1] if wanting else 0,
        selectable=decision,
        missed=any(follower.reason == "unanswered" for follower in entry.followers),
    )


def _line_reason(language: str, happening: LiveLine, state: GateState | None) -> str:
    told = _guidance(language, happening, state) or _spoken_reason(language, happening, state)
    return " ".join(filter(None, [told, _look_besides(language, happening)]))


def _look_besides(language: str, happening: LiveLine) -> str:
    """What to look for, where another reason is the one that is told."""
    if not happening.look or (happening.guidance or happening.reason) == "attention":
        return ""
    return word(language, "look_besides", look=look_sentence(language, happening.look))


def _title(language: str, happening: LiveLine) -> str:
    count = word(language, "people", n=happening.repeats) if happening.kind in COUNTED else ""
    outcome = "" if count else _outcome(language, happening)
    parts = [code(language, words.KINDS, happening.kind), count, outcome, happening.by]
    return " · ".join(filter(None, parts))


def _outcome(language: str, happening: LiveLine) -> str:
    return code(language, words.OUTCOMES, happening.outcome) if happening.outcome else ""


def _spoken_reason(language: str, happening: LiveLine, state: GateState | None) -> str:
    if happening.kind == "decision":
        return _stated_reason(language, happening, happening.reason, state)
    return given_reason(language, happening.reason)


def _stated_reason(language: str, happening: LiveLine, reason: str, state: GateState | None) -> str:
    """The guard's sentence with what to look for, or the day or the hours that it goes by, where the gate said them."""
    if reason == "attention":
        return look_sentence(language, happening.look)
    stated = limits.for_guard(language, reason, happening.limits, local(happening.at_ms, state))
    return stated or reason_sentence(language, reason)


def _badge(language: str, happening: LiveLine) -> Badge:
    if happening.kind == "explained":
        return Badge("plain", MARKS["plain"], f"{given_reason(language, happening.reason)} · {happening.by}")
    if happening.kind == "annulled":
        text = code(language, words.KINDS, "annulled")
        return Badge("plain", MARKS["plain"], word(language, "by", outcome=text, name=happening.by))
    if happening.kind == "call" and happening.by:
        return Badge("ok", MARKS["ok"], word(language, "call_answered", name=happening.by))
    tone = "plain" if happening.kind == "passage" else TONES.get(happening.outcome, "plain")
    if happening.reason == "unanswered":
        opened = happening.outcome == "grant"
        said = word(language, "unanswered_exit") if opened else reason_sentence(language, "unanswered")
        return Badge(tone, MARKS[tone], said)
    if happening.kind == "family":
        return Badge(tone, MARKS[tone], _title(language, happening))
    outcome = _outcome(language, happening) or code(language, words.KINDS, happening.kind)
    text = word(language, "by", outcome=outcome, name=happening.by) if happening.by else outcome
    if happening.reason and happening.kind in ("override", "ruling"):
        text = f"{text} · {given_reason(language, happening.reason)}"
    return Badge(tone, MARKS[tone], text)


def no_panel(language: str, board: Board, state: GateState | None, lane: str, elsewhere: str = "") -> Panel:
    """Nobody has shown anything: the lane can still be opened."""
    return Panel(
        key=f"none:{board.run}:{lane}:{elsewhere}",
        headline=word(language, "empty_now"),
        reason=word(language, "empty_now_line"),
        lane=lane,
        lane_title=title_of(language, state, lane),
        several=_several(state),
        more_waiting=elsewhere,
        run=board.run,
        open_word=word(language, "open"),
    )


def _several(state: GateState | None) -> bool:
    return state is not None and len(state.lanes) > 1


def panel(
    language: str, board: Board, state: GateState | None, now_ms: int, chosen: int, lane: str, only: bool = False
) -> Panel:
    """The chosen entry, else the longest waiting refer, else the newest decision, else an empty panel. With ``only``
    the guard has that lane in hand, and nobody of another one comes before it."""
    entry = board.find(chosen) or board.current(now_ms, lane if only else "")
    others = [e for e in board.waiting(now_ms) if e is not entry]
    elsewhere = _more_waiting(language, others, state)
    if entry is None:
        return no_panel(language, board, state, lane, elsewhere)
    happening, answer = entry.first, entry.answer()
    waits = entry.is_open(now_ms)
    old = not waits and not chosen and now_ms - happening.at_ms > FRESH_MS
    if old and happening.lane not in ("", lane):  # the buttons would act on a lane other than that person's
        return no_panel(language, board, state, lane, elsewhere)
    tone = TONES.get((answer or happening).outcome, "plain")
    acted_on = lane if old else happening.lane or lane
    rests = entry.rests(now_ms)
    return Panel(
        key=f"{board.run}:{entry.number}:{entry.newest_act}:{waits}:{old}:{rests}:{elsewhere}:{acted_on}",
        tone=tone,
        mark=MARKS[tone],
        headline=_headline(language, happening, answer),
        label=happening.label,
        dwelling=happening.dwelling,
        facts=_facts(language, happening, state),
        reason=_panel_reason(language, happening, answer, state),
        notes=_notes(language, happening, state),
        answer=_badge(language, answer).text if answer else "",
        time=local(happening.at_ms, state).strftime("%H:%M:%S"),
        waits=waits,
        seconds_left=max(0, (happening.open_until_ms - now_ms) // 1000) if waits else 0,
        more_waiting=elsewhere,
        old=old,
        several=_several(state),
        lane=acted_on,
        lane_title=title_of(language, state, acted_on),
        happening=0 if old else entry.number,
        run=board.run,
        can_refuse=not old and not rests,
        rests=rests,
        family=_may_follow(happening, answer, now_ms),
        open_word=word(language, "let_through" if waits else "resting" if rests else "open"),
    )


def _may_follow(happening: LiveLine, answer: LiveLine | None, now_ms: int) -> bool:
    let_in, kind = (answer or happening).outcome == "grant", happening.pass_kind
    return let_in and kind == "resident" and now_ms - happening.at_ms < FAMILY_MS


def _more_waiting(language: str, others: list[Entry], state: GateState | None) -> str:
    """How many more wait, and at which lanes where there are several."""
    if not others:
        return ""
    lanes = dict.fromkeys(entry.first.lane for entry in others if entry.first.lane) if _several(state) else {}
    titles = word(language, "and").join(title_of(language, state, name) for name in lanes)
    more = word(language, "more_waiting", n=len(others))
    return f"{titles} · {more}" if titles else more


def _headline(language: str, happening: LiveLine, answer: LiveLine | None) -> str:
    """What became of them: the answer, and whose it is, once there is one."""
    if answer is None:
        return _outcome(language, happening)
    outcome = word(language, "let_in") if answer.outcome == "grant" else _outcome(language, answer)
    return f"{outcome} · {answer.by}" if answer.by else outcome


def _panel_reason(language: str, happening: LiveLine, answer: LiveLine | None, state: GateState | None) -> str:
    if answer is not None and not answer.by and answer.reason == "interrupted":
        return word(language, "cut_short")
    return _stated_reason(language, happening, happening.reason, state)


def _guidance(language: str, happening: LiveLine, state: GateState | None) -> str:
    """What enforcement softened away, empty if nothing."""
    if not happening.guidance:
        return ""
    key = "guided" if happening.outcome == "grant" else "would_be"
    return word(language, key, reason=_stated_reason(language, happening, happening.guidance, state))


def _facts(language: str, happening: LiveLine, state: GateState | None) -> list[tuple[str, str]]:
    facts = [
        (word(language, "kind"), code(language, words.PASS_KINDS, happening.pass_kind)),
        (word(language, "plate"), happening.plate),
        (word(language, "pass_number"), happening.pass_number),
        *_terms(language, happening),
    ]
    if happening.last_passage_ms and happening.reason in words.BEARING:
        facts.append(
            (word(language, "last_passage"), local(happening.last_passage_ms, state).strftime("%m-%d %H:%M:%S"))
        )
    return [(name, fact) for name, fact in facts if fact]


def _terms(language: str, happening: LiveLine) -> list[tuple[str, str]]:
    """What holds for this pass alone. Only guards read the numbers; the lane shows none."""
    terms, used = happening.terms, ""
    if terms.entries:
        used = word(language, "entries_used", entered=happening.entered, entries=terms.entries)
    return [
        (word(language, "own_hours"), limits.hours(language, terms.hours)),
        (word(language, "entries"), used),
        (word(language, "one_day"), word(language, "one_day_means") if terms.one_day else ""),
    ]


def _notes(language: str, happening: LiveLine, state: GateState | None) -> list[str]:
    notes = [_guidance(language, happening, state), _look_besides(language, happening)]
    if happening.list_age_s > 86_400:
        notes.append(word(language, "stale_list", age=age(language, happening.list_age_s)))
    if happening.clock == "untrusted":
        notes.append(word(language, "clock_doubt"))
    if happening.repeats:
        notes.append(word(language, "repeats", n=happening.repeats))
    if happening.source in words.SOURCES:
        notes.append(say(language, words.SOURCES[happening.source]))
    return [note for note in notes if note]


def bar(language: str, state: GateState | None, waiting: bool, session: Session | None = None) -> Bar:
    """The state bar; ``state`` None means that the core does not answer. A supervisor's ``session`` reads more."""
    if state is None:
        sentence = word(language, "offline")
        return Bar("fault", MARKS["fault"], sentence, "", "", "", "", False, "", "", False, [])
    stands = standing(state)
    supervisor = session is not None and session.role == "supervisor"
    tone = stands[0].tone if stands else "ok"
    asking = [lane.name for lane in state.lanes if lane.held_before_restart]
    return Bar(
        tone=tone,
        mark=MARKS[tone],
        sentence=_standing_sentence(language, stands[0], state) if stands else word(language, "fine"),
        more=word(language, "and_more", n=len(stands) - 1) if len(stands) > 1 else "",
        list_age=list_age(language, state),
        unexplained=word(language, "unexplained", n=state.unexplained) if state.unexplained else "",
        simulated=simulated_banner(language, state),
        clock_asks=state.clock_asks,
        held_asks=asking[0] if asking else "",
        held_title=title_of(language, state, asking[0]) if asking else "",
        waiting=waiting,
        reader=reader_notes(language, state),
        cautions=_caution_sentences(language, state),
        rings=any(caution.code == "call" for caution in state.cautions),
        overspent=_overspent(language, state) if supervisor else [],
        overspent_event=state.overspent[-1].event if supervisor and state.overspent else "",
        no_duty=session is not None and session.role == "guard" and session.name not in state.on_duty,
        caution=state.cautions[-1].number if state.cautions else 0,
    )


def _standing_sentence(language: str, stands: Standing, state: GateState) -> str:
    """Where a gate has several lanes, with those that it is about."""
    sentence = code(language, words.FAULTS, stands.code)
    if len(state.lanes) < 2 or not any(stands.lanes):
        return sentence
    titles = word(language, "and").join(title_of(language, state, lane) for lane in stands.lanes)
    return f"{titles} · {sentence}"


def _caution_sentences(language: str, state: GateState) -> list[str]:
    """What no guard has acknowledged, what matters most first: when it began, where, and what it was."""
    cautions = sorted(state.cautions, key=lambda caution: (place(caution.code), caution.number))
    return [
        word(
            language,
            "caution_at" if caution.code in SHOWN else "caution",
            time=local(caution.since_ms, state).strftime("%H:%M"),
            sentence=_standing_sentence(language, Standing(caution.code, (caution.lane,)), state)
            + (word(language, "times", n=caution.times) if caution.times > 1 else ""),
        )
        for caution in cautions
    ]


def _overspent(language: str, state: GateState) -> list[str]:
    """Whose overrides were beyond the budget: how many, and when last."""
    latest = {one.by: one for one in state.overspent}
    count = Counter(one.by for one in state.overspent)
    return [
        word(language, "overspent", name=by, n=count[by], time=local(one.at_ms, state).strftime("%H:%M"))
        for by, one in latest.items()
    ]


def hints(language: str, state: GateState | None) -> list[str]:
    """What keeps a code from being read now, lane by lane; a hint newer than this page is left out."""
    lanes = state.lanes if state else []
    said = [(lane, code(language, words.GUARD_HINTS, lane.hint)) for lane in lanes if lane.hint in words.GUARD_HINTS]
    return [f"{lane_title(language, lane)} · {hint}" if len(lanes) > 1 else hint for lane, hint in said]


def reader_notes(language: str, state: GateState) -> list[str]:
    """What a guard should know of a reader that is down, of a camera that is, or of a reader that began anew often or
    lately enough to be reported."""
    if "reader_silent" in state.faults:
        return [word(language, "reader_down")]
    if notes := _camera_notes(language, state):
        return notes
    lanes = [lane for lane in state.lanes if lane.reader_restarts]
    if "reader_restarted" not in state.faults or not lanes:
        return []
    last = lanes[0]
    at = local(last.reader_restarted_ms, state).strftime("%H:%M")
    blamed = [lane_title(language, lane) for lane in lanes if lane.reader_blames]
    if blamed:
        do = word(language, "reader_blamed", lanes=word(language, "and").join(blamed))
    else:
        do = word(language, "reader_often" if last.reader_restarts >= SEVERAL else "reader_once")
    return [word(language, "reader_again", time=at, n=last.reader_restarts), do]


def _camera_notes(language: str, state: GateState) -> list[str]:
    """Which lane's camera it is, where there are several, and when its own restarts are not enough."""
    ill = [lane for lane in state.lanes if lane.camera_fault in CAMERA_FAULTS]
    notes = []
    if ill and len(state.lanes) > 1:
        titles = word(language, "and").join(lane_title(language, lane) for lane in ill)
        notes.append(word(language, "camera_at", lanes=titles))
    if any(lane.camera_fault in ("camera_hung", "camera_frozen") for lane in ill):
        notes.append(word(language, "camera_down"))
    return notes


def list_age(language: str, state: GateState) -> str:
    if state.list_state == "none":
        return word(language, "no_list_age")
    return word(language, "list_age", age=age(language, state.list_age_s))


def simulated_banner(language: str, state: GateState) -> str:
    if not state.simulated:
        return ""
    lanes_of: dict[str, list[str]] = {}
    for part in state.simulated:
        name, _, lane = part.partition(" ")
        lanes_of.setdefault(name, []).append(lane)
    parts = [_part(language, name, lanes, state) for name, lanes in lanes_of.items()]
    return word(language, "simulated", parts=word(language, "and").join(parts))


def _part(language: str, name: str, lanes: list[str], state: GateState) -> str:
    """The part, with its lanes only where others have a real one."""
    everywhere = {lane.name for lane in state.lanes} <= set(lanes)
    named = [] if everywhere else [title_of(language, state, lane) for lane in lanes]
    return " ".join([code(language, words.PARTS, name), *named])


def fault_sentences(language: str, state: GateState) -> list[Badge]:
    """Every fault that stands, worst first, for the page that has room for them."""
    return [Badge("fault", MARKS["fault"], _standing_sentence(language, one, state)) for one in faults(state)]


def note_sentences(language: str, state: GateState) -> list[Badge]:
    """What else there is to know: what people do at the gate, and what is over."""
    return [Badge("plain", MARKS["plain"], _standing_sentence(language, one, state)) for one in notes(state)]


def found(language: str, item: FoundPass, state: GateState) -> FoundRow:
    """A looked-up pass."""
    tone = "ok" if item.state == "active" else "stop"
    facts = [
        (word(language, "kind"), code(language, words.PASS_KINDS, item.kind)),
        (word(language, "plate"), item.plate),
        (word(language, "pass_number"), item.number),
        (word(language, "valid_until"), local(item.valid_until_ms, state).strftime("%Y-%m-%d %H:%M")),
    ]
    if item.last_passage_ms:
        facts.append((word(language, "last_passage"), local(item.last_passage_ms, state).strftime("%m-%d %H:%M")))
    return FoundRow(
        label=item.label,
        dwelling=item.dwelling,
        facts=[(name, fact) for name, fact in facts if fact],
        tone=tone,
        mark=MARKS[tone],
        state=code(language, words.PASS_STATES, item.state),
        look=look_sentence(language, item.look) if item.look else "",
    )


def signed_in_as(language: str, session: Session) -> str:
    role = code(language, words.WORDS, f"role_{session.role}")
    return word(language, "signed_in_as", name=session.name, role=role)


def refusal(language: str, reason: str) -> str:
    """What a :class:`kiosk.channel.Refused` code means to a guard; ``locked_out:SECONDS`` carries its wait, which is
    told in whole minutes that are long enough."""
    name, _, detail = reason.partition(":")
    pair = words.ERRORS.get(name, words.ERRORS["not_possible"])
    wait = int(detail) if detail.isdecimal() else 60
    return say(language, pair, wait=age(language, wait if wait < 120 else (wait + 58) // 60 * 60))


def done_sentence(language: str, line: LiveLine) -> str:
    """What the gate did at a guard's word."""
    if line.kind in ("ruling", "override", *COUNTED):
        return word(language, "opened" if line.outcome == "grant" else "refused")
    return word(language, "done")


def answered_before(language: str, answer: LiveLine | None, alike: bool) -> str:
    """Why a guard's answer did nothing: what had been answered before, by whom."""
    if answer is None or not answer.by:
        return say(language, words.ERRORS["not_waiting"])
    return word(language, _BEFORE[answer.outcome == "grant", alike], name=answer.by)


_BEFORE = {
    (True, True): "granted_alike",
    (True, False): "granted_before",
    (False, True): "denied_alike",
    (False, False): "denied_before",
}


def override_line(language: str, happening: LiveLine, state: GateState | None) -> tuple[int, str]:
    """An override or ruling that wants its reason: (number, what was done and when)."""
    when = local(happening.at_ms, state).strftime("%m-%d %H:%M") if happening.at_ms else ""
    where = title_of(language, state, happening.lane)
    return happening.number, " · ".join(filter(None, [when, _title(language, happening), where]))
