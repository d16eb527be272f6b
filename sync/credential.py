"""The text in a pass's QR code: signing and reading it. Pure: no time, no storage, no network.

    "G1" + Base45(body[16] + signature[64])                    122 characters, a card
    the same + "." + 8 digits                                   131 characters, a phone

Base45 is RFC 9285; the signature is Ed25519 (RFC 8032) over ``b"G1" + body``; the digits are TOTP (RFC 6238) with
30-second steps. The text is parsed by position, because Base45 itself contains ``.``. See PROTOCOL.md for vectors.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal

import base45
import msgspec
import pyotp
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

from sync.terms import Misreading

MAGIC = "G1"
BODY_BYTES = 16
SIGNATURE_BYTES = 64
CARD_CHARACTERS = 122
PHONE_CHARACTERS = CARD_CHARACTERS + 9
EPOCH_MS = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) * 1000
STEP_MS = 600_000
HOUR_MS = 3_600_000
DIGITS_STEP_S = 30
DIGITS = 8

KINDS: Mapping[int, str] = {
    1: "resident",
    2: "household_staff",
    3: "property_staff",
    4: "contractor",
    5: "shop",
    6: "visitor",
    7: "official",
    8: "vehicle",
}
KIND_NUMBERS: Mapping[str, int] = {name: number for number, name in KINDS.items()}
Medium = Literal["card", "phone"]

PublicKeys = Mapping[tuple[int, int], bytes]
"""(scope, key id) -> Ed25519 public key, 32 bytes."""


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential whose signature is good. ``digits`` is what a phone showed beside it, None if it showed none."""

    kind: str
    medium: Medium
    key_id: int
    scope: int
    serial: int
    not_before_step: int
    validity_hours: int
    random: int
    digits: str | None = None

    @property
    def not_before_ms(self) -> int:
        """UTC milliseconds."""
        return EPOCH_MS + self.not_before_step * STEP_MS

    @property
    def valid_until_ms(self) -> int:
        """UTC milliseconds, as printed; a list may end it earlier, or later as far as the rules go."""
        return self.not_before_ms + self.validity_hours * HOUR_MS


class Misread(msgspec.Struct, frozen=True):
    """Why a text is not a credential of ours; the reasons are those of the gate's closed list."""

    reason: Misreading


Reading = Credential | Misread


def not_before_step(utc_ms: int) -> int:
    """The 10-minute step a time falls in, rounded down. Raises ValueError outside 2020-01-01 … 2338."""
    step = (utc_ms - EPOCH_MS) // STEP_MS
    if not 0 <= step < 1 << 24:
        raise ValueError("not-before is outside what a credential can hold")
    return step


def pack(credential: Credential) -> bytes:
    """The 16 signed bytes. Raises ValueError when a field does not fit its place."""
    places = (
        (KIND_NUMBERS[credential.kind] << 4 | (credential.medium == "phone") << 3, 1),
        (credential.key_id, 1),
        (credential.scope, 3),
        (credential.serial, 4),
        (credential.not_before_step, 3),
        (credential.validity_hours, 2),
        (credential.random, 2),
    )
    try:
        return b"".join(value.to_bytes(size, "big") for value, size in places)
    except OverflowError as err:
        raise ValueError("a field does not fit the credential") from err


def sign_credential(credential: Credential, seed: bytes) -> str:
    """The 122 characters of a credential, signed with the Ed25519 ``seed`` (32 bytes). ``digits`` is not part of it."""
    body = pack(credential)
    signature = SigningKey(seed).sign(MAGIC.encode() + body).signature
    text: bytes = base45.b45encode(body + signature)
    return MAGIC + text.decode("ascii")


def read_credential(text: object, keys: PublicKeys) -> Reading:
    """What a decoded text is. Never raises, whatever it is given.

    ``unreadable``: begins like ours but is cut off or damaged; ``not_a_pass``: anything else that is not ours;
    ``foreign_scope``: no key of its scope is known here; ``unknown_key``, ``bad_signature`` as they say.
    """
    if not isinstance(text, str) or not text.startswith(MAGIC):
        return Misread("unreadable" if text in ("", None) else "not_a_pass")
    split = _split(text)
    if split is None:
        return Misread("unreadable")
    raw, digits = split
    return _verify(raw[:BODY_BYTES], raw[BODY_BYTES:], digits, keys)


def _split(text: str) -> tuple[bytes, str | None] | None:
    digits = None
    if len(text) == PHONE_CHARACTERS:
        digits = text[CARD_CHARACTERS + 1 :]
        if text[CARD_CHARACTERS] != "." or not (digits.isascii() and digits.isdigit()):
            return None
    elif len(text) != CARD_CHARACTERS:
        return None
    coded = text[len(MAGIC) : CARD_CHARACTERS]
    try:
        raw = base45.b45decode(coded)
        canonical = base45.b45encode(raw).decode("ascii") == coded
    except (ValueError, UnicodeError, OverflowError):
        return None
    return (raw, digits) if canonical and len(raw) == BODY_BYTES + SIGNATURE_BYTES else None


def _verify(body: bytes, signature: bytes, digits: str | None, keys: PublicKeys) -> Reading:
    key_id, scope = body[1], int.from_bytes(body[2:5], "big")
    public = keys.get((scope, key_id))
    if public is None:
        known = any(of_scope == scope for of_scope, _ in keys)
        return Misread("unknown_key" if known else "foreign_scope")
    try:
        VerifyKey(public).verify(MAGIC.encode() + body, signature)
    except (CryptoError, ValueError, TypeError):
        return Misread("bad_signature")
    return _unpack(body, digits)


def _unpack(body: bytes, digits: str | None) -> Reading:
    kind = KINDS.get(body[0] >> 4)
    phone = bool(body[0] & 0b1000)
    if kind is None or body[0] & 0b0111 or (digits is not None and not phone):
        return Misread("not_a_pass")
    return Credential(
        kind=kind,
        medium="phone" if phone else "card",
        key_id=body[1],
        scope=int.from_bytes(body[2:5], "big"),
        serial=int.from_bytes(body[5:9], "big"),
        not_before_step=int.from_bytes(body[9:12], "big"),
        validity_hours=int.from_bytes(body[12:14], "big"),
        random=int.from_bytes(body[14:16], "big"),
        digits=digits,
    )


def code_secret(code_key: bytes, serial: int) -> bytes:
    """The 20-byte TOTP secret of a phone credential: HMAC-SHA256(code key, serial as u32 big-endian), cut."""
    return hmac.new(code_key, serial.to_bytes(4, "big"), hashlib.sha256).digest()[:20]


def digits_at(secret: bytes, step: int) -> str:
    """The 8 digits of a 30-second step since 1970 (RFC 6238, HMAC-SHA-1)."""
    return pyotp.TOTP(base64.b32encode(secret).decode(), digits=DIGITS, interval=DIGITS_STEP_S).generate_otp(step)


def find_step(secret: bytes, digits: str, steps: Iterable[int]) -> int | None:
    """The first of ``steps`` whose digits these are, compared in constant time; None if none is."""
    for step in steps:
        if step >= 0 and hmac.compare_digest(digits_at(secret, step), digits):
            return step
    return None
