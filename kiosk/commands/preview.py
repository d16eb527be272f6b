"""What would happen to a text held up at this gate: the rules applied, with nothing recorded and nothing moved."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from nacl.public import PrivateKey

from kiosk.config import Config
from kiosk.core.clock import Clock
from kiosk.core.journal import read_uses
from kiosk.core.judge import Judge
from kiosk.core.kept import Kept, Memory, Statements
from kiosk.core.mirror import Mirror
from kiosk.core.policy import Now, stage_in_force
from kiosk.core.vouching import Anchor, Vouching, zone_of
from sync.credential import Credential, read_credential


def preview(
    config: Config, anchor: Anchor | None, box: PrivateKey | None, text: str, at: str | None, lane: str | None
) -> dict[str, Any]:
    """Outcome, reason and what they rest on. ``at`` is local time, ISO 8601. Raises ValueError in the user's words."""
    section = next((s for s in config.lane if lane in (None, s.name)), None)
    if section is None:
        raise ValueError(f"no lane is named {lane!r}; there are {', '.join(s.name for s in config.lane)}")
    kept = Kept(config.core_state / "kept.json", Memory(), writes=False)
    statements = Kept(config.core_state / "vouched.json", Statements(), writes=False)
    clock = Clock(kept)
    moment = clock.now()
    mirror = Mirror(config.list_folder, Vouching(anchor, box, kept, statements), lambda: moment)
    mirror.refresh()
    try:
        moment = _moment(at, mirror, clock)
        judge = Judge(mirror, read_uses(config.core_state), kept, anchor.compound if anchor else 0, lambda: moment)
        reading = read_credential(text, mirror.vouched.keys)
        decision = judge.judge(reading, section.name, section.direction, ())
        return _in_words(decision.verdict, reading, mirror, moment, section.name)
    finally:
        mirror.close()


def _moment(at: str | None, mirror: Mirror, clock: Clock) -> Now:
    zone = zone_of(mirror.vouched.compound)
    if at is None:
        # The running core knows the time better; here the machine's own clock has to do.
        utc_ms = int(datetime.now(zone).timestamp() * 1000)
    else:
        try:
            local = datetime.fromisoformat(at)
        except ValueError as err:
            raise ValueError(f"{at!r} is not a time like 2026-11-23T14:05") from err
        utc_ms = int((local if local.tzinfo else local.replace(tzinfo=zone)).timestamp() * 1000)
    return Now(utc_ms=utc_ms, state="holdover", floor_ms=clock.now().floor_ms, zone=zone)


def _in_words(verdict: Any, reading: Any, mirror: Mirror, moment: Now, lane: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "also": list(verdict.also),
        "look": verdict.look,
        "softened": bool(verdict.guidance),
        "lane": lane,
        "at": moment.local.isoformat(timespec="seconds"),
        "enforcement": stage_in_force(mirror.vouched.rules, moment),
        "list": mirror.list_state(),
        "list_age_s": mirror.age_s(),
    }
    if isinstance(reading, Credential):
        result |= {"kind": reading.kind, "medium": reading.medium, "scope": reading.scope, "serial": reading.serial}
    return result
