"""Compounds: made with their keys, their rules, and begun again after a restored backup."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from nacl.signing import SigningKey
from sqlalchemy import Connection, func, insert, select, text, update

from sync.credential import EPOCH_MS, HOUR_MS, KIND_NUMBERS, STEP_MS
from sync.protocol import MOST_ENTRIES, CodeKeyBody, KeyBody, Rules
from sync.server.centre import tables
from sync.server.centre.errors import CentreError
from sync.server.centre.places import Compound, all_compounds, all_places, get_compound
from sync.server.centre.writing import FIRST_ORDER, Centre, Writing
from sync.server.passes.lane_screen import signed_body

MAX_SCOPE = (1 << 24) - 1
_EPOCH_BYTES = 8
_KEY_GIVEN_MS = 30 * 24 * 3_600_000
_FAR_ABOVE = 1_000_000
_MOST_EXTENSION_HOURS = 2700 * 24
_PAST_NUMBERS = 1000
"""More than a compound gives between two backups."""


def add_compound(centre: Centre, name_zh: str, name_en: str, timezone: str, compound_id: int | None, by: str,
                 wide: bool = False) -> Compound:  # fmt: skip
    """A new compound with root key, first signing key, code key and default rules, published as revisions 1 … 5; or,
    ``wide``, a wider scope, which has all of that and no gates of its own.

    Raises CentreError for a name or number already taken, or an unknown timezone.
    """
    _check_names(name_zh, name_en, timezone)
    with centre.store.write() as conn:
        compound_id = _free_place(conn, name_zh, compound_id)
        row = _new_compound(centre, compound_id, name_zh, name_en, timezone) | {"wide": int(wide)}
        conn.execute(insert(tables.compound).values(row))
        writing = Writing(conn, get_compound(conn, compound_id), centre.now_ms(), by)
        add_signing_key(writing, centre, compound_id)
        writing.sign("code_key", str(compound_id), CodeKeyBody(compound_id, {}))
        writing.sign("setting", "compound", signed_body(conn, writing.compound))
        writing.sign("rule", "rules", Rules())
        writing.order_epoch(FIRST_ORDER)
        writing.audit("add-compound", str(compound_id))
        revision = writing.publish(centre.vault)
        made = get_compound(conn, compound_id)
    centre.wakes.tell(compound_id, revision or 0)
    return made


def _check_names(name_zh: str, name_en: str, timezone: str) -> None:
    if not name_zh.strip() or not name_en.strip():
        raise CentreError(en="A compound needs a name in Chinese and one in English.")
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as err:
        raise CentreError(en=f"There is no timezone {timezone!r}. One is called Asia/Shanghai, for example.") from err


def _free_place(conn: Connection, name_zh: str, wanted: int | None) -> int:
    known = all_places(conn)
    if any(compound.name_zh == name_zh for compound in known):
        raise CentreError(en=f"There is a compound called {name_zh} already.")
    number = wanted if wanted is not None else max((c.compound_id for c in known), default=0) + 1
    if any(compound.compound_id == number for compound in known):
        raise CentreError(en=f"There is a compound {number} already.")
    if not 1 <= number <= MAX_SCOPE:
        raise CentreError(en=f"A compound's number is between 1 and {MAX_SCOPE}.")
    return number


def _new_compound(centre: Centre, compound_id: int, name_zh: str, name_en: str, timezone: str) -> dict[str, Any]:
    root = SigningKey.generate()
    return {
        "compound_id": compound_id, "name_zh": name_zh, "name_en": name_en, "timezone": timezone,
        "epoch": secrets.token_hex(_EPOCH_BYTES), "root_public": bytes(root.verify_key),
        "sealed_root_seed": centre.vault.seal(bytes(root)),
        "sealed_code_key": centre.vault.seal(secrets.token_bytes(32)),
        "rules": msgspec.json.encode(Rules()).decode(), "created_ms": centre.now_ms(),
    }  # fmt: skip


def find_compound(centre: Centre, wanted: str) -> Compound:
    """A compound by its number or its exact name. Raises CentreError."""
    with centre.store.read() as conn:
        for compound in all_places(conn):
            if wanted in (str(compound.compound_id), compound.name_zh, compound.name_en):
                return compound
    raise CentreError(en=f"There is no compound {wanted!r}.")


def read_compound(centre: Centre, compound_id: int) -> Compound:
    """Raises NoSuchThing."""
    with centre.store.read() as conn:
        return get_compound(conn, compound_id)


def list_compounds(centre: Centre) -> list[Compound]:
    """In order of their numbers."""
    with centre.store.read() as conn:
        return all_compounds(conn)


def list_places(centre: Centre) -> list[Compound]:
    """Compounds and wider scopes, in order of their numbers."""
    with centre.store.read() as conn:
        return all_places(conn)


_OFFICE_PHONE = re.compile(r"[0-9+(][0-9+()\- 转]{4,38}[0-9]")


def set_office_phone(centre: Centre, compound_id: int, words: str, by: str) -> None:
    """Whom residents call, as it stands on their pages; empty: nobody. Raises CentreError."""
    phone = " ".join(words.split())
    if phone and not _OFFICE_PHONE.fullmatch(phone):
        raise CentreError("电话如 027-8888 1234。", "A telephone number is like 027-8888 1234.")
    with centre.writing(compound_id, by) as writing:
        mine = tables.compound.c.compound_id == compound_id
        writing.conn.execute(update(tables.compound).where(mine).values(office_phone=phone))
        writing.audit("office-phone", phone)


# A scope's signing keys


def add_signing_key(writing: Writing, centre: Centre, scope: int) -> int:
    """Publish a new signing key of a scope; its id. It signs as soon as every gate has it (see signing_key)."""
    key = SigningKey.generate()
    found = writing.conn.execute(
        select(tables.signing_key.c.key_id)
        .where(tables.signing_key.c.compound_id == writing.compound_id, tables.signing_key.c.scope == scope)
        .order_by(tables.signing_key.c.key_id.desc())
    ).scalar()
    key_id = (found or 0) + 1
    if key_id > 255:
        raise CentreError(en="This scope has used up its 255 signing keys.")
    row = {
        "compound_id": writing.compound_id, "scope": scope, "key_id": key_id, "public": bytes(key.verify_key),
        "sealed_seed": centre.vault.seal(bytes(key)), "active": True, "created_ms": writing.now_ms,
    }  # fmt: skip
    writing.conn.execute(insert(tables.signing_key).values(row))
    writing.sign("key", f"{scope}/{key_id}", KeyBody(scope, key_id, bytes(key.verify_key)))
    writing.audit("add-key", f"{scope}/{key_id}")
    return key_id


def signing_key(writing: Writing, centre: Centre, scope: int) -> tuple[int, bytes]:
    """(id, seed) of the newest key that every enrolled gate has acknowledged, or that is 30 days old, or is the first.

    Raises CentreError when the scope has no active key.
    """
    keys = tables.signing_key.c
    found = writing.conn.execute(
        select(keys.key_id, keys.sealed_seed, keys.created_ms)
        .where(keys.compound_id == writing.compound_id, keys.scope == scope, keys.active)
        .order_by(keys.key_id.desc())
    ).all()
    if not found:
        raise CentreError("没有可用的签名密钥，请联系技术人员。", f"Scope {scope} has no active signing key.")
    for key in found:
        if key.created_ms + _KEY_GIVEN_MS <= writing.now_ms or _everywhere(writing, f"{scope}/{key.key_id}"):
            return key.key_id, centre.vault.unseal(key.sealed_seed)
    return found[-1].key_id, centre.vault.unseal(found[-1].sealed_seed)


def _everywhere(writing: Writing, item: str) -> bool:
    """Whether every active device has come past the revision this key was published at."""
    behind = writing.conn.execute(
        text(
            "SELECT count(*) FROM device d JOIN signed_change s ON s.compound_id = d.compound_id "
            "WHERE d.compound_id = :compound AND d.state = 'active' AND s.purpose = 'key' AND s.item = :item "
            "AND (d.seen_epoch <> s.epoch OR d.seen_revision < s.revision)"
        ),
        {"compound": writing.compound_id, "item": item},
    ).scalar_one()
    return not behind


# Rules


def read_rules(compound: Compound) -> Rules:
    return msgspec.json.decode(compound.rules, type=Rules)


class RulesChanged(CentreError):
    """Somebody else changed the rules since they were looked at."""


def rules_mark(compound: Compound) -> str:
    """Says which rules somebody looked at."""
    return hashlib.blake2b(compound.rules.encode(), digest_size=8).hexdigest()


def set_rules(centre: Centre, compound_id: int, rules: Rules, by: str, seen: str | None = None) -> int:
    """Put all rules at once; how many of them changed. ``seen`` is the mark of the rules that were looked at.

    Raises CentreError where they contradict themselves, RulesChanged where ``seen`` is not what is in force.
    """
    _check_rules(rules)
    with centre.writing(compound_id, by) as writing:
        if seen is not None and seen != rules_mark(writing.compound):
            raise RulesChanged("规则刚被别人改过。", "Somebody else changed the rules in the meantime.")
        return _put_rules(writing, rules)


def set_rule(centre: Centre, compound_id: int, key: str, value: str, by: str) -> Rules:
    """Change one rule; ``value`` is JSON, or plain text where a word is meant. The rules now in force.

    Raises CentreError for an unknown rule or a value it cannot have.
    """
    if key not in Rules.__struct_fields__:
        raise CentreError(en=f"There is no rule {key!r}. Rules are: {', '.join(Rules.__struct_fields__)}.")
    with centre.writing(compound_id, by) as writing:
        fields = msgspec.to_builtins(read_rules(writing.compound)) | {key: _plain_or_json(value)}
        try:
            rules = msgspec.convert(fields, Rules)
        except msgspec.ValidationError as err:
            raise CentreError(en=f"{key} cannot be {value!r}: {err}") from err
        _check_rules(rules)
        _put_rules(writing, rules)
    return rules


def parse_rules(value: str) -> Rules:
    """All rules from JSON; unknown names are refused here, although gates would ignore them. Raises CentreError."""
    try:
        fields = msgspec.json.decode(value, type=dict[str, Any])
        unknown = sorted(set(fields) - set(Rules.__struct_fields__))
        if unknown:
            raise CentreError(f"没有这条规则：{', '.join(unknown)}。", f"There is no rule {', '.join(unknown)}.")
        return msgspec.convert(fields, Rules)
    except msgspec.DecodeError as err:
        raise CentreError(f"规则填写有误：{err}", f"These are not rules: {err}") from err


def _plain_or_json(value: str) -> Any:
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value


def _check_rules(rules: Rules) -> None:
    by_lane = (kind for kinds in rules.lane_kinds.values() for kind in kinds)
    named = [*rules.hours, *(rules.admits or ()), *rules.unlisted_admits, *by_lane, *rules.extension_hours,
             *rules.quota_kind_day, *rules.entries_kind]  # fmt: skip
    wrong = [kind for kind in named if kind not in KIND_NUMBERS]
    if wrong:
        raise CentreError(
            f"没有这个类别：{wrong[0]}。", f"There is no kind {wrong[0]!r}. Kinds are: {', '.join(KIND_NUMBERS)}."
        )
    windows = [window for windows in rules.hours.values() for window in windows]
    if not all(window.can_be for window in windows):
        raise CentreError(
            "时段为一天的0至1440分钟，星期为1（周一）至7。",
            "Hours go from minute 0 to 1440 of a day, on weekdays 1 (Monday) to 7; over midnight they end earlier.",
        )
    counted = (
        rules.passback_s, rules.stale_after_s, rules.expired_after_s, rules.refer_s, rules.override_budget,
        rules.quota_household_day or 0, rules.quota_person_day or 0, rules.grace_s, *rules.quota_kind_day.values(),
    )  # fmt: skip
    if min(counted) < 0:
        raise CentreError("规则不能是负数。", "A rule cannot be a negative number.")
    if not all(1 <= entries <= MOST_ENTRIES for entries in rules.entries_kind.values()):
        raise CentreError(
            f"一张证总共能进1至{MOST_ENTRIES}次。", f"Entries of one pass in all are from 1 to {MOST_ENTRIES}."
        )
    if not 1 <= rules.provisional_days <= 3:
        raise CentreError("临时登记管1至3天。", "A provisional entry lasts 1 to 3 days.")
    if not all(0 <= hours <= _MOST_EXTENSION_HOURS for hours in rules.extension_hours.values()):
        raise CentreError("延期最多2700天。", "A pass is extended by at most 2700 days.")
    if any(not 1 <= scope <= MAX_SCOPE for scope in rules.accepts):
        raise CentreError(
            "接受的范围是小区或更大区域的编号。", "An accepted scope is the number of a compound or a wider area."
        )


def _put_rules(writing: Writing, rules: Rules) -> int:
    """Publish the rules and record each change with its old and new value; how many there were."""
    before = msgspec.to_builtins(read_rules(writing.compound))
    changed = {key: value for key, value in msgspec.to_builtins(rules).items() if before[key] != value}
    if not changed:
        return 0
    _check_promises(writing, rules)
    writing.conn.execute(
        update(tables.compound)
        .where(tables.compound.c.compound_id == writing.compound_id)
        .values(rules=msgspec.json.encode(rules).decode())
    )
    writing.sign("rule", "rules", rules)
    for key, value in changed.items():
        writing.audit("set-rule", f"{key}: {_json(before[key])} → {_json(value)}")
    return len(changed)


class PromiseBroken(CentreError):
    """Gates would refuse passes of this kind for part of the time that was promised."""

    def __init__(self, *, kind: str, days: int):
        super().__init__(
            f"有证已延期得更久：至少要{days}天，或先给这些证换新。",
            f"Some passes of the kind {kind} are extended further: it takes at least {days} days, or new credentials "
            "for those passes first.",
        )
        self.kind = kind


def _check_promises(writing: Writing, rules: Rules) -> None:
    """Raises PromiseBroken where these rules would end passes before the end they have now."""
    for kind, held in read_rules(writing.compound).extension_hours.items():
        hours = rules.extension_hours.get(kind, 0)
        needed = -(-_longest_extension_ms(writing, kind) // HOUR_MS) if hours < held else 0
        if needed > hours:
            raise PromiseBroken(kind=kind, days=-(-needed // 24))


def _longest_extension_ms(writing: Writing, kind: str) -> int:
    """How far beyond its signed end any pass of that kind is extended that has not ended yet."""
    owner, signed = tables.pass_.c, tables.credential.c
    beyond = select(func.max(owner.valid_until_ms - signed_until(signed))).where(
        signed.compound_id == writing.compound_id, signed.state.in_(("printed", "active")),
        owner.compound_id == signed.compound_id, owner.pass_id == signed.pass_id, owner.kind == kind,
        owner.state != "revoked", owner.valid_until_ms > writing.now_ms,
    )  # fmt: skip
    return writing.conn.execute(beyond).scalar() or 0


def signed_until(columns: Any) -> Any:
    """When a credential ends by what is signed in it, as SQL: UTC milliseconds."""
    return EPOCH_MS + columns.not_before_step * STEP_MS + columns.validity_hours * HOUR_MS


def extensions(conn: Connection, compound: Compound) -> dict[str, int]:
    """By kind, how many milliseconds beyond its signed end a credential of this scope may be extended at every gate
    that takes it: those of the compound, or of all compounds that accept a wider scope."""
    accepting = (read_rules(place) for place in all_compounds(conn)) if compound.wide else ()
    rules = [found for found in accepting if compound.compound_id in found.accepts] or [read_rules(compound)]
    return {kind: min(found.honoured_ms(kind, 0) for found in rules) for kind in KIND_NUMBERS}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


# After a restored backup


def begin_epoch(centre: Centre, compound_id: int, by: str) -> Compound:
    """A new epoch, after a backup was restored: every gate takes a snapshot, and nothing signed or numbered since the
    backup can be mistaken for what comes now. Revisions and serials jump far above what any gate has reported. Numbers
    that people read (passes, households) jump by a thousand: none that was printed since is given twice.

    Its order is the centre's clock in milliseconds, or one more than the highest that is known here or that a gate has
    proven. So it comes after an epoch that began since the backup was made, even where the clock was put back since.
    """
    epoch = secrets.token_hex(_EPOCH_BYTES)
    with centre.writing(compound_id, by, even_stopped=True) as writing:
        conn, values = writing.conn, {"compound": compound_id, "far": _FAR_ABOVE, "past": _PAST_NUMBERS}
        conn.execute(
            update(tables.compound)
            .where(tables.compound.c.compound_id == compound_id)
            .values(revision=_highest(writing) + _FAR_ABOVE, restored_ms=0)
        )
        order = max(writing.now_ms, _highest_order(writing) + 1)
        for known in ("cursor_ahead", "past_life"):
            conn.execute(text(f"DELETE FROM {known} WHERE compound_id = :compound"), values)  # noqa: S608 (constants)
        conn.execute(
            text("UPDATE counter SET value = value + :far WHERE compound_id = :compound AND name LIKE 'serial/%'"),
            values,
        )
        conn.execute(
            text(
                "UPDATE counter SET value = value + :past "
                "WHERE compound_id = :compound AND name IN ('pass', 'household', 'account')"
            ),
            values,
        )
        conn.execute(text("UPDATE credential SET revision = 0 WHERE compound_id = :compound"), values)
        writing.begin_epoch(epoch, order)
        writing.audit("begin-epoch", epoch)
    return read_compound(centre, compound_id)


def _highest(writing: Writing) -> int:
    """The highest revision known to have been given: here, by a gate's cursor, or by what a gate could prove."""
    seen = text(
        "SELECT coalesce(max(seen), 0) FROM (SELECT seen_revision AS seen FROM device WHERE compound_id = :compound "
        "UNION ALL SELECT revision FROM cursor_ahead WHERE compound_id = :compound AND proven) AS known"
    )
    found: int = writing.conn.execute(seen, {"compound": writing.compound_id}).scalar_one()
    return max(found, writing.compound.revision)


def _highest_order(writing: Writing) -> int:
    columns = tables.cursor_ahead.c
    proven = select(func.max(columns.epoch_order)).where(columns.compound_id == writing.compound_id, columns.proven)
    return max(writing.compound.epoch_order, writing.conn.execute(proven).scalar() or 0)
