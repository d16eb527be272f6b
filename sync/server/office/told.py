"""What a record is about, and who made it, as people read it."""

from __future__ import annotations

import re

import msgspec

from sync.server import words
from sync.server.centre import audit
from sync.server.office import rule_form
from sync.server.views import language, until

_EXTENDED = re.compile(r"(\d+) passes until (\d+): (.*)")


def about(record: audit.Record, timezone: str) -> str:
    """Codes become words; what is written in another way stays as it is."""
    tell = {"set-rule": _rule, "extend-all": _extension, "set-periods": _periods, "add-staff": _account,
            "change-staff": _account}.get(record.what)  # fmt: skip
    return tell(record.about, timezone) if tell else record.about


def why(record: audit.Record, persons: bool) -> str:
    """What it was for. Without ``persons`` of a household only why a number was read in full: other words about one
    are notes, and the name of the person who collected."""
    if not persons and record.household and record.what != "reveal":
        return ""
    return words.coded(language(), "look_for", record.why) if record.what == "attention" and record.why else record.why


def chosen(text: str, persons: bool) -> str:
    """Which rows somebody chose for a table; what was searched for may be a name, and is for those who see persons."""
    try:
        found = msgspec.json.decode(text or "{}", type=dict[str, object])
    except msgspec.DecodeError:
        return text if persons else ""
    return " · ".join(str(value) for name, value in found.items() if value and (persons or name != "term"))


def by(record_by: str, names: dict[str, str]) -> tuple[str, str]:
    """(account, name) of the person who did it; the name is empty where there is none besides."""
    shown = words.coded(language(), "record.by", record_by) if record_by else "–"
    name = names.get(record_by, "")
    return shown, name if name != record_by else ""


def _rule(text: str, timezone: str) -> str:
    rule, before, after = rule_form.change_in_words(text, language(), timezone)
    return f"{rule}{_colon()}{before} → {after}" if after or before else rule


def _extension(text: str, _timezone: str) -> str:
    found = _EXTENDED.fullmatch(text)
    if not found:
        return text
    kinds = (words.coded(language(), "kind", kind) for kind in found[3].split(", "))
    return f"{found[1]} {words.say(language(), 'passes_unit')} → {until(int(found[2]))}{_colon()}{_comma().join(kinds)}"


def _periods(text: str, _timezone: str) -> str:
    told = []
    for part in text.split(", "):
        kind, _, value = part.partition(" ")
        if kind == "measure_end":
            told.append(f"{words.say(language(), 'keep.measure')}{_colon()}{value}")
        else:
            told.append(
                f"{words.coded(language(), 'keep.kind', kind)}{_colon()}{value} {words.say(language(), 'keep.days')}"
            )
    return (", " if language() == "en" else "；").join(told)


def _account(text: str, _timezone: str) -> str:
    account, _, rest = text.partition(" ")
    role, colon, where = rest.partition(":")
    where = words.say(language(), "accounts.all") if where.strip() == "everywhere" else where.strip()
    return f"{account} {words.coded(language(), 'accounts.role', role)}{_colon() + where if colon else ''}"


def _colon() -> str:
    return ": " if language() == "en" else "："


def _comma() -> str:
    return ", " if language() == "en" else "、"
