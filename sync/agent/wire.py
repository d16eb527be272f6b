"""The gate's line to the centre: one question, one answer or one WireError. The norm is PROTOCOL.md.

What answers is not believed to be the centre until it looks like it: a login page, a redirect or another kind of
content is ``not_the_centre``. Nothing here retries, and every question may be asked again.
"""

from __future__ import annotations

import contextlib
import ipaddress
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from sync.cache import Cursor
from sync.protocol import (
    API,
    MAX_PAGE,
    VERSION,
    AheadProof,
    AheadReceipt,
    Enrolled,
    EnrolRequest,
    EventReceipt,
    EventUpload,
    HeadBody,
    Page,
    Refusal,
    Signed,
    SnapshotHead,
    TimeRequest,
)

CONNECT_S = 5.0
READ_S = 10.0
TOTAL_S = 120.0
"""For the body of one answer, but for a snapshot's, which may take as long as it keeps coming."""
WAKE_SILENCE_S = 60.0
"""The centre sends a comment every 20 s; a stream silent for longer is dead."""
MAX_BODY = 16 * 1024 * 1024
MAX_RETRY_AFTER_S = 3600.0
_CHUNK = 64 * 1024
_MAX_LINE = 4096
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, which Python's ssl does not name

Why = Literal["offline", "tls", "refused", "busy", "slow_down", "not_the_centre", "not_understood", "restored"]
T = TypeVar("T")


class WireError(Exception):
    """The centre gave no useful answer; ``code`` says in which way. Asking again is always safe, after
    ``retry_after_s`` where the centre named it. ``refusal`` is the centre's own code, where it said one."""

    def __init__(self, code: Why, text: str, retry_after_s: float | None = None, refusal: str = "", status: int = 0):
        super().__init__(text)
        self.code = code
        self.retry_after_s = retry_after_s
        self.refusal = refusal
        self.status = status


class UpToDate(msgspec.Struct, frozen=True):
    """Nothing newer; the list is complete at ``as_of_ms``, the centre's UTC milliseconds."""

    as_of_ms: int


class StartAgain(msgspec.Struct, frozen=True):
    """The cursor cannot be continued: take a snapshot."""


class CentreBehind(msgspec.Struct, frozen=True):
    """The centre has less of this epoch than the cursor says: it was restored. Keep the list, and wait."""


class Unacceptable(msgspec.Struct, frozen=True):
    """The centre will not take this upload, however often it is sent."""

    text: str


def check_url(url: str) -> str:
    """The address without a closing slash. Raises ValueError, in words for a technician, unless it is https, or http
    on this very machine."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
        _ = parts.port
    except ValueError as err:
        raise ValueError(f"{url!r} is not an address: {err}.") from err
    if parts.scheme not in ("https", "http") or not host:
        raise ValueError(f"{url!r} is not an address; it begins with https:// and names the centre.")
    if parts.username or parts.query or parts.fragment:
        raise ValueError("The address of the centre has no user name, question mark or # in it.")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError(f"The centre at {host} must be reached by https; plain http is for this machine alone.")
    return url.strip().rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Tls:
    """How the centre proves itself: a certificate under ``ca`` (a PEM file; None: the system's) with its host name.

    Dates are not looked at until :meth:`check_dates`: a gate that wakes in 1970 must be able to ask for the time.
    """

    def __init__(self, ca: Path | None = None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        if ca is None:
            self.context.load_default_certs()
        else:
            self.context.load_verify_locations(ca)
        self.check_dates(False)

    def check_dates(self, look: bool) -> None:
        """Whether connections made from now on refuse certificates that are not valid by this machine's clock."""
        if look:
            self.context.verify_flags &= ~_NO_CHECK_TIME
        else:
            self.context.verify_flags |= _NO_CHECK_TIME

    def session(self) -> requests.Session:
        """A session of its own; they share what :meth:`check_dates` says."""
        session = requests.Session()
        session.mount("https://", _PinnedAdapter(self.context))
        return session


class _PinnedAdapter(HTTPAdapter):
    def __init__(self, context: ssl.SSLContext):
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        # requests would load its bundle of public authorities into our context, and the pin would be gone.
        conn.cert_reqs = "CERT_REQUIRED"


class Wire:
    """Questions to one centre. Not thread-safe: one wire, with a session of its own, per thread.

    ``alive`` is called while an answer comes in, so that a slow line is not taken for a frozen program.
    """

    def __init__(
        self,
        url: str,
        session: requests.Session,
        authorization: str = "",
        clock: Callable[[], float] = time.monotonic,
        alive: Callable[[], None] = lambda: None,
    ):
        self._base = check_url(url) + API
        self._session = session
        self._session.trust_env = False  # no proxy, no .netrc, no other authorities out of the environment
        self._headers = {"Authorization": authorization} if authorization else {}
        self._clock = clock
        self._alive = alive
        self.answers = 0
        """How many times the centre has answered as it should."""

    def feed(
        self, cursor: Cursor, limit: int = MAX_PAGE, proof: Signed | None = None
    ) -> Page | UpToDate | StartAgain | CentreBehind:
        """What follows a cursor. ``proof`` is the root's newest word on how far the centre was. Raises WireError."""
        params = {"epoch": cursor.epoch, "after": str(cursor.revision), "limit": str(limit)} | _had(cursor, proof)
        with self._ask("GET", "/feed", params=params, passing=(409, 410)) as answer:
            if answer.status_code == 410:
                return StartAgain()
            if answer.status_code == 409:
                return self._behind(self._read(answer, Refusal))
            if answer.status_code == 204:
                as_of = answer.headers.get("As-Of", "")
                if not (as_of.isascii() and as_of.isdigit()):  # login pages are fond of 204, too
                    raise WireError("not_the_centre", "an empty answer that is not the centre's")
                return UpToDate(int(as_of))
            return self._read(answer, Page)

    def _behind(self, said: Refusal) -> CentreBehind:
        if said.code != "ahead":
            raise WireError("refused", f"{said.code}: {said.text}"[:200], None, said.code, 409)
        return CentreBehind()

    def prove_ahead(self, statement: Signed) -> bool:
        """Show the centre what it lacks; whether that proves it. Raises WireError."""
        with self._ask("POST", "/ahead", AheadProof(v=VERSION, statement=statement)) as answer:
            return self._read(answer, AheadReceipt).proven

    def snapshot(self) -> SnapshotHead:
        """Which prepared list there is. Raises WireError."""
        with self._ask("GET", "/snapshot") as answer:
            return self._read(answer, SnapshotHead)

    @contextlib.contextmanager
    def download(self, name: str, start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        """A prepared list from byte ``start`` on, or from 0 where the centre cannot: (the true start, its pieces).
        The pieces end where the line does; who takes them counts. Raises WireError."""
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with self._ask("GET", f"/snapshot/{quote(name, safe='')}", headers=headers) as answer:
            if _is_text(answer):
                raise WireError("not_the_centre", "something that is not a list came instead of it")
            yield (start if answer.status_code == 206 else 0), self._pieces(answer)

    def send(self, upload: EventUpload) -> EventReceipt | Unacceptable:
        """Hand events over. Raises WireError."""
        try:
            with self._ask("POST", "/events", upload, passing=(400, 422)) as answer:
                if answer.status_code >= 400:
                    return Unacceptable(self._read(answer, Refusal).text)
                return self._read(answer, EventReceipt)
        except WireError as err:
            if err.status == 413:  # a proxy before the centre may say so in its own words
                return Unacceptable("too large")
            raise

    def time(self, nonce: bytes) -> Signed:
        """A signed statement of the time for this nonce, unverified. Raises WireError."""
        with self._ask("POST", "/time", TimeRequest(VERSION, nonce)) as answer:
            return self._read(answer, Signed)

    def enrol(self, request: EnrolRequest) -> Enrolled:
        """Raises WireError, with the centre's refusal in it."""
        with self._ask("POST", "/enrol", request) as answer:
            return self._read(answer, Enrolled)

    @contextlib.contextmanager
    def wakes(self) -> Iterator[Iterator[None]]:
        """The open stream of wake-ups: one None for each. It ends, or raises WireError, when the line is lost."""
        headers = {"Accept": "text/event-stream"}
        with self._ask("GET", "/wake", headers=headers, read_s=WAKE_SILENCE_S) as answer:
            if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
                raise WireError("not_the_centre", "no stream of wake-ups came")
            yield (None for line in _lines(self._pieces(answer)) if line.startswith(b"data:"))

    @contextlib.contextmanager
    def _ask(
        self,
        method: str,
        path: str,
        body: msgspec.Struct | None = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        passing: tuple[int, ...] = (),
        read_s: float = READ_S,
    ) -> Iterator[requests.Response]:
        """An answer with a 2xx status, or one of the centre's own that is ``passing``, its body unread."""
        every = self._headers | dict(headers or {}) | ({"Content-Type": "application/json"} if body else {})
        with _named():
            answer = self._session.request(
                method,
                self._base + path,
                params=params,
                data=msgspec.json.encode(body) if body else None,
                headers=every,
                timeout=(CONNECT_S, read_s),
                allow_redirects=False,
                stream=True,
            )
        self._alive()
        with answer:
            if not 200 <= answer.status_code < 300 and not (answer.status_code in passing and _is_json(answer)):
                raise self._refusal(answer)
            yield answer
            self.answers += 1

    def _refusal(self, answer: requests.Response) -> WireError:
        status = answer.status_code
        if status == 429 and self._is_slow_down(answer):
            return WireError("slow_down", "this gate asked more than its share", _retry_after(answer), status=status)
        if status in (429, 502, 503, 504):
            return WireError("busy", f"the centre is busy ({status})", _retry_after(answer), status=status)
        if not _is_json(answer):
            return WireError("not_the_centre", f"an answer {status} that is not the centre's", status=status)
        try:
            said = self._read(answer, Refusal)
        except WireError as err:
            return err
        return WireError("refused", f"{said.code}: {said.text}"[:200], None, said.code, status)

    def _is_slow_down(self, answer: requests.Response) -> bool:
        """Whether the centre itself says so of this gate, and not a proxy of everybody."""
        try:
            return self._read(answer, Refusal).code == "slow_down"
        except WireError:
            return False

    def _read(self, answer: requests.Response, kind: type[T]) -> T:
        if not _is_json(answer):
            raise WireError("not_the_centre", "an answer that is not the centre's")
        body = bytearray()
        ends = self._clock() + TOTAL_S
        for piece in self._pieces(answer):
            body += piece
            if len(body) > MAX_BODY or self._clock() > ends:
                raise WireError("offline", "the answer does not end")
        try:
            read = msgspec.json.decode(bytes(body), type=kind)
        except msgspec.MsgspecError as err:
            raise WireError("not_understood", f"{kind.__name__}: {err}") from err
        if getattr(read, "v", VERSION) != VERSION:
            raise WireError("not_understood", f"{kind.__name__} has another version")
        return read

    def _pieces(self, answer: requests.Response) -> Iterator[bytes]:
        """The body as it arrives. read1 gives what is there; without it (urllib3 1) a piece is filled first."""
        raw: Any = answer.raw
        read = getattr(raw, "read1", None) or (lambda amount, **kw: raw.read(min(amount, 1024), **kw))
        with _named():
            while piece := read(_CHUNK, decode_content=True):
                self._alive()
                yield piece


def _had(cursor: Cursor, proof: Signed | None) -> dict[str, str]:
    """In which life of the centre the list was made, so that one that was restored knows what it lacks."""
    if proof is None or proof.epoch != cursor.epoch:
        return {}
    try:
        life = msgspec.json.decode(proof.body, type=HeadBody).life
    except msgspec.MsgspecError:
        return {}
    return {} if life is None else {"life": life, "head": str(proof.revision)}


@contextlib.contextmanager
def _named() -> Iterator[None]:
    """Failures of the line, in our words."""
    try:
        yield
    except requests.exceptions.SSLError as err:
        raise WireError("tls", f"the centre's certificate: {err}"[:300]) from err
    except (requests.exceptions.RequestException, OSError, HTTPError, HTTPException) as err:
        raise WireError("offline", f"{type(err).__name__}: {err}"[:300]) from err


def _is_json(answer: requests.Response) -> bool:
    return answer.headers.get("Content-Type", "").partition(";")[0].strip() == "application/json"


def _is_text(answer: requests.Response) -> bool:
    return answer.headers.get("Content-Type", "").startswith("text/")


def _retry_after(answer: requests.Response) -> float | None:
    text = answer.headers.get("Retry-After", "")
    return min(float(text), MAX_RETRY_AFTER_S) if text.isascii() and text.isdigit() else None


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) > _MAX_LINE:
            raise WireError("not_the_centre", "a line without an end")
