"""The sockets between the four processes: one per pair, each with verbs of its own.

A message is a 4-byte big-endian length and that many bytes of MessagePack: ``{v, id, verb, body}`` one way,
``{v, id, ok, body}`` or ``{v, id, ok: false, error}`` the other. A server accepts only the verbs it was given,
closes a connection that breaks the framing, and never lets one peer's mistake reach another. Who may connect is
decided by the socket file's owner, group and mode (0660), set by the ``.socket`` units.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import msgspec

from sync.protocol import Accepted, Acknowledged, EventBatch, EventsAfter, Nonce, Signed, SyncState

VERSION = 1
MAX_MESSAGE = 256 * 1024
MAX_PHOTO_MESSAGE = 12 * 1024 * 1024
"""Room for a 4 MB photo, or for the frames of a simulated presentation."""
BODY_SECONDS = 10.0
MAX_PEERS = 16
_ACCEPT_PAUSE_S = 0.1

log = logging.getLogger("channel")

Q = TypeVar("Q")
A = TypeVar("A")


class ChannelError(Exception):
    """The peer is not there, hung up, or did not understand. Asking again is safe for verbs that only read."""


class HungUp(ChannelError):
    """The peer had the question and ended before it answered: perhaps because of it."""


class Refused(ChannelError):
    """The peer understood and said no; the text is its code (``not_signed_in``, ``unknown_verb`` …)."""


class Verb(msgspec.Struct, Generic[Q, A], frozen=True):
    """A question one process may put to another, with the types of question and answer."""

    name: str
    asks: type[Q]
    answers: type[A]


class _Request(msgspec.Struct):
    v: int
    id: int
    verb: str
    body: msgspec.Raw


class _Answer(msgspec.Struct, omit_defaults=True):
    v: int
    id: int
    ok: bool
    body: msgspec.Raw = msgspec.Raw(b"\xc0")
    error: str = ""


def _receive_exactly(sock: socket.socket, size: int) -> bytes:
    chunks = bytearray()
    while len(chunks) < size:
        chunk = sock.recv(min(size - len(chunks), 1 << 20))
        if not chunk:
            raise HungUp("hung up")
        chunks += chunk
    return bytes(chunks)


def _receive(sock: socket.socket, limit: int, idle: float | None, body_seconds: float | None) -> bytes:
    sock.settimeout(idle)
    head = _receive_exactly(sock, 4)
    sock.settimeout(body_seconds)
    (size,) = struct.unpack(">I", head)
    if size > limit:
        raise ChannelError(f"message of {size} bytes, limit {limit}")
    return _receive_exactly(sock, size)


def _send(sock: socket.socket, message: object) -> None:
    body = msgspec.msgpack.encode(message)
    sock.sendall(struct.pack(">I", len(body)) + body)


Answering = Callable[[Any], Any]


class Server:
    """Answers verbs on a listening unix socket, one thread per peer.

    ``verbs`` maps each accepted verb to the function that answers it; the function may raise :class:`Refused`.
    Any other exception is logged and answered as ``fault``: the peer learns nothing of it.
    """

    def __init__(self, listener: socket.socket, verbs: Mapping[Verb[Any, Any], Answering], limit: int = MAX_MESSAGE):
        self._listener = listener
        self._verbs = {verb.name: (verb, answer) for verb, answer in verbs.items()}
        self._limit = limit
        self._peers: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closing = False
        self._thread = threading.Thread(target=self._accept, name="channel-accept", daemon=True)

    def start(self) -> Server:
        self._thread.start()
        return self

    def _accept(self) -> None:
        while not self._closing:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                if self._closing:
                    return
                time.sleep(_ACCEPT_PAUSE_S)  # out of descriptors for a moment is no reason to be deaf for ever
                continue
            with self._lock:
                full = self._closing or len(self._peers) >= MAX_PEERS
                if not full:
                    self._peers.add(peer)
            if full:
                peer.close()
                continue
            try:
                threading.Thread(target=self._serve, args=(peer,), name="channel-peer", daemon=True).start()
            except RuntimeError:  # out of memory for a moment: this one is turned away, the next may be served
                self._hang_up(peer)

    def _hang_up(self, peer: socket.socket) -> None:
        with self._lock:
            self._peers.discard(peer)
        peer.close()

    def _serve(self, peer: socket.socket) -> None:
        try:
            while True:
                raw = _receive(peer, self._limit, None, BODY_SECONDS)
                _send(peer, self._answer(msgspec.msgpack.decode(raw, type=_Request)))
        except (ChannelError, OSError):
            pass
        except msgspec.MsgspecError as err:
            log.warning("channel=closed why=%r", str(err))
        finally:
            self._hang_up(peer)

    def _answer(self, request: _Request) -> _Answer:
        if request.v != VERSION:
            return _Answer(VERSION, request.id, False, error="unknown_version")
        known = self._verbs.get(request.verb)
        if known is None:
            return _Answer(VERSION, request.id, False, error="unknown_verb")
        verb, answer = known
        try:
            question = msgspec.msgpack.decode(request.body, type=verb.asks)
        except (msgspec.DecodeError, UnicodeError):
            return _Answer(VERSION, request.id, False, error="malformed")
        try:
            body = msgspec.msgpack.encode(answer(question))
        except Refused as no:
            return _Answer(VERSION, request.id, False, error=str(no))
        except Exception:
            log.exception("channel=fault verb=%s", request.verb)
            return _Answer(VERSION, request.id, False, error="fault")
        return _Answer(VERSION, request.id, True, body=msgspec.Raw(body))

    def close(self) -> None:
        """Stop listening and hang up on every peer. Idempotent."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            peers = list(self._peers)
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)


class Client:
    """Asks verbs over one connection, which it opens when first needed and again after a failure.

    One question at a time (a lock holds the others); use one client per thread that waits long.
    """

    def __init__(self, path: Path | str, timeout: float = 5.0, limit: int = MAX_PHOTO_MESSAGE):
        self._path = str(path)
        self._timeout = timeout
        self._limit = limit
        self._ids = itertools.count(1)
        self._sock: socket.socket | None = None
        self._lock = threading.Lock()

    def ask(self, verb: Verb[Q, A], question: Q, timeout: float | None = None) -> A:
        """The peer's answer. Raises Refused when it says no, HungUp when it ended over the question, and ChannelError
        when it cannot be reached in time."""
        raw = msgspec.Raw(msgspec.msgpack.encode(question))
        with self._lock:
            number = next(self._ids)
            try:
                sock = self._sent(_Request(VERSION, number, verb.name, raw))
                answer = self._await(sock, number, timeout or self._timeout)
            except (OSError, msgspec.MsgspecError, ChannelError) as err:
                self._drop()
                failure = HungUp if isinstance(err, HungUp | ConnectionResetError) else ChannelError
                raise failure(f"{verb.name}: {err or type(err).__name__}") from err
        if not answer.ok:
            raise Refused(answer.error)
        try:
            return msgspec.msgpack.decode(answer.body, type=verb.answers)
        except (msgspec.DecodeError, UnicodeError) as err:
            raise ChannelError(f"{verb.name}: {err}") from err

    def _sent(self, request: _Request) -> socket.socket:
        """Send on the open connection; on a new one where the peer was restarted since and never got the request."""
        kept = self._sock is not None
        try:
            sock = self._connected()
            _send(sock, request)
        except (BrokenPipeError, ConnectionResetError):
            if not kept:
                raise
            self._drop()
            sock = self._connected()
            _send(sock, request)
        return sock

    def _connected(self) -> socket.socket:
        if self._sock is None:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.settimeout(self._timeout)
            try:
                sock.connect(self._path)
            except OSError:
                sock.close()
                raise
            self._sock = sock
        return self._sock

    def _await(self, sock: socket.socket, number: int, timeout: float) -> _Answer:
        raw = _receive(sock, self._limit, timeout, timeout)
        answer = msgspec.msgpack.decode(raw, type=_Answer)
        if answer.id != number:
            raise ChannelError("answer to another question")
        return answer

    def _drop(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def close(self) -> None:
        """Idempotent."""
        with self._lock:
            self._drop()


def listen(path: Path, mode: int = 0o660) -> socket.socket:
    """A listening unix socket at ``path``, replacing a stale one. For runs without systemd's socket units."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(path))
    path.chmod(mode)
    sock.listen(MAX_PEERS)
    return sock


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


class Shown(msgspec.Struct, kw_only=True):
    """What came of a presentation: ``outcome`` grant, refer or deny with one ``reason``; nothing personal."""

    outcome: str
    reason: str
    lane: str
    repeat: bool = False
    happening: int = 0


class ReaderState(msgspec.Struct, kw_only=True):
    """The reader's own health, sent about once a second; the core takes silence for a fault.

    ``run`` is drawn anew by each process: another one is a restart.
    """

    lane: str
    run: str = ""
    ok: bool
    why: str = ""
    part: str = ""
    frames: int = 0
    decode_ms: float = 0.0
    looked: float | None = None
    """The share of the last frames that were decoded: an empty lane's hardly are. None: the reader does not say."""
    frame_age_s: float = 0.0
    light: bool = False
    """Something is before the camera, and it is dark: the lane's illumination should be on."""
    hint: str = ""
    """What the one who holds up something unreadable could do (a :class:`hardware.Hint`'s word); empty: nothing."""


class Ending(msgspec.Struct, kw_only=True):
    """The last word of a reader's ``run``: it was ``asked`` to end, or a picture took longer than it may: a ``frame``
    of a lane's camera or a guard's ``photo``. Nothing is said where it was killed or crashed."""

    run: str
    why: Literal["asked", "frame", "photo"]
    lane: str = ""


ENDING: Verb[Ending, Nothing] = Verb("ending", Ending, Nothing)
PRESENT: Verb[Presentation, Shown] = Verb("present", Presentation, Shown)
READER_STATE: Verb[ReaderState, Nothing] = Verb("reader_state", ReaderState, Nothing)

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
    """Wait up to ``wait_s`` for happenings numbered above ``after`` (0: the latest fifty at once)."""

    token: str
    after: int
    wait_s: float = 20.0


class Happening(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One line of the live list. Numbered 1, 2, 3 … since the core started; a later one may settle an earlier.

    ``kind``: decision, ruling, override, explained, passage, button, fire, lockdown, held_open, call, tamper, state.
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


class Happenings(msgspec.Struct):
    """``restarted`` is true when the core began anew since ``after`` was numbered: forget what you had."""

    items: list[Happening]
    newest: int
    run: str


class Ruling(msgspec.Struct):
    """A guard's answer to a refer: ``grant`` or deny."""

    token: str
    happening: int
    grant: bool
    reason: str = ""


class Override(msgspec.Struct):
    """Open or refuse whatever was decided. Needs no presentation. The reason may follow (:data:`EXPLAIN`)."""

    token: str
    lane: str
    open: bool
    happening: int = 0
    reason: str = ""


class Explain(msgspec.Struct):
    """The reason of an override or ruling, given afterwards."""

    token: str
    happening: int
    reason: str


class Hold(msgspec.Struct):
    """Hold a lane open, or end that."""

    token: str
    lane: str
    open: bool


class Lockdown(msgspec.Struct):
    """Supervisors only: refuse everybody until ended. Guards and the wired button still open."""

    token: str
    lane: str
    on: bool
    reason: str = ""


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


class FoundPasses(msgspec.Struct):
    passes: list[FoundPass]
    more: bool = False


class PresentText(msgspec.Struct):
    """A code read from a guard's photo (``source`` phone) or typed (``hand``)."""

    token: str
    lane: str
    text: str
    source: str = "phone"


class ConfirmTime(msgspec.Struct):
    """A guard confirms that the shown time is right (``utc_ms``: what the guard's own watch says)."""

    token: str
    utc_ms: int


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
    camera_ok: bool = False
    camera_why: str = ""
    decode_ms: float = 0.0
    looked: float | None = None  # see ReaderState
    reader_restarts: int = 0
    """How often the reader of this lane began anew unasked in the last hour, the last time at ``reader_restarted_ms``;
    ``reader_blames`` of them because of what was before this lane's camera."""
    reader_restarted_ms: int = 0
    reader_blames: int = 0
    simulated: list[str] = []
    shown_outcome: str = ""  # grant, refer, deny; empty: no result is being shown
    shown_reason: str = ""
    shown_until_ms: int = 0
    hint: str = ""
    """What the one standing there could do to be read (see :class:`ReaderState`); empty while a result is shown."""


class State(msgspec.Struct, kw_only=True):
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
    clock_uncertainty_ms: int
    now_ms: int
    timezone: str
    centre_ok: bool
    centre_why: str
    centre_seen_s: int  # seconds since the centre last answered; -1: never
    unsent: int
    journal_ok: bool
    events_in_memory: int
    faults: list[str]
    unexplained: int = 0
    simulated: list[str] = []
    neighbour_zh: str = ""  # the gate to send people to while this one is closed
    neighbour_en: str = ""


SIGN_IN: Verb[SignIn, Session] = Verb("sign_in", SignIn, Session)
SIGN_OUT: Verb[Token, Nothing] = Verb("sign_out", Token, Nothing)
WHO: Verb[Token, Session] = Verb("who", Token, Session)
WATCH: Verb[Watch, Happenings] = Verb("watch", Watch, Happenings)
STATE: Verb[Nothing, State] = Verb("state", Nothing, State)
RULE: Verb[Ruling, Happening] = Verb("rule", Ruling, Happening)
OVERRIDE: Verb[Override, Happening] = Verb("override", Override, Happening)
EXPLAIN: Verb[Explain, Nothing] = Verb("explain", Explain, Nothing)
HOLD: Verb[Hold, Happening] = Verb("hold", Hold, Happening)
LOCKDOWN: Verb[Lockdown, Happening] = Verb("lockdown", Lockdown, Happening)
LOOK_UP: Verb[LookUp, FoundPasses] = Verb("look_up", LookUp, FoundPasses)
PRESENT_TEXT: Verb[PresentText, Shown] = Verb("present_text", PresentText, Shown)
CONFIRM_TIME: Verb[ConfirmTime, Nothing] = Verb("confirm_time", ConfirmTime, Nothing)

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

    presented: list[Shown]
    why: str = ""


PHOTO: Verb[Photo, Texts] = Verb("photo", Photo, Texts)
SHOW: Verb[Show, ShownTexts] = Verb("show", Show, ShownTexts)

# --- sync -> core ---------------------------------------------------------------------------------------------------


EVENTS: Verb[EventsAfter, EventBatch] = Verb("events", EventsAfter, EventBatch)
ACKNOWLEDGED: Verb[Acknowledged, Nothing] = Verb("acknowledged", Acknowledged, Nothing)
SYNC_STATE: Verb[SyncState, Accepted] = Verb("sync_state", SyncState, Accepted)
NONCE: Verb[Nothing, Nonce] = Verb("nonce", Nothing, Nonce)
TIME: Verb[Signed, Accepted] = Verb("time", Signed, Accepted)
