"""A pass's own terms and lanes as a form an officer fills in. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sync.protocol import Terms, Window
from sync.server.centre.errors import CentreError
from sync.server.office.rule_form import RuleForm, read_window, window_fields

_ROWS = 3
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


class TermsForm(RuleForm):
    """Fields: ``hours-ROW-day``, ``-from``, ``-to``; ``entries``, ``one_day``; ``lane`` for each, ``lane_other``."""

    def hour_rows(self) -> list[int]:
        """The rows to show: three at least, and an empty one."""
        said = self.rows("hours")
        return list(range(max(_ROWS, said[-1] + 2 if said else 0)))


def write(terms: Terms, lanes: Sequence[str] = ()) -> TermsForm:
    """The form that says what the pass has."""
    fields: dict[str, Sequence[str]] = {"lane": lanes, "entries": [str(terms.entries)] if terms.entries else []}
    for row, window in enumerate(terms.hours):
        fields |= {f"hours-{row}-{part}": value for part, value in window_fields("", window).items() if part != "kind"}
    return TermsForm(fields | {"one_day": ["1"] if terms.one_day else []})


def read(fields: Mapping[str, Sequence[str]]) -> tuple[Terms, tuple[str, ...]]:
    """Terms and lanes. Raises CentreError with the first thing that is wrong."""
    form = TermsForm(fields)
    hours = tuple(_window(form, row) for row in form.rows("hours"))
    entries = form.one("entries")
    if entries and not _NUMBER.fullmatch(entries):
        raise CentreError("次数请填数字，不限就空着。", "Write the entries as a number, or nothing for any.")
    lanes = [*form.many("lane"), *([form.one("lane_other")] if form.one("lane_other") else [])]
    return Terms(hours, int(entries or 0), bool(form.one("one_day"))), tuple(dict.fromkeys(lanes))


def _window(form: TermsForm, row: int) -> Window:
    window = read_window(form, f"hours-{row}")
    for chinese, english in form.errors.values():
        raise CentreError(f"时段：{chinese}", f"Hours: {english}")
    return window
