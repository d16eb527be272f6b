"""How dwellings come into the register: by pattern, from a table, from what residents wrote; and the earlier list."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import IO, Any
from urllib.parse import quote

import msgspec
from flask import Response, abort, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sync.server import words
from sync.server.centre.errors import CentreError
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.people import uploads
from sync.server.people.address import Address, make_address
from sync.server.people.dwellings import dwellings, pattern, proposals, roster
from sync.server.people.dwellings import sheet as dwelling_sheet
from sync.server.people.sheets import XLSX, read_table
from sync.server.people.unfolding import Line
from sync.server.views import Route, error_text, language, or_again, zone

_SAMPLES = 3


class Batch(msgspec.Struct, frozen=True):
    """What would come into one building."""

    building: str
    new: int
    there: int
    first: Sequence[str]
    last: Sequence[str]


class DwellingEntry:
    """Views of one centre. Each is given the compound of its address, which the account may see."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        read, post = ("GET",), ("GET", "POST")
        return (
            Route("dwellings/generate", self.dwelling_generate, post, "register"),
            Route("dwellings/import", self.dwelling_import, post, "register"),
            Route("dwellings/template.xlsx", self.dwelling_template, read, "register"),
            Route("dwellings/proposed", self.dwelling_proposed, post, "dwellings", "register"),
            Route("dwellings/roster", self.dwelling_roster, post, "register"),
            Route("dwellings/roster.xlsx", self.dwelling_roster_template, read, "register"),
        )

    # By pattern

    def dwelling_generate(self, compound: Compound) -> Any:
        """Say what there is, see what that makes, write it."""
        if request.method == "GET":
            return render_template("office/dwellings_generate.html", form={}, fields=pattern.FIELDS[:-1])
        read, wrong = pattern.read_pattern(request.form)
        if read is None:
            return self._generate(form=request.form, mistakes=wrong), 409
        if request.form.get("do") == "write":
            return self._write_pattern(compound, read)
        batches = self._batches(compound, list(read.addresses()))
        return self._generate(form=request.form, batches=batches, total=sum(batch.new for batch in batches))

    def _generate(self, **known: Any) -> str:
        return render_template("office/dwellings_generate.html", fields=pattern.FIELDS[:-1], pick=_picked, **known)

    def _write_pattern(self, compound: Compound, read: pattern.Pattern) -> str:
        """The form stays, for the next building of nearly the same shape."""
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            added = dwellings.insert_many(writing, read.addresses())
            writing.audit("dwellings-pattern", f"+{added.changed}: {', '.join(read.buildings)}"[:200])
        return self._generate(form=request.form, added=added, building=read.buildings[0])

    def _batches(self, compound: Compound, found: list[Address]) -> list[Batch]:
        by_building: dict[str, list[Address]] = {}
        for address in found:
            by_building.setdefault(address.building, []).append(address)
        with self._centre.store.read() as conn:
            known = dwellings.known_keys(conn, compound.compound_id)
        return [_batch(building, addresses, known) for building, addresses in by_building.items()]

    # From a table

    def dwelling_import(self, compound: Compound) -> Any:
        """Send a table, see what is in it, take it over."""
        return self._table(
            compound, "office/dwellings_import.html", lambda lines: self._read_dwellings(compound, lines),
            lambda: self._take_dwellings(compound),
        )  # fmt: skip

    def _table(self, compound: Compound, template: str, read: Callable[[list[Line]], dict[str, Any]],
               take: Callable[[], AnyResponse]) -> Any:  # fmt: skip
        """The steps of any table: the file's rows shown, then taken over by their ticket. Any error leaves the page."""
        kept = {"count": self._count_roster(compound), "done": request.args, "pick": _picked}
        if request.method == "GET":
            return render_template(template, **kept)
        try:
            if "ticket" in request.form:
                return take()
            shown = read(_sent_table())
        except CentreError as error:
            return render_template(template, wrong=error_text(error), **kept), 409
        return render_template(template, shown=shown, **kept), 409 if shown["read"].wrong else 200

    def _read_dwellings(self, compound: Compound, lines: list[Line]) -> dict[str, Any]:
        read = dwelling_sheet.read_dwellings(lines)
        if read.wrong:
            return {"read": read, "lines": len(read.addresses) + read.wrong}
        batches = self._batches(compound, read.addresses)
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            ticket = uploads.keep(writing, self._centre.vault, "dwellings", dwelling_sheet.encode(read.addresses))
        return {"read": read, "lines": len(read.addresses), "batches": batches, "ticket": ticket,
                "total": sum(batch.new for batch in batches)}  # fmt: skip

    def _take_dwellings(self, compound: Compound) -> AnyResponse:
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            body = uploads.take(writing, self._centre.vault, "dwellings", request.form["ticket"])
            added = dwellings.insert_many(writing, dwelling_sheet.decode(body))
            writing.audit("dwellings-import", f"+{added.changed}")
        return redirect(url_for("office.dwelling_import", compound_id=compound.compound_id, new=added.changed,
                                there=added.there))  # fmt: skip

    def dwelling_template(self, compound: Compound) -> Any:
        """An empty table with three examples."""
        headings = [words.say(language(), key) for key in (
            "dwellings_building", "dwellings_head.unit", "dwellings_head.floor", "dwellings_room"
        )]  # fmt: skip
        return _sent_away(lambda file: dwelling_sheet.write_template(
            file, headings, words.say(language(), "dwellings")
        ), "dwellings.xlsx")  # fmt: skip

    # What residents wrote

    def dwelling_proposed(self, compound: Compound) -> Any:
        """Rooms that are not of the register: taken in, joined, or set aside."""
        if request.method == "POST":
            return or_again(
                lambda: self._decide(compound), "office/dwellings_proposed.html", lambda: self._proposed(compound)
            )
        return render_template("office/dwellings_proposed.html", form={}, **self._proposed(compound))

    def _proposed(self, compound: Compound) -> dict[str, Any]:
        with self._centre.store.read() as conn:
            return {"found": proposals.list_proposals(conn, compound.compound_id), "done": request.args}

    def _decide(self, compound: Compound) -> AnyResponse:
        form = request.form
        written, what = form.get("words", ""), form.get("do", "")
        decide = {"take": self._take_in, "join": self._join, "dismiss": self._dismiss}.get(what)
        if decide is None or not written:
            abort(400)
        about = decide(compound, written, form)
        return redirect(url_for("office.dwelling_proposed", compound_id=compound.compound_id, what=what, about=about))

    def _take_in(self, compound: Compound, written: str, form: Mapping[str, str]) -> str:
        address = make_address(*(form.get(name, "") for name in ("building", "unit", "floor", "room")))
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            return proposals.take_in(writing, written, address).name

    def _join(self, compound: Compound, written: str, form: Mapping[str, str]) -> str:
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            dwelling_id = dwellings.match(writing.conn, compound.compound_id, form.get("to", ""))
            if not dwelling_id:
                raise CentreError(*words.WORDS["dwellings_unknown_room"])
            to = dwellings.get_dwelling(writing.conn, compound.compound_id, dwelling_id)
            proposals.join(writing, written, to)
            return to.name

    def _dismiss(self, compound: Compound, written: str, form: Mapping[str, str]) -> str:
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            proposals.dismiss(writing, written)
        return written[:100]

    # The earlier list

    def dwelling_roster(self, compound: Compound) -> Any:
        """The people the community knew before: sent as a table, kept as fingerprints."""
        if request.form.get("do") == "clear":
            return self._clear_roster(compound)
        return self._table(
            compound, "office/dwellings_roster.html", lambda lines: self._read_roster(compound, lines),
            lambda: self._take_roster(compound),
        )  # fmt: skip

    def _count_roster(self, compound: Compound) -> int:
        with self._centre.store.read() as conn:
            return roster.count(conn, compound.compound_id)

    def _read_roster(self, compound: Compound, lines: list[Line]) -> dict[str, Any]:
        today = datetime.fromtimestamp(self._centre.now_ms() / 1000, zone()).date()
        read = roster.read_roster(lines, self._centre.vault, today)
        if read.wrong:
            return {"read": read, "lines": len(read.marks) + read.twice + read.wrong}
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            there = roster.count_known(writing.conn, compound.compound_id, read.marks)
            ticket = uploads.keep(writing, self._centre.vault, "roster", roster.encode(read.marks))
        return {"read": read, "lines": len(read.marks) + read.twice, "there": there, "ticket": ticket,
                "total": len(read.marks) - there}  # fmt: skip

    def _take_roster(self, compound: Compound) -> AnyResponse:
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            body = uploads.take(writing, self._centre.vault, "roster", request.form["ticket"])
            added = roster.add_roster(writing, roster.decode(body))
        return redirect(url_for("office.dwelling_roster", compound_id=compound.compound_id, new=added))

    def _clear_roster(self, compound: Compound) -> AnyResponse:
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            gone = roster.clear_roster(writing)
        return redirect(url_for("office.dwelling_roster", compound_id=compound.compound_id, gone=gone))

    def dwelling_roster_template(self, compound: Compound) -> Any:
        """An empty table with two examples."""
        headings = [words.say(language(), f"dwellings_head.{key}") for key in ("kind", "number")]
        return _sent_away(lambda file: roster.write_template(
            file, headings, words.say(language(), "dwellings_roster")
        ), "roster.xlsx")  # fmt: skip


def _sent_table() -> list[Line]:
    """The lines of the file that was sent. Raises CentreError."""
    sent = request.files.get("table")
    content = sent.read() if sent is not None and sent.filename else None
    if content is None:
        raise CentreError(*words.WORDS["dwellings_no_file"])
    return read_table(content)


def table_answer(file: IO[bytes], name: str) -> Response:
    """A table to take away, piece by piece; the file is closed with the answer."""
    answer = Response(_pieces(file), mimetype=XLSX)
    answer.headers["Content-Disposition"] = f"attachment; filename=table.xlsx; filename*=UTF-8''{quote(name)}"
    return answer


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(1 << 16):
            yield piece


def _sent_away(write: Callable[[IO[bytes]], None], name: str) -> Response:
    file = io.BytesIO()
    write(file)
    file.seek(0)
    return table_answer(file, name)


def _batch(building: str, addresses: list[Address], known: frozenset[tuple[str, str, str]]) -> Batch:
    there = sum(address.key in known for address in addresses)
    names = [address.name for address in addresses]
    many = len(names) > 2 * _SAMPLES
    first, last = (names[:_SAMPLES], names[-_SAMPLES:]) if many else (names, [])
    return Batch(building, len(names) - there, there, first, last)


def _picked(pair: words.Pair) -> str:
    return words.pick(language(), pair)
