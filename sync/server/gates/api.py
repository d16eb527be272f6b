"""What gates ask over HTTP (PROTOCOL.md §4–§6)."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeVar

import msgspec
from flask import Blueprint, Response, request, send_file
from sqlalchemy import Connection
from werkzeug.exceptions import RequestEntityTooLarge

from sync.places import origin_of
from sync.protocol import (
    API,
    HEAD,
    MAX_BATCH,
    MAX_PAGE,
    VERSION,
    AheadProof,
    AheadReceipt,
    EnrolRequest,
    EventReceipt,
    EventUpload,
    HeadBody,
    Page,
    ProtocolError,
    Refusal,
    Signed,
    TimeBody,
    TimeRequest,
    sign,
)
from sync.server.centre import feed
from sync.server.centre.errors import CentreError, NoSuchThing, Stopped
from sync.server.centre.load import Admission, Tries
from sync.server.centre.places import get_compound
from sync.server.centre.writing import Centre
from sync.server.gates import fleet, restored
from sync.server.gates.events import take_events
from sync.server.gates.limits import DOWNLOADS_AT_ONCE, STREAMS, DeviceLimits, Kind, Recognised
from sync.server.gates.presence import Presence
from sync.server.gates.snapshot import Snapshots

_JSON = "application/json"
_NONCE_BYTES = 16
_ENROL_AT_ONCE = 4
"""Beside the gates' own: anyone may say to be a new gate."""
_MOST_BYTES = 128 << 10
"""Of any message but events; a stranger may send the first one, to enrol."""
_MOST_EVENT_BYTES = 8 << 20
"""500 events of 8,192 characters, escaped."""
_WRONG_CODES = 10
_WRONG_CODES_WINDOW_S = 600

Message = TypeVar("Message")
View = Callable[..., Response]


def refuse(status: int, code: str, words: str, retry_after_s: int | None = None) -> Response:
    """An answer that is not 2xx: a code for programs, a sentence for people."""
    answer = Response(msgspec.json.encode(Refusal(VERSION, code, words)), status, content_type=_JSON)
    if retry_after_s is not None:
        answer.headers["Retry-After"] = str(retry_after_s)
    return answer


class _Refused(Exception):
    """Leaves a view with a refusal."""

    def __init__(self, response: Response):
        self.response = response


def _say(message: Any) -> Response:
    return Response(msgspec.json.encode(message), content_type=_JSON)


def _read(kind: type[Message], most: int = _MOST_BYTES) -> Message:
    """The request's body. Raises _Refused where it is not such a message, too large, or of another version."""
    request.max_content_length = most
    try:
        message = msgspec.json.decode(request.get_data(), type=kind)
    except RequestEntityTooLarge as err:
        raise _Refused(refuse(413, "too_large", "This message is too large; send less at a time.")) from err
    except (msgspec.DecodeError, UnicodeError, RecursionError) as err:
        raise _Refused(refuse(400, "not_understood", f"This is not a message of the protocol: {err}")) from err
    if getattr(message, "v", VERSION) != VERSION:
        raise _Refused(refuse(400, "other_version", f"This centre speaks version {VERSION}."))
    return message


class GateApi:
    """The views of one centre."""

    def __init__(self, centre: Centre, presence: Presence):
        self._centre = centre
        self._presence = presence
        self._snapshots = Snapshots(centre)
        self._gates, self._newcomers = Admission(centre.settings.at_once), Admission(_ENROL_AT_ONCE)
        self._codes = Tries(_WRONG_CODES, _WRONG_CODES_WINDOW_S)
        self._streams = threading.Semaphore(centre.settings.streams)
        self._open: defaultdict[tuple[int, str], list[_Stream]] = defaultdict(list)
        self._open_lock = threading.Lock()
        self.limits = DeviceLimits(lambda: centre.now_ms() / 1000)
        self.recognised = Recognised()

    def blueprint(self) -> Blueprint:
        found = Blueprint("api", __name__, url_prefix=API)
        for rule, method, view in (
            ("/enrol", "POST", self._shed(self._newcomers, self.enrol)),
            ("/feed", "GET", self._known(self._shed(self._gates, self.feed))),
            ("/ahead", "POST", self._known(self._shed(self._gates, self.ahead))),
            ("/snapshot", "GET", self._known(self._shed(self._gates, self.snapshot))),
            ("/snapshot/<name>", "GET", self._known(self._shed(self._gates, self.snapshot_file))),
            ("/wake", "GET", self._known(self.wake)),
            ("/events", "POST", self._known(self._shed(self._gates, self.events))),
            ("/time", "POST", self._known(self._shed(self._gates, self.time))),
        ):
            found.add_url_rule(rule, rule.split("/")[1] + "_file" * ("<" in rule), _refusing(view), methods=[method])
        return found

    def _shed(self, admission: Admission, view: View) -> View:
        @wraps(view)
        def shed(*args: Any, **kwargs: Any) -> Response:
            wait_s = admission.enter()
            if wait_s is not None:
                return refuse(503, "busy", "The centre is busy; come again later.", wait_s)
            began = time.monotonic()
            try:
                return view(*args, **kwargs)
            finally:
                admission.leave(time.monotonic() - began)

        return shed

    def _known(self, view: View) -> View:
        @wraps(view)
        def known(*args: Any, **kwargs: Any) -> Response:
            device = self._who()
            if device is None:
                return refuse(401, "unknown_device", "This gate is not enrolled here.")
            self._presence.seen(device, self._centre.now_ms())
            with self.limits.one(_whose(device)) as wait_s:
                return _slow_down(wait_s) if wait_s else view(device, *args, **kwargs)

        return known

    def _spend(self, device: fleet.Device, kind: Kind, amount: float = 1) -> None:
        """Raises _Refused where the device has not so much left."""
        wait_s = self.limits.spend(_whose(device), kind, amount)
        if wait_s:
            raise _Refused(_slow_down(wait_s))

    def _who(self) -> fleet.Device | None:
        said = request.headers.get("Authorization", "")
        device = self._authenticated(said)
        if device is not None:
            self.recognised.note(mark_of(said), _whose(device))
        return device

    def _authenticated(self, said: str) -> fleet.Device | None:
        scheme, _, rest = said.partition(" ")
        compound, _, rest = rest.partition(".")
        device_id, _, token = rest.partition(".")
        if scheme != "Gate" or not (compound.isascii() and compound.isdigit() and len(compound) <= 8):
            return None
        return fleet.authenticate(self._centre, int(compound), device_id, token)

    def enrol(self) -> Response:
        """PROTOCOL §4."""
        address = origin_of(request.remote_addr or "")
        wait_s = self._codes.wait_s(address)
        if wait_s:
            return refuse(429, "too_many_tries", "Too many wrong codes from this address; wait.", wait_s)
        try:
            return _say(fleet.enrol(self._centre, _read(EnrolRequest)))
        except NoSuchThing as err:
            self._codes.wrong(address)
            return refuse(404, "no_such_code", str(err))
        except fleet.EnrolmentUsed as err:
            return refuse(409, "used", str(err))
        except Stopped as err:
            return refuse(409, "restored", str(err))
        except CentreError as err:
            return refuse(400, "not_understood", str(err))

    def feed(self, device: fleet.Device) -> Response:
        """PROTOCOL §5. A withdrawn device gets its withdrawal and nothing else, ever."""
        epoch, after, limit = request.args.get("epoch", ""), _whole("after"), _whole("limit", MAX_PAGE)
        now_ms = self._centre.now_ms()
        page: Page | feed.NoPage | None
        with self._centre.store.read() as conn:
            if device.state == "withdrawn":
                page = self._withdrawal_page(feed.withdrawal(conn, device.compound, device.device), epoch, after)
            elif restored.is_waiting(conn, device, epoch, after) or self._lacks(conn, device, epoch):
                page = "ahead"
            else:
                page = feed.read_page(conn, device.compound, epoch, after, limit, now_ms)
            if isinstance(page, Page) and device.state != "withdrawn":
                page.head = self._head(conn, page)
        if page == "ahead":
            restored.claim(self._centre, device, epoch, after)
            return refuse(409, "ahead", "This gate has more than the centre, which was restored: wait, and keep all.")
        if page == "start_again":
            return refuse(410, "start_again", "This cursor cannot be continued; take a snapshot.")
        self._presence.has(device, epoch, after)
        return _say(page) if page else Response(status=204, headers={"As-Of": str(now_ms)})

    def _lacks(self, conn: Connection, device: fleet.Device, epoch: str) -> bool:
        """Whether the gate says it has what this centre never numbered."""
        compound, head = get_compound(conn, device.compound), _whole("head", 0)
        return epoch == compound.epoch and restored.is_lost(conn, compound, request.args.get("life"), head)

    def _head(self, conn: Connection, page: Page) -> Signed:
        """The proof that this centre has come so far, should it ever be put back."""
        compound = get_compound(conn, page.compound)
        body = msgspec.json.encode(HeadBody(compound.life, compound.epoch_order))
        seed = self._centre.vault.unseal(compound.sealed_root_seed)
        return sign(seed, HEAD, page.compound, page.epoch, page.revision, "feed", body)

    def ahead(self, device: fleet.Device) -> Response:
        """PROTOCOL §5: a proof that the centre was restored from a backup."""
        _must_be_in_service(device)
        proof = _read(AheadProof)
        return _say(AheadReceipt(VERSION, restored.prove(self._centre, device, proof.statement)))

    def _withdrawal_page(self, order: Signed, epoch: str, after: int) -> Page | None:
        """The order to wipe, for whatever cursor: a device whose epoch is over gets it signed under its own, since it
        would believe no other, and no snapshot is made for it."""
        if epoch == order.epoch and after >= order.revision:
            return None
        if epoch != order.epoch:
            order = self._sign(order.compound, epoch[:64], after + 1, order)
        return Page(
            v=VERSION, compound=order.compound, epoch=order.epoch, after=after, revision=order.revision,
            complete=False, as_of_ms=self._centre.now_ms(), signed=[order],
        )  # fmt: skip

    def _sign(self, compound_id: int, epoch: str, revision: int, order: Signed) -> Signed:
        with self._centre.store.read() as conn:
            compound = get_compound(conn, compound_id)
        seed = self._centre.vault.unseal(compound.sealed_root_seed)
        try:
            return sign(seed, order.purpose, compound_id, epoch, revision, order.item, order.body, order.must)
        except ProtocolError as err:
            raise _Refused(refuse(400, "not_understood", str(err))) from err

    def snapshot(self, device: fleet.Device) -> Response:
        """The newest prepared list, and its signed hash."""
        _must_be_in_service(device)
        return _say(self._snapshots.head(device.compound))

    def snapshot_file(self, device: fleet.Device, name: str) -> Response:
        """The file itself; ranges allowed."""
        _must_be_in_service(device)
        path = self._snapshots.file(device.compound, name)
        if path is None:
            return refuse(404, "no_such_snapshot", "This snapshot no longer exists; ask for the newest.")
        self._spend(device, "downloads")
        whose, what = _whose(device), "downloads"
        wait_s = self.limits.enter(whose, what, DOWNLOADS_AT_ONCE)
        if wait_s:
            return _slow_down(wait_s)
        try:
            answer = send_file(path, mimetype="application/vnd.sqlite3", conditional=True, etag=name)
        except BaseException:
            self.limits.leave(whose, what)
            raise
        answer.direct_passthrough = False  # else nobody tells us that it was closed
        answer.call_on_close(lambda: self.limits.leave(whose, what))
        return answer

    def wake(self, device: fleet.Device) -> Response:
        """Server-sent events; the first is the revision now. One more than a device may have ends its oldest."""
        self._spend(device, "streams")
        if not self._streams.acquire(blocking=False):
            return refuse(503, "busy", "Too many open streams; poll instead.", 60)
        stream = _Stream(lambda over: self._wakes(device.compound, over), lambda: self._close(_whose(device), stream))
        with self._open_lock:
            mine = self._open[_whose(device)]
            mine.append(stream)
            for oldest in mine[:-STREAMS]:
                oldest.over = True
        return Response(stream, content_type="text/event-stream", headers={"Cache-Control": "no-store"})

    def _close(self, whose: tuple[int, str], stream: _Stream) -> None:
        self._streams.release()
        with self._open_lock:
            self._open[whose].remove(stream)
            if not self._open[whose]:
                del self._open[whose]

    def _wakes(self, compound_id: int, over: Callable[[], bool]) -> Iterator[str]:
        known: int | None = None
        wakes, comment_s = self._centre.wakes, self._centre.settings.comment_every_s
        with self._centre.store.read() as conn:
            wakes.tell(compound_id, get_compound(conn, compound_id).revision)
        while not (wakes.closed or over()):
            newest = wakes.wait(compound_id, known, comment_s)
            if newest == known:
                yield ": still here\n\n"
            else:
                known = newest
                yield f'event: wake\ndata: {{"compound":{compound_id},"revision":{known}}}\n\n'

    def events(self, device: fleet.Device) -> Response:
        """PROTOCOL §6. A withdrawn device may still hand in what it saw."""
        self._spend(device, "bytes", request.content_length or 0)
        upload = _read(EventUpload, _MOST_EVENT_BYTES)
        self._spend(device, "rows", min(len(upload.events), MAX_BATCH))
        fleet.note_lanes(self._centre, device, upload.lanes)
        try:
            return _say(EventReceipt(VERSION, take_events(self._centre, device, upload, request.remote_addr or "")))
        except ProtocolError as err:
            return refuse(400, "not_understood", str(err))

    def time(self, device: fleet.Device) -> Response:
        """A signed statement of the time over the core's nonce."""
        nonce = _read(TimeRequest).nonce
        if len(nonce) != _NONCE_BYTES:
            return refuse(400, "not_understood", f"A nonce has {_NONCE_BYTES} bytes.")
        with self._centre.store.read() as conn:
            compound = get_compound(conn, device.compound)
        seed = self._centre.vault.unseal(compound.sealed_root_seed)
        body = msgspec.json.encode(TimeBody(nonce, self._centre.now_ms()))
        return _say(sign(seed, "time", device.compound, compound.epoch, 0, device.device, body))


class _Stream:
    """A response's body that gives its place back however it ends, even if it never began. Once ``over`` is set it ends
    with its next event or comment."""

    def __init__(self, parts: Callable[[Callable[[], bool]], Iterator[str]], done: Callable[[], None]):
        self.over = False
        self._parts = parts(lambda: self.over)
        self._done: Callable[[], None] | None = done

    def __iter__(self) -> Iterator[str]:
        return self._parts

    def close(self) -> None:
        """Idempotent."""
        done, self._done = self._done, None
        if done is not None:
            done()


def mark_of(authorization: str) -> bytes:
    """What stands for a gate's token where the token itself must not be kept."""
    return hashlib.sha256(authorization.encode("utf-8", "replace")).digest()


def _whose(device: fleet.Device) -> tuple[int, str]:
    return device.compound, device.device


def _slow_down(wait_s: int) -> Response:
    return refuse(429, "slow_down", "This gate asks more than its share; come again later.", wait_s)


def _refusing(view: View) -> View:
    @wraps(view)
    def refusing(*args: Any, **kwargs: Any) -> Response:
        try:
            return view(*args, **kwargs)
        except _Refused as refused:
            return refused.response

    return refusing


def _whole(name: str, default: int | None = None) -> int:
    """A whole number of the query. Raises _Refused."""
    value = request.args.get(name)
    if value is None and default is not None:
        return default
    if value is None or not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise _Refused(refuse(400, "not_understood", f"{name} must be a whole number."))
    return int(value)


def _must_be_in_service(device: fleet.Device) -> None:
    if device.state == "withdrawn":
        raise _Refused(refuse(403, "withdrawn", "This device was withdrawn."))
