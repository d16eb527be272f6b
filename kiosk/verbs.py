"""What the four processes may ask each other: the messages, and the verbs of each pair of them."""

from __future__ import annotations

import time
from typing import Any, Literal

import msgspec

from hardware.vitals import Vitals
from kiosk.channel import Verb
from sync.protocol import Accepted, Acknowledged, EventBatch, EventsAfter, Nonce, Signed, SyncState, Terms, Window
from sync.shifts import ShiftSheet

TIMELY_S = 2.0
"""A question that may open says when it was put. Answered later than this, it opens nothing: its person has gone."""


def _asked_at() -> Any:
    """Seconds of CLOCK_MONOTONIC, which all processes of the device share; filled in when the question is made."""
    return msgspec.field(default_factory=time.monotonic)


class Nothing(msgspec.Struct):
    """A question or an answer without content."""


# --- reader -> core -------------------------------------------------------------------------------------------------


class Presentation(msgspec.Struct, kw_only=True):
    """One showing of a code. ``text`` is what the decoder read, of any length up to 4,296 characters."""

    lane: str
    text: str
    source: str = "camera"  # camera, phone (a guard's photo), hand (typed)
    engine: str = ""
    frames: int = 1
    ms: float = 0.0
    at: float = _asked_at()


class PresentationAnswer(msgspec.Struct, kw_only=True):
    """What came of a presentation: ``outcome`` grant, refer or deny with one ``reason``; nothing personal."""

    outcome: str
    reason: str
    lane: str
    repeat: bool = False
    happening: int = 0


FRAME_TIMES_S = (0.02, 0.03, 0.034, 0.04, 0.05, 0.07, 0.1, 0.2, 0.5, 1.0, 2.5)
"""Bounds of the time from one frame to the next. A camera is asked for a frame every 33 ms; 2.5 s is a camera that
hangs."""
DECODE_TIMES_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.033, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Bounds of what a look at one frame costs. A frame that is passed over takes less than 1 ms, one frame's time is
33 ms, and 2 s end the reader."""


class Spread(msgspec.Struct):
    """What was measured since a process began, by size: how many were at most each bound and above the one before, and
    last how many were above them all; ``sum_s`` is the sum of all, in seconds."""

    counts: list[int]
    sum_s: float = 0.0


class ReaderFigures(msgspec.Struct, kw_only=True):
    """How a reader's run of ``up_s`` seconds has gone at one lane; all counts begin at 0 with each run."""

    up_s: float
    frames: int = 0
    fps: float = 0.0
    """Frames a second, of late."""
    frame_times: Spread
    """By :data:`FRAME_TIMES_S`."""
    decode_times: Spread
    """By :data:`DECODE_TIMES_S`."""
    brightness: float | None = None
    """Mean grey value of the last frame, 0 to 255."""
    exposure_us: int | None = None
    gain: float | None = None
    """How the last frame was taken; None: the camera does not say."""


STARTING = "starting"
"""Why a part is not well that has had no time yet to say so; no fault, and not fine either."""


class ReaderState(msgspec.Struct, kw_only=True):
    """The reader's own health, sent about once a second and when it changes; the core takes silence for a fault.

    ``run`` is drawn anew by each process: another one is a restart. ``why`` is for a technician, or :data:`STARTING`.
    """

    lane: str
    run: str = ""
    ok: bool
    why: str = ""
    fault: str = ""
    """What the camera shows where it is open and not well: black, white, frozen, hung (no frames)."""
    part: str = ""
    frames: int = 0
    decode_ms: float = 0.0
    looked: float | None = None
    """The share of the last frames that were decoded: an empty lane's hardly are. None: the reader does not say."""
    frame_age_s: float = 0.0
    """Seconds since the last frame, or since the camera was first asked for. The core adds the state's own age."""
    light: bool = False
    """Something is before the camera, and it is dark: the lane's illumination should be on."""
    module_px: float | None = None
    """Camera pixels of a card's module at the set distance, by the optics. None: unknown."""
    optics: str = ""
    """``few``: they are fewer than the decoders need in a hand; ``lens``: nobody said which lens is on; or well."""
    hint: str = ""
    """What the one who holds up something unreadable could do (a :class:`hardware.Hint`'s word); empty: nothing."""
    figures: ReaderFigures | None = None


class Ending(msgspec.Struct, kw_only=True):
    """The last word of a reader's ``run``: it was ``asked`` to end, it ends to look for a ``camera`` anew, or a picture
    took longer than it may: a ``frame`` of a lane's camera or a guard's ``photo``. Nothing is said where it was killed
    or crashed."""

    run: str
    why: Literal["asked", "camera", "frame", "photo"]
    lane: str = ""


ENDING: Verb[Ending, Nothing] = Verb("ending", Ending, Nothing)


class LampState(msgspec.Struct):
    """Whether the lane's lamp can be lit: without it a covered lens looks like the night; and until when
    (CLOCK_MONOTONIC) somebody looks through its camera, whom the core has recorded."""

    works: bool = True
    viewed_until: float = 0.0


PRESENT: Verb[Presentation, PresentationAnswer] = Verb("present", Presentation, PresentationAnswer)
READER_STATE: Verb[ReaderState, LampState] = Verb("reader_state", ReaderState, LampState)

# --- guard -> core --------------------------------------------------------------------------------------------------


class SignIn(msgspec.Struct):
    """A guard's name and PIN; ``address`` is where the page was opened (for the limit on wrong tries)."""

    name: str
    pin: str
    address: str = ""


class Session(msgspec.Struct, kw_only=True):
    """A signed-in guard. ``token`` is needed by every verb below that says so; ends after ``ends_in_s``."""

    token: str
    name: str
    role: str  # guard, supervisor, technician
    ends_in_s: int


class Token(msgspec.Struct):
    token: str


class Watch(msgspec.Struct):
    """Wait up to ``wait_s`` for lines numbered above ``after`` (0: the latest fifty at once)."""

    token: str
    after: int
    wait_s: float = 20.0


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """From when and until when (UTC milliseconds) and at which hours a pass is good: only what speaks against it.
    ``own``: the hours are those of this pass alone, which bystanders need not know."""

    from_ms: int = 0
    until_ms: int = 0
    hours: tuple[Window, ...] = ()
    own: bool = False


class LiveLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One line of the live list. Numbered 1, 2, 3 … since the core started; a later one may settle an earlier.

    ``kind``: a :data:`sync.terms.LiveKind`, or state.
    ``outcome``: grant, refer, deny for decisions; passed, not_passed, no_sensor, interrupted for passages.
    ``about`` is the number of the decision this line settles or contradicts; ``event`` the journal's id of it.
    """

    number: int
    kind: str
    lane: str = ""
    at_ms: int = 0
    outcome: str = ""
    reason: str = ""
    guidance: str = ""  # the reason that enforcement softened away, if it did
    source: str = ""
    label: str = ""
    dwelling: str = ""
    pass_kind: str = ""
    plate: str = ""
    pass_number: str = ""
    last_passage_ms: int = 0
    repeats: int = 0
    about: int = 0
    by: str = ""
    event: str = ""
    open_until_ms: int = 0  # a refer can be answered until then
    list_age_s: int = -1  # age of the list the decision was made with; -1: no list
    clock: str = ""  # trusted, holdover, untrusted
    needs_reason: bool = False
    limits: Limits = Limits()
    terms: Terms = Terms()  # of a pass that is good at some hours, for some entries or one day
    entered: int = 0  # how often it had come in by then
    look: str = ""  # what to look for, one of terms.LOOKS; "attention": marked, and no more is said


class LiveLines(msgspec.Struct):
    """Lines after a number, and the ``newest`` number. Another ``run`` means that the core began anew: forget what you
    had."""

    items: list[LiveLine]
    newest: int
    run: str


class Act(msgspec.Struct, kw_only=True):
    """Something that a guard does at the gate: it holds until then, or not at all, however it was held up.

    ``until`` and ``at`` are seconds of CLOCK_MONOTONIC; a page learns that clock from the guard process. ``act`` is a
    mark of the page's own, by which it can ask what became of it; ``run`` is the run of the core whose lines it saw.
    """

    act: str = ""
    run: str = ""
    until: float = msgspec.field(default_factory=lambda: time.monotonic() + TIMELY_S)
    at: float = _asked_at()


class Ruling(Act):
    """A guard's answer to a refer: ``grant`` or deny. It never becomes an override."""

    token: str
    happening: int
    grant: bool
    reason: str = ""


class Override(Act):
    """Open or refuse whatever was decided. Needs no presentation. The reason may follow (:data:`EXPLAIN`)."""

    token: str
    lane: str
    open: bool
    happening: int = 0
    reason: str = ""


class Settle(msgspec.Struct):
    """What became of the act of that mark? One that has not come by now is given up, and will move nothing. ``run`` is
    the run of the core that was asked for it."""

    token: str
    act: str
    run: str = ""


class Became(msgspec.Struct, omit_defaults=True):
    """The ``line`` of what was done; or None and ``why`` nothing was."""

    line: LiveLine | None = None
    why: str = ""


class Admission(Act):
    """Let ``people`` of a household in that has no pass to show, by its dwelling. ``unlisted``: the guard says that it
    may be missing in the list."""

    token: str
    lane: str
    dwelling: str
    people: int = 1
    unlisted: bool = False


class Followers(Act):
    """Let so many of a household in behind the one of that line, who showed a code."""

    token: str
    lane: str
    happening: int
    count: int


class ProvisionalEntry(msgspec.Struct, kw_only=True):
    """A household that is let in again until then."""

    dwelling: str
    people: int
    until_ms: int
    by: str


class ProvisionalEntries(msgspec.Struct):
    """Those that last, the newest first. ``days``: how long a new one lasts by the compound's rule."""

    entries: list[ProvisionalEntry]
    days: int = 1


class Explain(msgspec.Struct):
    """The reason of an override or ruling, given afterwards; ``dwelling``: whom it was for, never by name."""

    token: str
    happening: int
    reason: str
    dwelling: str = ""


class Hold(Act):
    """Hold a lane open, or end that."""

    token: str
    lane: str
    open: bool


class Lockdown(Act):
    """Supervisors only: refuse everybody until ended. Guards and the wired button still open."""

    token: str
    lane: str
    on: bool
    reason: str = ""


VIEW_S = 120.0
"""How long a technician looks through a camera at a time."""


class View(msgspec.Struct):
    """Technicians only: look through the lane's camera for :data:`VIEW_S`. The journal keeps who did."""

    token: str
    lane: str


class LookUp(msgspec.Struct):
    """Exactly one of a dwelling, a plate, a pass number or a short code; never a name, never a list of people."""

    token: str
    term: str


class FoundPass(msgspec.Struct, kw_only=True):
    """What a gate knows of a pass: masked label, dwelling, kind, plate, number, state."""

    label: str
    dwelling: str
    kind: str
    plate: str
    number: str
    state: str
    valid_until_ms: int
    last_passage_ms: int = 0
    look: str = ""  # as in a line


class FoundPasses(msgspec.Struct):
    passes: list[FoundPass]
    more: bool = False


class PresentText(msgspec.Struct):
    """A code read from a guard's photo (``source`` phone) or typed (``hand``)."""

    token: str
    lane: str
    text: str
    source: str = "phone"
    at: float = _asked_at()


class ConfirmTime(Act):
    """A guard confirms that the shown time is right (``utc_ms``: what the guard's own watch says)."""

    token: str
    utc_ms: int


class BeginShift(Act):
    """A guard takes the post over. Beginning what is on already changes nothing."""

    token: str


class EndShift(Act):
    """A guard hands the post over; a supervisor ends anybody's: ``shift`` names it, empty: one's own."""

    token: str
    shift: str = ""


class Note(Act):
    """For the next guard: short, and without names of residents. Needs a shift of one's own."""

    token: str
    text: str


class OnDuty(msgspec.Struct):
    """Whose shift is on, since when; ``shift`` is the id of the event that began it."""

    shift: str
    name: str
    begun_ms: int


class Shifts(msgspec.Struct):
    """Who is on duty, and the latest shifts of some days, newest first, without their counts. ``why`` is set where the
    journal cannot be read just now."""

    on: list[OnDuty]
    latest: list[ShiftSheet] = []
    why: str = ""


class AskSheet(msgspec.Struct):
    """The hand-over sheet of a shift."""

    token: str
    shift: str


class GuardAct(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A ruling or override of late, and whom it was for where a pass was shown; ``event`` names it."""

    event: str
    at_ms: int
    lane: str
    kind: str
    outcome: str
    by: str
    label: str = ""
    dwelling: str = ""
    annulled: bool = False


class GuardActs(msgspec.Struct):
    """What this guard may take back, newest first."""

    acts: list[GuardAct]


class Annul(Act):
    """A ruling or override was pressed by mistake: ``event`` names it. It stays on record, and counts for nothing."""

    token: str
    event: str


class LaneState(msgspec.Struct, kw_only=True):
    """``shown_*`` is what everybody standing there may know; a sensitive reason is masked before it leaves the core."""

    name: str
    title_zh: str = ""
    title_en: str = ""
    direction: str
    lock: str
    signal: str
    relay_on: bool
    phase: str  # idle, opening, passing, held, fire
    held_open: bool = False
    held_before_restart: bool = False  # a question to the guard after a restart
    lockdown: bool = False
    fire: bool = False
    arm_open: bool | None = None
    pins_why: str = ""
    """What is wrong with relay, lights or inputs, for a technician: a pin that is taken, an output that fails."""
    has_camera: bool = True
    camera_ok: bool = False
    camera_why: str = ""
    camera_fault: str = ""
    """The code among the gate's faults that is this lane's camera's; empty: none, or there is no camera."""
    decode_ms: float = 0.0
    looked: float | None = None  # see ReaderState
    module_px: float | None = None  # see ReaderState
    optics: str = ""  # see ReaderState
    reader_restarts: int = 0
    """How often the reader of this lane began anew unasked in the last hour, the last time at ``reader_restarted_ms``;
    ``reader_blames`` of them because of what was before this lane's camera."""
    reader_restarted_ms: int = 0
    reader_blames: int = 0
    called: str = ""
    """``waiting``: the call button was pressed and no guard has answered; ``answered``: one just did."""
    simulated: list[str] = []
    shown_outcome: str = ""  # grant, refer, deny; empty: no result is being shown
    shown_reason: str = ""
    shown_until_ms: int = 0
    shown_limits: Limits = Limits()
    shown_label: str = ""
    """The masked name of whom the lane lets in; empty unless the compound has it shown."""
    hint: str = ""
    """What the one standing there could do to be read (see :class:`ReaderState`); empty while a result is shown."""


class Caution(msgspec.Struct, kw_only=True):
    """Something that began at the gate and that no guard has acknowledged yet; ``code`` as of a fault, call, forced, or
    of what a pass was found to be. Numbered 1, 2, 3 … since the core started."""

    number: int
    code: str
    lane: str = ""
    since_ms: int = 0
    times: int = 1


class Overspent(msgspec.Struct, frozen=True):
    """An override beyond its guard's budget, which no supervisor has acknowledged yet; ``event`` names it."""

    event: str
    by: str
    lane: str
    at_ms: int


class Heed(Act):
    """Supervisors only: they have seen the overrides beyond the budget, up to the one of that event."""

    token: str
    event: str


class Acknowledge(Act):
    """A guard has seen the cautions up to that number."""

    token: str
    number: int


class GateState(msgspec.Struct, kw_only=True):
    """How the gate is. ``faults`` are codes, worst first, that the page turns into sentences."""

    run: str
    gate: str
    compound_zh: str
    compound_en: str
    enforcement: str
    lanes: list[LaneState]
    list_state: str  # fresh, stale, expired, none
    list_age_s: int
    list_revision: int
    list_passes: int
    clock: str
    clock_asks: bool = False
    """Nobody has said the time but, perhaps, the hardware clock: a guard should compare it with a watch."""
    clock_uncertainty_ms: int
    rtc: str = ""
    """Of the hardware clock: none, unproven (it has not agreed with the centre's last time), proven."""
    now_ms: int
    timezone: str
    centre_ok: bool
    centre_why: str
    centre_seen_s: int  # seconds since the centre last answered; -1: never
    unsent: int
    journal_ok: bool
    events_in_memory: int
    faults: list[str]
    cautions: list[Caution] = []
    unexplained: int = 0
    overspent: list[Overspent] = []
    """Oldest first, the latest twenty: for supervisors."""
    attended: bool = True
    """Some guard is signed in."""
    on_duty: list[str] = []
    """Names of guards whose shift is on."""
    simulated: list[str] = []
    neighbour_zh: str = ""  # the gate to send people to while this one is closed
    neighbour_en: str = ""
    desk_zh: str = ""  # where passes are collected and extended, and when; empty: the compound has not said
    desk_en: str = ""
    desk_hours: tuple[Window, ...] = ()
    form_url: str = ""  # where people apply who have no pass
    vitals: Vitals = Vitals()


class Happened(msgspec.Struct, frozen=True):
    """How often a kind of event came since the core began; ``outcome`` and ``reason`` are words of closed lists."""

    kind: str
    lane: str
    outcome: str
    reason: str
    times: int


class Presented(msgspec.Struct, frozen=True):
    """How often something was shown to a lane since the core began, repeats too."""

    lane: str
    source: str
    times: int


class LaneFigures(msgspec.Struct, kw_only=True):
    """``reader`` is None while the lane's reader is silent."""

    name: str
    relay_pulses: int = 0
    """How often the relay was asked to open since the core began."""
    reader: ReaderFigures | None = None
    viewed_s: float = 0.0
    """For how long a technician still looks through the camera."""


class Figures(msgspec.Struct, kw_only=True):
    """What technicians and monitors count. All counts begin at 0 with each core, which has run for ``up_s`` seconds."""

    up_s: float
    happened: list[Happened] = []
    presented: list[Presented] = []
    lanes: list[LaneFigures] = []
    reader_restarts: int = 0
    """Restarts of the reader that nobody asked for."""
    sync_up_s: float | None = None
    """None: sync has not said, or is silent."""
    oldest_unsent_s: int | None = None
    """Age of the oldest event that the centre does not have; None: it has all."""
    versions: dict[str, str] = {}
    """Of ``program``, ``python``, ``kernel`` and ``board``."""


class ShownAfter(msgspec.Struct):
    """Wait up to ``wait_s`` until the lanes show something else than at ``number`` of that ``run``."""

    run: str = ""
    number: int = 0
    wait_s: float = 1.0


class Shown(msgspec.Struct):
    """How the gate is, and the ``number`` of what its lanes show then; a later showing has another one."""

    number: int
    state: GateState


SIGN_IN: Verb[SignIn, Session] = Verb("sign_in", SignIn, Session)
SIGN_OUT: Verb[Token, Nothing] = Verb("sign_out", Token, Nothing)
WHO: Verb[Token, Session] = Verb("who", Token, Session)
WATCH: Verb[Watch, LiveLines] = Verb("watch", Watch, LiveLines)
STATE: Verb[Nothing, GateState] = Verb("state", Nothing, GateState)
FIGURES: Verb[Nothing, Figures] = Verb("figures", Nothing, Figures)
SHOWN: Verb[ShownAfter, Shown] = Verb("shown", ShownAfter, Shown)
RULE: Verb[Ruling, LiveLine] = Verb("rule", Ruling, LiveLine)
OVERRIDE: Verb[Override, LiveLine] = Verb("override", Override, LiveLine)
SETTLE: Verb[Settle, Became] = Verb("settle", Settle, Became)
EXPLAIN: Verb[Explain, Nothing] = Verb("explain", Explain, Nothing)
ACKNOWLEDGE: Verb[Acknowledge, Nothing] = Verb("acknowledge", Acknowledge, Nothing)
ADMIT: Verb[Admission, LiveLine] = Verb("admit", Admission, LiveLine)
LASTING: Verb[Token, ProvisionalEntries] = Verb("lasting", Token, ProvisionalEntries)
FOLLOW: Verb[Followers, LiveLine] = Verb("follow", Followers, LiveLine)
VIEW: Verb[View, Nothing] = Verb("view", View, Nothing)
HEED: Verb[Heed, Nothing] = Verb("heed", Heed, Nothing)
HOLD: Verb[Hold, LiveLine] = Verb("hold", Hold, LiveLine)
LOCKDOWN: Verb[Lockdown, LiveLine] = Verb("lockdown", Lockdown, LiveLine)
LOOK_UP: Verb[LookUp, FoundPasses] = Verb("look_up", LookUp, FoundPasses)
PRESENT_TEXT: Verb[PresentText, PresentationAnswer] = Verb("present_text", PresentText, PresentationAnswer)
CONFIRM_TIME: Verb[ConfirmTime, Nothing] = Verb("confirm_time", ConfirmTime, Nothing)
BEGIN_SHIFT: Verb[BeginShift, Nothing] = Verb("begin_shift", BeginShift, Nothing)
END_SHIFT: Verb[EndShift, Nothing] = Verb("end_shift", EndShift, Nothing)
NOTE: Verb[Note, Nothing] = Verb("note", Note, Nothing)
SHIFTS: Verb[Token, Shifts] = Verb("shifts", Token, Shifts)
ACTS: Verb[Token, GuardActs] = Verb("acts", Token, GuardActs)
ANNUL: Verb[Annul, LiveLine] = Verb("annul", Annul, LiveLine)
SHEET: Verb[AskSheet, ShiftSheet] = Verb("sheet", AskSheet, ShiftSheet)

# --- guard -> reader ------------------------------------------------------------------------------------------------


class Photo(msgspec.Struct):
    """A photo from a guard's phone: at most 4 MB and 12 megapixels, any format Pillow reads."""

    picture: bytes


class Texts(msgspec.Struct):
    """The texts of the codes in a picture, ours first. ``why`` is set where the picture could not be read."""

    texts: list[str]
    ms: float
    why: str = ""


class Show(msgspec.Struct):
    """Simulated cameras only: hold these pictures before the lane's camera, each for ``frames_each`` frames."""

    lane: str
    pictures: list[bytes]
    frames_each: int = 8


class ShownTexts(msgspec.Struct):
    """What the reader made of it: the texts presented to the core while the pictures were held up."""

    presented: list[PresentationAnswer]
    why: str = ""


class CameraOf(msgspec.Struct):
    lane: str


class CameraPicture(msgspec.Struct):
    """A small grey JPEG of what the camera sees, some 10 kB."""

    jpeg: bytes


CAMERA_PICTURE: Verb[CameraOf, CameraPicture] = Verb("camera_picture", CameraOf, CameraPicture)
PHOTO: Verb[Photo, Texts] = Verb("photo", Photo, Texts)
SHOW: Verb[Show, ShownTexts] = Verb("show", Show, ShownTexts)

# --- sync -> core ---------------------------------------------------------------------------------------------------


EVENTS: Verb[EventsAfter, EventBatch] = Verb("events", EventsAfter, EventBatch)
ACKNOWLEDGED: Verb[Acknowledged, Nothing] = Verb("acknowledged", Acknowledged, Nothing)
SYNC_STATE: Verb[SyncState, Accepted] = Verb("sync_state", SyncState, Accepted)
NONCE: Verb[Nothing, Nonce] = Verb("nonce", Nothing, Nonce)
TIME: Verb[Signed, Accepted] = Verb("time", Signed, Accepted)
