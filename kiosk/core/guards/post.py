"""Who stands at the post: guards' sign-in by name and PIN, their sessions, and the limit on wrong tries.

PINs are checked here, in the core, against verifiers that the centre sealed for it; no other process can test one.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import msgspec
import nacl.pwhash
from nacl.exceptions import CryptoError

from kiosk.channel import Refused
from kiosk.core.guards.tries import KeptTries, Tries
from kiosk.core.kept import Kept
from kiosk.core.vouching import Account
from kiosk.verbs import Session, SignIn

SESSION_S = 12 * 3600
MAX_SESSIONS = 64
_LONGEST_NAME = 64
CHECKED_AT_ONCE = 2
"""Each check takes 64 MiB for a verifier made today, and all the core has is 256."""

_NICE = 10
"""Of the threads that check PINs, so that strangers who try some delay no opening."""

log = logging.getLogger("post")

_NOBODY = nacl.pwhash.argon2id.str(
    b"nobody", opslimit=nacl.pwhash.argon2id.OPSLIMIT_MIN, memlimit=nacl.pwhash.argon2id.MEMLIMIT_MIN
)
"""Checked where no account here has a PIN."""


class _Held(msgspec.Struct):
    account: Account
    ends: float


class GuardSessions:
    """Sessions and tries of this gate. Thread-safe; checking a PIN takes up to about a second and holds no lock.

    ``accounts`` gives the accounts in force now: an account that was withdrawn, or that has another PIN, ends its
    sessions at once.
    """

    def __init__(
        self, accounts: Callable[[], Mapping[str, Account]], monotonic: Callable[[], float], kept: Kept[KeptTries]
    ):
        self._accounts = accounts
        self._monotonic = monotonic
        self._tries = Tries(kept, monotonic)
        self._sessions: dict[bytes, _Held] = {}
        self._lock = threading.Lock()
        self._secret = secrets.token_bytes(16)
        self._checking = ThreadPoolExecutor(CHECKED_AT_ONCE, "pin", _stand_back)

    def sign_in(self, asked: SignIn) -> Session:
        """A session for a guard whose PIN is right. Raises Refused: ``no_accounts``, ``wrong_pin``, or
        ``locked_out:SECONDS`` (:mod:`kiosk.core.guards.tries`). While any PIN here is withdrawn a wrong one is refused
        as ``pins_withdrawn``, whatever the name: names cannot be told apart by it."""
        accounts = self._accounts()
        if not accounts:
            raise Refused("no_accounts")
        name, address = asked.name.strip().lower()[:_LONGEST_NAME], asked.address[:_LONGEST_NAME]
        account = accounts.get(name)
        left_s = self._tries.spend(name, address, account is not None)
        if left_s > 0:
            raise Refused(f"locked_out:{int(left_s) + 1}")
        verifier = account.verifier if account else None
        other = stand_in(accounts.values(), name, self._secret)
        right = self._checking.submit(_matches, verifier or other, asked.pin).result()
        if not right or not verifier:
            log.warning("sign_in=refused address=%r", address)
            raise Refused("pins_withdrawn" if any(held.pin_withdrawn for held in accounts.values()) else "wrong_pin")
        assert account  # noqa: S101 - only an account has a verifier
        self._tries.forgive(name, address)
        return self._begin(account)

    def _begin(self, account: Account) -> Session:
        token, now = secrets.token_urlsafe(32), self._monotonic()
        with self._lock:
            self._sessions = {mark: held for mark, held in self._sessions.items() if held.ends > now}
            if len(self._sessions) >= MAX_SESSIONS:
                self._sessions.pop(min(self._sessions, key=lambda mark: self._sessions[mark].ends))
            self._sessions[_mark(token)] = _Held(account, now + SESSION_S)
        return Session(token=token, name=account.name, role=account.role, ends_in_s=SESSION_S)

    def who(self, token: str) -> Session:
        """The guard behind a token. Raises Refused ``not_signed_in``."""
        now = self._monotonic()
        with self._lock:
            held = self._sessions.get(_mark(token))
        account = self._accounts().get(held.account.name.lower()) if held and held.ends > now else None
        same = held and account and (account.account, account.verifier) == (held.account.account, held.account.verifier)
        if held is None or account is None or not same:
            raise Refused("not_signed_in")
        return Session(token=token, name=account.name, role=account.role, ends_in_s=int(held.ends - now))

    def supervisor(self, token: str) -> Session:
        """As :meth:`who`, for what only a supervisor may do. Raises Refused ``not_allowed``."""
        session = self.who(token)
        if session.role != "supervisor":
            raise Refused("not_allowed")
        return session

    def sign_out(self, token: str) -> None:
        """Idempotent."""
        with self._lock:
            self._sessions.pop(_mark(token), None)


def stand_in(accounts: Iterable[Account], name: str, secret: bytes) -> bytes:
    """Whose PIN is checked for a name that has none here: always the same one's, but by ``secret`` nobody knows whose.
    So names cannot be told apart by the time it takes, though older verifiers are checked faster."""
    verifiers = [held.verifier for held in accounts if held.verifier] or [_NOBODY]
    mark = hashlib.blake2b(name.encode("utf-8", "replace"), key=secret, digest_size=8).digest()
    return verifiers[int.from_bytes(mark, "big") % len(verifiers)]


def _stand_back() -> None:
    with suppress(OSError):  # a unit of an older setup forbids it
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def _mark(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _matches(verifier: bytes, pin: str) -> bool:
    try:
        return nacl.pwhash.verify(verifier, pin.encode("utf-8", "replace"))
    except (CryptoError, ValueError):
        return False
