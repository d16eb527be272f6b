"""What a compound's lanes tell everybody who stands there: where passes are collected and when, where the form is, and
whether the masked name is shown to whom the lane lets in. All of it is part of the signed setting ``compound``."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, select, update

from sync.protocol import CompoundBody, Window
from sync.server.centre import feed, tables
from sync.server.centre.errors import CentreError
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre, Writing

PUBLIC_URL = "public_url"
"""The town's setting: the address residents use."""
LONGEST_DESK = {"zh": 20, "en": 40}
"""Characters that a lane's screen still shows in letters to be read from 3 m."""


class LaneScreen(msgspec.Struct, frozen=True, kw_only=True):
    """``desk_hours`` are those of the desk, within a day each."""

    desk_zh: str = ""
    desk_en: str = ""
    desk_hours: tuple[Window, ...] = ()
    label_shown: bool = False


def read_lane_screen(compound: Compound) -> LaneScreen:
    """As it was set; nothing where it never was."""
    return msgspec.json.decode(compound.lane_screen or "{}", type=LaneScreen)


def put_lane_screen(centre: Centre, compound_id: int, wanted: LaneScreen, by: str) -> None:
    """Set it and tell the gates. Raises CentreError."""
    _check(wanted)
    with centre.writing(compound_id, by) as writing:
        said = msgspec.json.encode(wanted).decode()
        mine = tables.compound.c.compound_id == compound_id
        if said != msgspec.json.encode(read_lane_screen(writing.compound)).decode():
            writing.conn.execute(update(tables.compound).where(mine).values(lane_screen=said))
            writing.audit("lane-screen", said)
        _publish(writing, msgspec.structs.replace(writing.compound, lane_screen=said))


def publish_form(centre: Centre, compound_id: int, by: str) -> None:
    """Tell the gates of the form's address, where it is another one than they know."""
    with centre.writing(compound_id, by) as writing:
        _publish(writing, writing.compound)


def signed_body(conn: Connection, compound: Compound) -> CompoundBody:
    """What gates should know of this compound now."""
    lane, settings = read_lane_screen(compound), tables.setting.c
    base = conn.execute(select(settings.value).where(settings.name == PUBLIC_URL)).scalar() or ""
    has_form = base and not compound.wide
    return CompoundBody(
        name_zh=compound.name_zh,
        name_en=compound.name_en,
        timezone=compound.timezone,
        desk_zh=lane.desk_zh,
        desk_en=lane.desk_en,
        desk_hours=lane.desk_hours,
        form_url=f"{base.rstrip('/')}/j/{compound.compound_id}" if has_form else "",
        label_shown=lane.label_shown,
    )


def _publish(writing: Writing, compound: Compound) -> None:
    wanted = signed_body(writing.conn, compound)
    in_force = (s for s in feed.all_signed(writing.conn, writing.compound_id) if s.purpose == "setting")
    known = next((s.body for s in in_force if s.item == "compound"), b"")
    if msgspec.json.encode(wanted) != known:
        writing.sign("setting", "compound", wanted)


def _check(wanted: LaneScreen) -> None:
    for language, words in (("zh", wanted.desk_zh), ("en", wanted.desk_en)):
        if len(words) > LONGEST_DESK[language] or (words and not words.isprintable()):
            raise CentreError(
                f"地点一行写完：中文最多{LONGEST_DESK['zh']}字，英文最多{LONGEST_DESK['en']}个字母。",
                f"The place is one line: at most {LONGEST_DESK['zh']} characters in Chinese and "
                f"{LONGEST_DESK['en']} in English.",
            )
    if bool(wanted.desk_zh) != bool(wanted.desk_en):
        raise CentreError("地点请中英文都填，或都不填。", "Fill in the place in both languages, or in neither.")
    if wanted.desk_hours and not wanted.desk_zh:
        raise CentreError("请写明是哪里的时间。", "Say which place has these hours.")
    for window in wanted.desk_hours:
        if not 0 <= window.from_minute < window.to_minute <= 1440 or not set(window.days) <= set(range(1, 8)):
            raise CentreError("开始要早于结束，都在同一天。", "Hours begin before they end, on the same day.")
