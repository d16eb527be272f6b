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
from pathlib import Path

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


class KeptSession(msgspec.Struct, frozen=True):
    """A session without what opens it: hashes of its token and of the PIN's verifier, whose it is, and when it ends."""

    mark: bytes
    name: str
    account: str
    pin: bytes
    ends: float


class KeptSessions(msgspec.Struct, frozen=True):
    """The sessions that outlast a restart of the core. ``ends`` counts seconds of one ``boot``: another has none."""

    boot: str = ""
    sessions: tuple[KeptSession, ...] = ()


def this_boot() -> str:
    """The kernel's name for this boot; empty where it has none, and then no session outlasts a restart."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class GuardSessions:
    """Sessions and tries of this gate. Thread-safe; checking a PIN takes up to about a second and holds no lock.

    ``accounts`` gives the accounts in force now: an account that was withdrawn, or that has another PIN, ends its
    sessions at once. ``kept`` are the sessions that an earlier run of the core in the same ``boot`` left.
    """

    def __init__(
        self,
        accounts: Callable[[], Mapping[str, Account]],
        monotonic: Callable[[], float],
        tries: Kept[KeptTries],
        kept: Kept[KeptSessions] | None = None,
        boot: str = "",
    ):
        self._accounts = accounts
        self._monotonic = monotonic
        self._tries = Tries(tries, monotonic)
        self._kept = kept
        self._boot = boot
        self._sessions = self._taken_up()
        self._lock = threading.Lock()
        self._writing = threading.Lock()
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
        return self._begin(account, verifier)

    def _taken_up(self) -> dict[bytes, KeptSession]:
        if self._kept is None or not self._boot or self._kept.now.boot != self._boot:
            return {}
        now = self._monotonic()
        left = [held for held in self._kept.now.sessions if now < held.ends <= now + SESSION_S]
        return {held.mark: held for held in left[-MAX_SESSIONS:]}

    def _keep(self) -> None:
        if self._kept is not None and self._boot:
            with self._writing:
                self._kept.change(boot=self._boot, sessions=tuple(self._sessions.values()))

    def _begin(self, account: Account, verifier: bytes) -> Session:
        token, now = secrets.token_urlsafe(32), self._monotonic()
        held = KeptSession(_mark(token), account.name.lower(), account.account, _pin(verifier), now + SESSION_S)
        with self._lock:
            sessions = {mark: other for mark, other in self._sessions.items() if other.ends > now}
            if len(sessions) >= MAX_SESSIONS:
                sessions.pop(min(sessions, key=lambda mark: sessions[mark].ends))
            self._sessions = {**sessions, held.mark: held}
        self._keep()
        return Session(token=token, name=account.name, role=account.role, ends_in_s=SESSION_S)

    def who(self, token: str) -> Session:
        """The guard behind a token. Raises Refused ``not_signed_in``."""
        now = self._monotonic()
        with self._lock:
            held = self._sessions.get(_mark(token))
        account = self._accounts().get(held.name) if held and held.ends > now else None
        pin = _pin(account.verifier) if account and account.verifier else b""
        same = held and account and (account.account, pin) == (held.account, held.pin)
        if held is None or account is None or not same:
            raise Refused("not_signed_in")
        return Session(token=token, name=account.name, role=account.role, ends_in_s=int(held.ends - now))

    def anybody(self) -> bool:
        """Whether somebody is signed in."""
        now, accounts = self._monotonic(), self._accounts()
        with self._lock:
            return any(held.ends > now and held.name in accounts for held in self._sessions.values())

    def supervisor(self, token: str) -> Session:
        """As :meth:`who`, for what only a supervisor may do. Raises Refused ``not_allowed``."""
        session = self.who(token)
        if session.role != "supervisor":
            raise Refused("not_allowed")
        return session

    def technician(self, token: str) -> Session:
        """As :meth:`who`, for what only a technician may do. Raises Refused ``technician_only``."""
        session = self.who(token)
        if session.role != "technician":
            raise Refused("technician_only")
        return session

    def sign_out(self, token: str) -> None:
        """Idempotent."""
        with self._lock:
            mark = _mark(token)
            self._sessions = {other: held for other, held in self._sessions.items() if other != mark}
        self._keep()


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


def _pin(verifier: bytes) -> bytes:
    return hashlib.sha256(verifier).digest()


def _matches(verifier: bytes, pin: str) -> bool:
    try:
        return nacl.pwhash.verify(verifier, pin.encode("utf-8", "replace"))
    except (CryptoError, ValueError):
        return False
