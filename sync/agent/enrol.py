"""Becoming a gate of a centre: a one-time code for a token of the device's own making."""

from __future__ import annotations

import base64
import hashlib
import secrets
from pathlib import Path

import msgspec
import requests

from sync.agent.wire import Tls, Wire, WireError, check_url
from sync.durable import replace_durably
from sync.protocol import VERSION, Enrolled, EnrolRequest, ProtocolError, read_enrolment_code, trusts

IDENTITY = "identity.json"
_ENROLLING = "enrolling.json"
_TOKEN_BYTES = 32


class EnrolError(Exception):
    """This device was not enrolled and nothing was overwritten; the text says why, for a technician. The same code
    may be tried again: the device keeps the token it made."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who this device is to its centre. ``token`` is its secret, and is never shown."""

    url: str
    compound: int
    gate: str
    device: str
    token: str

    @property
    def authorization(self) -> str:
        """The header of every request."""
        return f"Gate {self.compound}.{self.device}.{self.token}"

    def __repr__(self) -> str:
        return f"Identity({self.url!r}, compound={self.compound}, gate={self.gate!r}, device={self.device!r})"


class _Enrolling(msgspec.Struct, frozen=True):
    """The token that goes with a code (its hash), kept from before it is first used: the same request gets the same
    answer, whatever was lost on the way."""

    code: str
    token: str


def read_identity(state: Path) -> Identity | None:
    """The identity in sync's state folder; None before enrolment. Raises EnrolError for a file that cannot be read."""
    try:
        return msgspec.json.decode((state / IDENTITY).read_bytes(), type=Identity)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as err:
        raise EnrolError(
            f"{state / IDENTITY} cannot be read: {err}. Enrol it again with a new code and --replace."
        ) from err


def enrol(
    url: str,
    code: str,
    box_public: bytes,
    state: Path,
    session: requests.Session | None = None,
    ca: str = "",
    replace: bool = False,
) -> Enrolled:
    """Spend a one-time code. Writes ``identity.json`` (0600) into ``state``; who calls it writes the anchor.

    ``box_public`` is the core's X25519 public key, ``ca`` a PEM file (empty: the system's authorities). Raises
    EnrolError. Trying again with the same code is safe, even where the centre's answer was lost. Another gate's
    identity stays unless ``replace``, and until the new one is whole.
    """
    try:
        mark, secret = read_enrolment_code(code)
        url = check_url(url)
    except (ProtocolError, ValueError) as err:
        raise EnrolError(str(err)) from err
    spent = hashlib.sha256((mark + secret).encode()).hexdigest()
    if not replace:
        _refuse_second(state, spent)
    try:
        token = _token(state, spent)
        enrolled = _ask(url, secret, token, box_public, session or _session(ca))
        if not trusts(enrolled.root_public, mark):
            raise EnrolError("Another centre than the one this code is from answered. Nothing was written.")
        identity = Identity(
            url=url, compound=enrolled.compound, gate=enrolled.gate, device=enrolled.device, token=token
        )
        replace_durably(state / IDENTITY, msgspec.json.encode(identity))
    except OSError as err:
        raise EnrolError(f"{state} cannot be written: {err.strerror}.") from err
    return enrolled


def forget(state: Path) -> None:
    """Remove the identity and everything that led to it. Idempotent."""
    for name in (IDENTITY, _ENROLLING):
        (state / name).unlink(missing_ok=True)


def _refuse_second(state: Path, spent: str) -> None:
    present = read_identity(state)
    kept = _kept(state)
    if present and (kept is None or kept.code != spent):
        raise EnrolError(
            f"This device is already gate {present.gate} of compound {present.compound} at {present.url}. "
            "To make it another one, say so with --replace."
        )


def _session(ca: str) -> requests.Session:
    try:
        return Tls(Path(ca) if ca else None).session()
    except OSError as err:  # ssl.SSLError is one
        raise EnrolError(f"The certificate authority in {ca} cannot be read: {err}.") from err


def _token(state: Path, spent: str) -> str:
    """The token for this code: the one kept from an earlier try, or a new one, on disk before it is used."""
    kept = _kept(state)
    if kept and kept.code == spent:
        return kept.token
    token = base64.urlsafe_b64encode(secrets.token_bytes(_TOKEN_BYTES)).decode().rstrip("=")
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_durably(state / _ENROLLING, msgspec.json.encode(_Enrolling(spent, token)))
    return token


def _kept(state: Path) -> _Enrolling | None:
    try:
        return msgspec.json.decode((state / _ENROLLING).read_bytes(), type=_Enrolling)
    except (OSError, msgspec.MsgspecError):
        return None


def _ask(url: str, secret: str, token: str, box_public: bytes, session: requests.Session) -> Enrolled:
    token_hash = hashlib.sha256(token.encode()).digest()
    request = EnrolRequest(v=VERSION, secret=secret, token_hash=token_hash, box_public=box_public)
    try:
        return Wire(url, session).enrol(request)
    except WireError as err:
        raise EnrolError(_in_words(url, err)) from err


def _in_words(url: str, err: WireError) -> str:
    match err.code, err.refusal:
        case "refused", "no_such_code":
            return "The centre does not know this code, or its day is over. Check each letter, or get a new code."
        case "refused", "used":
            return "This code was used by another device. Get a new one for this gate from the centre."
        case "refused", _:
            return f"The centre refused: {err}."
        case "offline", _:
            return f"The centre at {url} cannot be reached ({err}). Check the address and the network."
        case "tls", _:
            return f"The centre at {url} cannot prove who it is ({err}). Check --ca and the name in the address."
        case "busy", _:
            return f"The centre is busy. Try again in {err.retry_after_s or 60:.0f} seconds."
        case "not_the_centre", _:
            return f"Something else than the centre answers at {url}; perhaps the network wants a login."
        case _:
            return f"The centre at {url} speaks another version of the protocol ({err})."
