"""The rules of a compound as a form an officer fills in: rules → fields, fields → rules with what is wrong by field.

Pure. A field that still says what the old rule says keeps the old rule, to the second, whatever the command line made
of it; so looking and saving changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from sync.credential import KIND_NUMBERS
from sync.protocol import Rules, StageFrom, Window
from sync.server.centre.errors import CentreError
from sync.server.passes.compounds import MAX_SCOPE
from sync.server.passes.passes import read_time
from sync.server.words import Language, Pair, say

STAGES = ("introduce", "guard", "strict")
PASSBACK = ("grant", "refer", "deny")
_MOST_ROWS = 200
_DAY_MINUTES = 1440
_DECIMAL = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,4})?")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-4])[:：]([0-5][0-9])(?::00)?")


class Number(NamedTuple):
    """A rule that is a number: how many of it are a unit of the form, and what an officer may choose, in units."""

    per_unit: int
    least: int
    most: int
    may_be_empty: bool = False


NUMBERS: Mapping[str, Number] = {
    "passback_s": Number(60, 0, 1440),
    "grace_s": Number(60, 0, 60),
    "quota_household_day": Number(1, 1, 1000, True),
    "quota_person_day": Number(1, 1, 1000, True),
    "stale_after_s": Number(3600, 1, 720),
    "expired_after_s": Number(86400, 1, 365),
    "refer_s": Number(1, 5, 600),
    "override_budget": Number(1, 0, 1000),
    "provisional_days": Number(1, 1, 3),
}


EXTENSION = Number(24, 0, 2700)
"""Of each kind, in days."""
QUOTA = Number(1, 1, 1000, True)
KINDS_WITH_QUOTA = tuple(kind for kind in KIND_NUMBERS if kind != "resident")


class RuleForm:
    """Fields by name, and what is wrong with them. Names of rows are ``SECTION-ROW-PART``, counted from 0."""

    def __init__(self, fields: Mapping[str, Sequence[str]], more: str = ""):
        self._fields = fields
        self._more = more
        self.errors: dict[str, Pair] = {}

    def one(self, name: str) -> str:
        """The text of a field, without the blanks around it."""
        return next(iter(self._fields.get(name, ())), "").strip()

    def many(self, name: str) -> tuple[str, ...]:
        """What is ticked."""
        return tuple(self._fields.get(name, ()))

    def rows(self, section: str) -> list[int]:
        """The rows that say anything, in order."""
        found = {int(m[1]) for name in self._fields if (m := re.fullmatch(rf"{section}-([0-9]{{1,3}})-\w+", name))}
        return [row for row in sorted(found)[:_MOST_ROWS] if self._says(section, row)]

    def _says(self, section: str, row: int) -> bool:
        parts = ("stage", "from", "kind", "day", "to", "name", "never")
        return any(self.one(f"{section}-{row}-{part}") for part in parts)

    def shown_rows(self, section: str) -> list[int]:
        """The rows to show: those that say anything, and an empty one (two where one more was asked for)."""
        rows = self.rows(section)
        first = rows[-1] + 1 if rows else 0
        return [*rows, *range(first, first + (3 if self._more == section else 1))]

    def wrong(self, name: str, chinese: str, english: str) -> None:
        """Note the first thing that is wrong with a field."""
        self.errors.setdefault(name, (chinese, english))


# Rules → fields


def write(rules: Rules, timezone: str) -> RuleForm:
    """The form that says what the rules say."""
    fields: dict[str, Sequence[str]] = {name: [_units(name, getattr(rules, name))] for name in NUMBERS}
    for kind in KIND_NUMBERS:
        fields[f"entries-{kind}"] = [_in_units(QUOTA, rules.entries_kind.get(kind))]
        fields[f"quota-{kind}"] = [_in_units(QUOTA, rules.quota_kind_day.get(kind))]
        fields[f"extension-{kind}"] = [_in_units(EXTENSION, rules.extension_hours.get(kind, 0))]
    for row, stage in enumerate(rules.enforcement):
        fields |= {f"stage-{row}-stage": [stage.stage], f"stage-{row}-from": [moment(stage.from_ms, timezone)]}
    windows = [(kind, window) for kind, windows in rules.hours.items() for window in windows or (None,)]
    for row, (kind, window) in enumerate(windows):
        fields |= {f"hours-{row}-{part}": value for part, value in window_fields(kind, window).items()}
    for row, (lane, kinds) in enumerate(rules.lane_kinds.items()):
        fields |= {f"lane-{row}-name": [lane], f"lane-{row}-kind": kinds}
    fields |= {
        "passback": [rules.passback], "accepts": [", ".join(map(str, rules.accepts))],
        "unlisted_admits": rules.unlisted_admits, "admits": rules.admits or (),
        "admits_all": ["1"] if rules.admits is None else [],
        "both_ways_counted": ["1"] if rules.both_ways_counted else [],
    }  # fmt: skip
    return RuleForm(fields)


def moment(utc_ms: int, timezone: str) -> str:
    """A day where it begins there, otherwise day and time, as a browser's field wants it."""
    local = datetime.fromtimestamp(utc_ms / 1000, ZoneInfo(timezone))
    return local.strftime("%Y-%m-%d" if (local.hour, local.minute) == (0, 0) else "%Y-%m-%dT%H:%M")


def window_fields(kind: str, window: Window | None) -> dict[str, Sequence[str]]:
    """The fields of a row of hours."""
    if window is None:
        return {"kind": [kind], "never": ["1"]}
    days = [str(day) for day in window.days]
    return {"kind": [kind], "day": days, "from": [clock(window.from_minute)], "to": [clock(window.to_minute)]}


def clock(minute: int) -> str:
    """``08:30``; the end of the day is ``00:00``."""
    return f"{minute // 60 % 24:02}:{minute % 60:02}"


def _units(name: str, value: int | None) -> str:
    return _in_units(NUMBERS[name], value)


def _in_units(number: Number, value: int | None) -> str:
    return "" if value is None else f"{value / number.per_unit:.4f}".rstrip("0").rstrip(".")


# Fields → rules


def read(form: RuleForm, old: Rules, timezone: str) -> Rules | None:
    """The rules a form asks for; None where ``form.errors`` says what is wrong with it."""
    numbers = {name: _number(form, name, wanted, getattr(old, name)) for name, wanted in NUMBERS.items()}
    rules: dict[str, Any] = numbers | {
        "enforcement": _stages(form, old, timezone), "passback": _choice(form, "passback", PASSBACK),
        "hours": _hours(form), "admits": _admits(form, old), "lane_kinds": _lanes(form, old),
        "accepts": _scopes(form), "unlisted_admits": _kinds(form, "unlisted_admits"),
        "quota_kind_day": _quotas(form, "quota", old.quota_kind_day),
        "entries_kind": _quotas(form, "entries", old.entries_kind),
        "both_ways_counted": bool(form.one("both_ways_counted")),
        "extension_hours": _extensions(form, old.extension_hours),
    }  # fmt: skip
    if not form.errors and rules["expired_after_s"] < rules["stale_after_s"]:
        form.wrong("expired_after_s", "不能比“名单变旧”更早。", "It cannot come before the list is stale.")
    return None if form.errors else msgspec.convert(rules, Rules)


def _number(form: RuleForm, name: str, wanted: Number, old: int | None) -> int | None:
    text = form.one(name)
    if text == _in_units(wanted, old):
        return old
    if not text and wanted.may_be_empty:
        return None
    units = float(text) if _DECIMAL.fullmatch(text) else -1.0
    if wanted.least <= units <= wanted.most and (wanted.per_unit > 1 or units.is_integer()):
        return round(units * wanted.per_unit)
    empty = ("，不限就空着", ", or nothing for no limit") if wanted.may_be_empty else ("", "")
    between = f"{wanted.least}–{wanted.most}"
    form.wrong(name, f"请填{between}的数字{empty[0]}。", f"Write a number from {between}{empty[1]}.")
    return old


def _extensions(form: RuleForm, old: Mapping[str, int]) -> dict[str, int]:
    found = {kind: _number(form, f"extension-{kind}", EXTENSION, old.get(kind, 0)) or 0 for kind in KIND_NUMBERS}
    return {kind: hours for kind, hours in found.items() if hours or kind in old}


def _quotas(form: RuleForm, name: str, old: Mapping[str, int]) -> dict[str, int]:
    """A resident's quota stands in a field of its own, and is kept here as it is."""
    found = {kind: _number(form, f"{name}-{kind}", QUOTA, old.get(kind)) for kind in KINDS_WITH_QUOTA}
    found |= {kind: quota for kind, quota in old.items() if kind not in KINDS_WITH_QUOTA}
    return {kind: quota for kind, quota in found.items() if quota is not None}


def _choice(form: RuleForm, name: str, choices: Sequence[str]) -> str:
    if form.one(name) not in choices:
        form.wrong(name, "请选一项。", "Choose one.")
    return form.one(name)


def _kinds(form: RuleForm, name: str) -> tuple[str, ...]:
    ticked = form.many(name)
    if not set(ticked) <= set(KIND_NUMBERS):
        form.wrong(name, "没有这个类别。", "There is no such kind.")
    return tuple(kind for kind in KIND_NUMBERS if kind in ticked)


def _stages(form: RuleForm, old: Rules, timezone: str) -> tuple[StageFrom, ...]:
    known = {moment(stage.from_ms, timezone): stage.from_ms for stage in old.enforcement}
    found: dict[int, StageFrom] = {}
    for row in form.rows("stage"):
        name, stage, begins = f"stage-{row}", form.one(f"stage-{row}-stage"), form.one(f"stage-{row}-from")
        if form.one(f"{name}-gone"):
            continue
        if stage not in STAGES:
            form.wrong(f"{name}-stage", "请选阶段；不要这一行就勾“删去”。", "Choose a stage, or tick “remove”.")
            continue
        from_ms = known[begins] if begins in known else _read_moment(form, f"{name}-from", begins, timezone)
        if from_ms in found:
            form.wrong(f"{name}-from", "这一天已经有一个阶段了。", "Another stage begins then already.")
        found[from_ms] = StageFrom(stage, from_ms)  # type: ignore[arg-type]  # one of STAGES
    return tuple(found[from_ms] for from_ms in sorted(found))


def _read_moment(form: RuleForm, name: str, text: str, timezone: str) -> int:
    try:
        return read_time(text, timezone, end_of_day=False)
    except CentreError:
        form.wrong(name, "请填开始日期，如2026-12-01。", "Write the first day, like 2026-12-01.")
        return -1 - len(form.errors)


def _hours(form: RuleForm) -> dict[str, tuple[Window, ...]]:
    found: dict[str, tuple[Window, ...]] = {}
    for row in form.rows("hours"):
        name, kind = f"hours-{row}", form.one(f"hours-{row}-kind")
        if form.one(f"{name}-gone"):
            continue
        if kind not in KIND_NUMBERS:
            form.wrong(f"{name}-kind", "请选类别；不要这一行就勾“删去”。", "Choose a kind, or tick “remove”.")
        elif form.one(f"{name}-never"):
            found.setdefault(kind, ())
        else:
            found[kind] = (*found.get(kind, ()), read_window(form, name))
    return found


def read_window(form: RuleForm, name: str) -> Window:
    """The hours of a row; ``form.errors`` says what is wrong with them."""
    days = tuple(day for day in range(1, 8) if str(day) in form.many(f"{name}-day"))
    if not days:
        form.wrong(f"{name}-day", "请至少选一天。", "Tick at least one day.")
    begins, ends = (_minute(form, f"{name}-{part}") for part in ("from", "to"))
    ends = ends or _DAY_MINUTES
    if begins == ends:
        form.wrong(f"{name}-to", "开始和结束不能相同。", "It cannot end when it begins.")
    return Window(begins % _DAY_MINUTES, ends, days)


def _minute(form: RuleForm, name: str) -> int:
    found = _CLOCK.fullmatch(form.one(name))
    minute = int(found[1]) * 60 + int(found[2]) if found else -1
    if not 0 <= minute <= _DAY_MINUTES:
        form.wrong(name, "请填时间，如08:30。", "Write a time, like 08:30.")
        return 0
    return minute


def _admits(form: RuleForm, old: Rules) -> tuple[str, ...] | None:
    if form.one("admits_all"):
        return None
    kinds = _kinds(form, "admits")
    if not kinds and old.admits != ():
        form.wrong("admits", "一类也没选，谁都进不来。请至少选一类，或选“全部”。",
                   "With none ticked nobody comes in. Tick at least one, or “all”.")  # fmt: skip
    return kinds


def _lanes(form: RuleForm, old: Rules) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for row in form.rows("lane"):
        name, lane = f"lane-{row}", form.one(f"lane-{row}-name")
        if form.one(f"{name}-gone"):
            continue
        kinds = _kinds(form, f"{name}-kind")
        if not lane or not lane.isprintable() or len(lane) > 40:
            form.wrong(f"{name}-name", "请填通道名称（一行）。", "Write the name of the lane, one line.")
        elif lane in found:
            form.wrong(f"{name}-name", "这条通道已经有一行了。", "This lane has a row already.")
        elif not kinds and old.lane_kinds.get(lane) != ():
            form.wrong(f"{name}-kind", "请至少选一类；不限类别就勾“删去”。",
                       "Tick at least one kind; to take every kind, tick “remove”.")  # fmt: skip
        found[lane] = kinds
    return found


def _scopes(form: RuleForm) -> tuple[int, ...]:
    words = [word for word in re.split(r"[,，、;；\s]+", form.one("accepts")) if word]
    if all(word.isascii() and word.isdigit() and len(word) <= 8 and 1 <= int(word) <= MAX_SCOPE for word in words):
        return tuple(dict.fromkeys(int(word) for word in words))
    form.wrong("accepts", "请填小区或区域的编号，用逗号隔开，如 8, 12。",
               "Write the numbers of compounds or areas, with commas, like 8, 12.")  # fmt: skip
    return ()


# In words


def describe(name: str, value: Any, language: Language, timezone: str) -> str:
    """A rule's value (as JSON holds it) as an officer would say it."""
    return _Teller(language, timezone).tell(name, value)


def change_in_words(about: str, language: Language, timezone: str) -> tuple[str, str, str]:
    """(rule, before, after) of a recorded change; (the record itself, "", "") where it is of an older form."""
    name, _, rest = about.partition(": ")
    try:
        old, end = json.JSONDecoder().raw_decode(rest)
        new = json.loads(rest[end:].removeprefix(" → "))
        teller = _Teller(language, timezone)
        return say(language, f"rule.{name}"), teller.tell(name, old), teller.tell(name, new)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return about, "", ""


class _Teller:
    def __init__(self, language: Language, timezone: str):
        self._language: Language = language
        self._timezone = timezone
        self._comma = ", " if language == "en" else "、"

    def tell(self, name: str, value: Any) -> str:
        if name in NUMBERS:
            return self._t("no_limit") if value is None else f"{_units(name, value)} {self._t(f'rule.{name}.unit')}"
        tell: dict[str, Callable[[Any], str]] = {
            "enforcement": self._enforcement, "passback": lambda word: self._t(f"passback.{word}"),
            "hours": self._hours, "lane_kinds": self._lanes,
            "admits": lambda kinds: self._t("all") if kinds is None else self._kinds(kinds),
            "extension_hours": self._extensions, "quota_kind_day": self._quotas,
            "entries_kind": self._quotas,
            "unlisted_admits": self._kinds, "accepts": lambda scopes: self._list(map(str, scopes)),
            "both_ways_counted": lambda counted: self._t(f"both_ways.{'counted' if counted else 'left_out'}"),
        }  # fmt: skip
        return tell[name](value)

    def _t(self, key: str) -> str:
        return say(self._language, key)

    def _list(self, words: Any) -> str:
        return self._comma.join(words) or self._t("none")

    def _kinds(self, kinds: Sequence[str]) -> str:
        return self._list(self._t(f"kind.{kind}") for kind in kinds)

    def _enforcement(self, stages: Sequence[dict[str, Any]]) -> str:
        told = (f"{moment(s['from_ms'], self._timezone)} {self._t('stage.' + s['stage'])}" for s in stages)
        return self._list(told) if stages else self._t("stage.strict")

    def _hours(self, hours: dict[str, Sequence[dict[str, Any]]]) -> str:
        return self._list(f"{self._t(f'kind.{kind}')} {self._windows(windows)}" for kind, windows in hours.items())

    def _windows(self, windows: Sequence[dict[str, Any]]) -> str:
        if not windows:
            return self._t("hours_never")
        every = list(range(1, 8))
        return " ".join(
            ("" if list(w.get("days", every)) == every else "".join(self._t(f"day.{day}") for day in w["days"]) + " ")
            + f"{clock(w['from_minute'])}–{clock(w['to_minute'])}"
            for w in windows
        )

    def _extensions(self, hours: dict[str, int]) -> str:
        unit = self._t("rule.extension_hours.unit")
        return self._list(
            f"{self._t(f'kind.{kind}')} {_in_units(EXTENSION, n)} {unit}" for kind, n in hours.items() if n
        )

    def _quotas(self, quotas: dict[str, int]) -> str:
        unit = self._t("rule.quota_person_day.unit")
        told = self._list(f"{self._t(f'kind.{kind}')} {quota} {unit}" for kind, quota in quotas.items())
        return told if quotas else self._t("no_limit")

    def _lanes(self, lanes: dict[str, Sequence[str]]) -> str:
        return self._list(f"{lane} ({self._kinds(kinds)})" for lane, kinds in lanes.items())
