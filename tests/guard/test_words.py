"""Both languages are complete, and the lane never shows bystanders why somebody is sent to the post."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hardware import Hint
from kiosk.commands import focus_words
from kiosk.core.policy import SENSITIVE
from kiosk.guard import words
from kiosk.guard.shift import words as shift_pages
from sync import shift_words, terms
from sync.credential import KINDS

REASONS = [*terms.REASONS, "unanswered"]
FAULTS = [
    *terms.CAMERA_FAULTS,
    *terms.BOARD_FAULTS,
    "reader_silent",
    "reader_restarted",
    "passage_stuck",
    "passage_blind",
    "button_stuck",
    "call_stuck",
    "input_chatters",
    "input_taken",
    "lights",
    "no_list",
    "list_stale",
    "list_expired",
    "clock_untrusted",
    "centre_restored",
    "centre_away",
    "journal",
    "journal_lost",
    "fire",
    "tamper",
    "forced",
    "call",
    "bad_signature",
    "revoked",
    "lockdown",
    "held_open",
    "relay",
    "held_open_question",
    "withdrawn",
    "list_damaged",
    "list_forged",
    "list_not_understood",
]
TABLES = {
    name: table
    for module in (words, focus_words, shift_pages, shift_words)
    for name, table in vars(module).items()
    if isinstance(table, dict) and not name.startswith("_")
}
PUT_TOGETHER = ("role_", "age_", "theme_", "size_", "clock_", "list_", "rtc_", "version_", "runs_")
TEMPLATES = Path(words.__file__).parent / "templates"


def pairs() -> list[tuple[str, words.Pair]]:
    found = []
    for name, table in TABLES.items():
        for key, entry in table.items():
            for part in entry if isinstance(entry, words.Public) else [entry]:
                found.append((f"{name}.{key}", part))
    return found


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_a_public_and_a_guards_sentence(reason: str) -> None:
    assert reason in words.PUBLIC and reason in words.GUARD


def test_no_sentence_is_kept_for_a_reason_that_does_not_exist() -> None:
    assert set(words.PUBLIC) == set(words.GUARD) == set(REASONS)


def test_every_fault_and_kind_of_pass_has_a_word() -> None:
    assert set(words.FAULTS) == set(FAULTS)
    assert set(words.PASS_KINDS) == set(KINDS.values())


@pytest.mark.parametrize(("key", "pair"), pairs())
def test_both_languages_are_there_and_take_the_same_facts(key: str, pair: words.Pair) -> None:
    zh, en = pair
    assert bool(zh) == bool(en), key
    assert sorted(re.findall(r"{(\w+)}", zh)) == sorted(re.findall(r"{(\w+)}", en)), key
    assert not re.search("[\u4e00-\u9fff]", en) or key == "WORDS.other_language"


@pytest.mark.parametrize("reason", ["suspended", "attention", "passback"])
def test_bystanders_cannot_tell_sensitive_reasons_apart(reason: str) -> None:
    assert words.PUBLIC[reason] == words.AT_THE_POST
    assert {words.PUBLIC[other] for other in SENSITIVE} == {words.AT_THE_POST}


@pytest.mark.parametrize("reason", REASONS)
def test_a_headline_in_the_lane_is_at_most_twelve_characters(reason: str) -> None:
    assert len(words.PUBLIC[reason].headline[0]) <= 12


def test_every_hint_has_words_for_the_lane_and_for_the_guard() -> None:
    assert set(words.HINTS) == set(words.GUARD_HINTS) == {hint.value for hint in Hint}


@pytest.mark.parametrize("public", [*words.LANE.values(), *words.HINTS.values()])
def test_what_a_resting_lane_says_is_as_short(public: words.Public) -> None:
    assert len(public.headline[0]) <= 12


def test_every_word_a_page_asks_for_exists_and_none_is_left_over() -> None:
    written = "\n".join(path.read_text() for path in [*TEMPLATES.iterdir(), *TEMPLATES.parent.rglob("*.py")])
    assert set(re.findall(r'\bw\("(\w+)"', written)) <= set(words.WORDS)
    left_over = [key for key in words.WORDS if len(re.findall(rf"[\"']{key}[\"']", written)) < 2]
    assert [key for key in left_over if not key.startswith(PUT_TOGETHER)] == []


def test_a_code_newer_than_this_page_is_shown_as_it_is() -> None:
    assert words.code("zh", words.GUARD, "from_the_future") == "from_the_future"


def test_no_text_claims_that_somebody_was_told_who_was_not() -> None:
    """The page said that the supervisor had been told, and nobody told them."""
    said = [text for _, pair in pairs() for text in pair]
    assert [text for text in said if re.search(r"已告知|已通知主管|supervisor (was|is|has been) told", text)] == []


# --- scripts ----------------------------------------------------------------------------------------------------------

TOO_NEW = re.compile(
    r"\?\.|\?\?|\|\|=|&&=|\*\*|\basync\b|\bawait\b|catch \{|\.\.\.|\breplaceChildren\b|\breplaceWith\b|\.prepend\("
    r"|\.append\(|\.remove\(\)|requestSubmit|AbortSignal|\bfetch\(|\.at\(|\.flat|Object\.(entries|values|fromEntries)"
    r"|classList\.replace|new FormData|^\s*import|^\s*export",
    re.M,
)
"""What browsers lack that the README still names: Android 7's WebView (Chrome 51) and Safari 13."""


@pytest.mark.parametrize("script", sorted(TEMPLATES.parents[1].glob("**/static/*.js")), ids=lambda path: path.name)
def test_no_script_of_a_gate_uses_what_old_browsers_lack(script: Path) -> None:
    """A technician's phone, before which the focus aid said that the camera is cut off, is no newer than a guard's."""
    assert not TOO_NEW.findall(re.sub(r"//.*", "", script.read_text()))


def test_the_script_that_watches_over_the_other_is_in_the_oldest_syntax() -> None:
    script = re.sub(r"//.*", "", (TEMPLATES.parent / "static" / "watch.js").read_text())
    assert not re.search(r"\b(let|const|class)\b|=>|`|\bof\b", script)


def test_the_hand_over_sheet_has_words_for_every_fault_and_every_reason_of_a_guard() -> None:
    assert set(shift_words.WHY) == {*terms.CAMERA_FAULTS, *terms.INPUT_FAULTS, *terms.BOARD_FAULTS}
    assert set(shift_words.REASONS) == set(terms.GUARD_REASONS)
