"""What the tests of the core share: passes, lists and clocks of one small compound, and parts that can be watched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import nacl.pwhash
from nacl.public import PrivateKey, SealedBox
from nacl.signing import SigningKey

from hardware import HardwareError, LaneParts, Signal
from kiosk.channel import Happening
from kiosk.clock import Clock
from kiosk.config import LaneSection, ScreenSection
from kiosk.gate import Gate, LaneRun
from kiosk.journal import Journal
from kiosk.kept import Kept
from kiosk.mirror import Anchor, Mirror
from sync.cache import ListWriter, create, set_current
from sync.credential import (
    Credential,
    code_secret,
    digits_at,
    not_before_step,
    sign_credential,
)
from sync.protocol import (
    AccountBody,
    CodeKeyBody,
    CompoundBody,
    CredentialRow,
    Event,
    EventsAfter,
    GateBody,
    KeyBody,
    Rules,
    Signed,
    TimeBody,
    sign,
)

COMPOUND, GATE, DEVICE, EPOCH = 7, "north", "device-1", "e1"
ZONE = ZoneInfo("Asia/Shanghai")
NOON_MS = 1_795_406_400_000
"""Monday 2026-11-23, 12:00 in Shanghai."""
HOUR_MS, DAY_MS = 3_600_000, 24 * 3_600_000
ROOT, OTHER_ROOT = bytes(range(32)), bytes(range(1, 33))
ROOT_PUBLIC = bytes(SigningKey(ROOT).verify_key)
PASS_KEY = bytes(range(2, 34))
CODE_KEY = b"c" * 32
BOX = PrivateKey(bytes(range(3, 35)))
ANCHOR = Anchor(COMPOUND, GATE, DEVICE, ROOT_PUBLIC)
PIN = "2468"
_VERIFIER = nacl.pwhash.argon2id.str(
    PIN.encode(), nacl.pwhash.argon2id.OPSLIMIT_MIN, nacl.pwhash.argon2id.MEMLIMIT_MIN
).rstrip(b"\0")


# --- passes -----------------------------------------------------------------------------------------------------------


def credential(serial: int = 1, **fields: Any) -> Credential:
    """A resident's card of the compound: valid from yesterday, for 90 days."""
    usual = {
        "kind": "resident", "medium": "card", "key_id": 1, "scope": COMPOUND, "serial": serial,
        "not_before_step": not_before_step(NOON_MS - DAY_MS), "validity_hours": 90 * 24, "random": 4711,
    }  # fmt: skip
    return Credential(**{**usual, **fields})


def row_of(shown: Credential, **fields: Any) -> CredentialRow:
    """The list's row of a credential, active, as long as printed."""
    usual = {
        "revision": 1, "scope": shown.scope, "serial": shown.serial, "kind": shown.kind, "medium": shown.medium,
        "not_before_step": shown.not_before_step, "validity_hours": shown.validity_hours, "random": shown.random,
        "state": "active", "valid_until_ms": shown.valid_until_ms, "number": f"A-{shown.serial:06d}",
        "label": "王**", "dwelling": "3-2-1201", "household": 12,
    }  # fmt: skip
    return CredentialRow(**{**usual, **fields})


def text_of(shown: Credential, at_ms: int | None = None, key: bytes = PASS_KEY) -> str:
    """What its QR code says; a phone's with the digits of that time."""
    text = sign_credential(shown, key)
    if at_ms is None:
        return text
    return f"{text}.{digits_at(code_secret(CODE_KEY, shown.serial), at_ms // 30_000)}"


# --- what the root key says -------------------------------------------------------------------------------------------


def sealed(content: bytes, gate: str = GATE, box: PrivateKey = BOX) -> dict[str, bytes]:
    return {gate: bytes(SealedBox(box.public_key).encrypt(content))}


def signed(purpose: str, item: str, body: Any, revision: int = 1, **fields: Any) -> Signed:
    """A change under the compound's root key, or under another ``root``, ``compound`` or ``epoch``."""
    root, compound = fields.pop("root", ROOT), fields.pop("compound", COMPOUND)
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return sign(root, purpose, compound, fields.pop("epoch", EPOCH), revision, item, raw, **fields)


def account(name: str, role: str = "guard", active: bool = True, **fields: Any) -> Signed:
    body = AccountBody(f"id-{name}", name, role, active, sealed(_VERIFIER))  # type: ignore[arg-type]
    return signed("account", f"id-{name}", body, **fields)


def rules(revision: int = 1, **fields: Any) -> Signed:
    return signed("rule", "rules", Rules(**fields), revision)


def usual_changes(**rule_fields: Any) -> list[Signed]:
    """Keys, rules, names, one guard (lin) and one supervisor (zhao)."""
    key = KeyBody(COMPOUND, 1, bytes(SigningKey(PASS_KEY).verify_key))
    return [
        signed("key", f"{COMPOUND}/1", key),
        signed("code_key", str(COMPOUND), CodeKeyBody(COMPOUND, sealed(CODE_KEY))),
        signed("setting", "compound", CompoundBody(name_zh="桃园", name_en="Peach Garden")),
        signed("setting", f"gate/{GATE}", GateBody(gate=GATE, name="North gate")),
        rules(**rule_fields),
        account("Lin"),
        account("Zhao", "supervisor"),
    ]


def write_list(folder: Path, rows: Iterable[CredentialRow], changes: Iterable[Signed], number: int = 1,
               as_of_ms: int = NOON_MS, last_serial: int = 1000, epoch: str = EPOCH,
               compound: int = COMPOUND) -> Path:  # fmt: skip
    """A whole list file, put in force."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"list-{epoch}-{number}.db"
    create(path, compound, epoch)
    writer = ListWriter(path)
    writer.fill(rows, changes, 1, as_of_ms, {compound: last_serial})
    writer.close()
    set_current(folder, path.name)
    return path


# --- time -------------------------------------------------------------------------------------------------------------


class Time:
    """A boot that began at noon and in which time goes on only when told to."""

    def __init__(self, utc_ms: int = NOON_MS) -> None:
        self.s = 1000.0
        self._began_ms = utc_ms - 1_000_000

    def __call__(self) -> float:
        return self.s

    @property
    def utc_ms(self) -> int:
        return self._began_ms + int(self.s * 1000)

    def go(self, seconds: float) -> None:
        self.s += seconds


def clock_at(kept: Kept, time: Time, trusted: bool = True) -> Clock:
    """A clock on this time, anchored by a statement of the centre."""
    clock = Clock(kept, boot=time, system=lambda: 0, has_rtc=lambda: False)
    if trusted:
        why = clock.take_statement(statement(clock.nonce(), time.utc_ms), ROOT_PUBLIC, DEVICE, COMPOUND)
        assert not why
    clock.zone = ZONE
    return clock


def statement(nonce: bytes, utc_ms: int, item: str = DEVICE, purpose: str = "time", **fields: Any) -> Signed:
    return signed(purpose, item, TimeBody(nonce, utc_ms), 0, **fields)


# --- parts ------------------------------------------------------------------------------------------------------------


class Lamp:
    """The illumination of one lane in memory."""

    def __init__(self) -> None:
        self.is_on = False
        self.closed = False

    def on(self) -> None:
        self.is_on = True

    def off(self) -> None:
        self.is_on = False

    def close(self) -> None:
        self.off()
        self.closed = True


class Parts:
    """Relay, lights and inputs of one lane in memory. ``moved`` is called before each change of the relay."""

    def __init__(self, *inputs: str, moved: Callable[[bool], None] = lambda on: None) -> None:
        self.levels = dict.fromkeys(inputs or ("passage", "fire", "guard_button"), False)
        self.is_on = False
        self.changes: list[bool] = []
        self.shows: list[str] = []
        self.broken = ""
        self.closed = False
        self.lamp = Lamp()
        self._moved = moved
        self._watchers: list[Callable[[str, bool], None]] = []

    def lane(self) -> LaneParts:
        return LaneParts(self, self, self, self.lamp)

    def _set(self, on: bool) -> None:
        if self.broken == "relay":
            raise HardwareError("the relay is broken")
        if on != self.is_on:
            self._moved(on)
            self.is_on = on
            self.changes.append(on)

    def on(self) -> None:
        self._set(True)

    def off(self) -> None:
        self._set(False)

    @property
    def rises(self) -> int:
        return self.changes.count(True)

    def show(self, signal: Signal) -> None:
        if self.broken == "lights":
            raise HardwareError("a lamp is broken")
        self.shows.append(signal.value)

    @property
    def shown(self) -> Signal:
        return Signal(self.shows[-1]) if self.shows else Signal.OFF

    def read(self) -> Mapping[str, bool]:
        return dict(self.levels)

    def watch(self, changed: Callable[[str, bool], None]) -> None:
        self._watchers.append(changed)

    def set(self, name: str, level: bool) -> None:
        self.levels[name] = level
        for changed in self._watchers:
            changed(name, level)

    def close(self) -> None:
        self.is_on = False
        self.closed = True


# --- a whole gate -----------------------------------------------------------------------------------------------------


class Bench:
    """A gate with a real journal and a real list in ``folder``, parts in memory, and time that is told to go on.

    :meth:`restart` is what a crash and a start make of it; ``lanes`` maps names to directions.
    """

    def __init__(
        self,
        folder: Path,
        rows: Iterable[CredentialRow] = (),
        changes: Iterable[Signed] | None = None,
        lanes: Mapping[str, str] | None = None,
        mode: str = "pulse",
        inputs: tuple[str, ...] = (),
        tell: Callable[[Happening], None] = lambda happening: None,
    ) -> None:
        self._told = tell
        self.folder = folder
        self.time = Time()
        self.parts: dict[str, Parts] = {}
        self._directions = lanes or {"entry": "in"}
        self._mode = mode
        self._inputs = inputs
        if changes is not None or rows:
            write_list(folder / "list", rows, usual_changes() if changes is None else changes)
        self.start()

    def start(self, trusted: bool = True, moved: Callable[[bool], None] = lambda on: None) -> None:
        self.live: list[Happening] = []
        self.kept = Kept(self.folder / "kept.json")
        self.clock = clock_at(self.kept, self.time, trusted)
        self.journal = Journal(self.folder / "core", lambda: self.clock.now().utc_ms)
        self.mirror = Mirror(self.folder / "list", ANCHOR, BOX, self.kept, self.clock.now)
        self.mirror.refresh()
        self.parts = {name: Parts(*self._inputs, moved=moved) for name in self._directions}
        runs = {
            name: LaneRun(
                LaneSection(name=name, direction=direction, part="simulated", mode=self._mode),  # type: ignore[arg-type]
                ScreenSection(),
                self.parts[name].lane(),
            )
            for name, direction in self._directions.items()
        }
        self.gate = Gate(runs, self.journal, self.mirror, self.clock, self.kept, COMPOUND, self._tell, self.time)
        self.gate.begin()

    def _tell(self, happening: Happening) -> None:
        self.live.append(happening)
        self._told(happening)

    def stop(self) -> None:
        self.gate.close()
        self.journal.close()
        self.mirror.close()

    def restart(self, trusted: bool = True) -> None:
        self.stop()
        self.start(trusted)

    def go(self, seconds: float) -> None:
        """Let time go on as the core's loop does: never past the moment at which the gate wants to be asked."""
        end = self.time.s + seconds
        while self.time.s < end:
            self.time.go(min(self.gate.tick() + 0.001, end - self.time.s))
        self.gate.tick()

    def drive_through(self, lane: str = "entry") -> None:
        for level in (True, False):
            self.parts[lane].levels["passage"] = level
            self.gate.input_changed(lane, "passage", level)
            self.go(0.5)

    def events(self, *kinds: str) -> list[Event]:
        """What is in the journal of these kinds (all of them but the boots), waiting for what is being written."""
        self.journal.append(Event(id="mark", kind="mark", at_ms=0)).wait(5)
        return [
            e for e in read_events(self.journal) if e.kind in kinds or (not kinds and e.kind not in ("boot", "mark"))
        ]


def read_events(journal: Journal) -> list[Event]:
    """All written events of a journal."""
    batch = journal.read(EventsAfter("", 0, 1_000_000))
    return [msgspec.json.decode(body, type=Event) for body in batch.events]
