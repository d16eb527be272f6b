"""Dwellings, desks, notices, counts, retention, and people who do not exist."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from datetime import time, timedelta

import click

from sync.server.centre.errors import CentreError
from sync.server.centre.writing import Centre
from sync.server.commands.shell import Shell, command, number_of
from sync.server.passes import compounds
from sync.server.people.collecting import desks
from sync.server.people.dwellings import dwellings
from sync.server.people.dwellings.pattern import read_pattern
from sync.server.people.households import households, notices
from sync.server.people.households.slots import CollectionDesk
from sync.server.people.keeping import erasure, retention
from sync.server.people.registers import coverage

_LOOK_EVERY_S = 2


@command("add-dwellings")
@click.argument("compound")
@click.option("--buildings", required=True, help="Like 1-12 or A座,B座.")
@click.option("--units", default="", help="Like 1-3; left out where there are none.")
@click.option("--floors", required=True, help="Like 1-32.")
@click.option("--doors", required=True, help="Like 01-06.")
@click.option("--no-floors", default="", help="Floors that are left out, like 4,14.")
def add_dwellings(shell: Shell, centre: Centre, compound: str, **asked: str) -> None:
    """Rooms of the dwelling register, by pattern; what is there already is left alone.

    \b
    Example: python -m sync.server add-dwellings 7 --buildings 1-12 --units 1-2 --floors 1-18 --doors 01-04
    """
    pattern, wrong = read_pattern(asked)
    if pattern is None:
        raise CentreError(en="; ".join(f"--{field.replace('_', '-')}: {pair[1]}" for field, pair in wrong.items()))
    compound_id = number_of(centre, compound)
    with centre.writing(compound_id, shell.by) as writing:
        added = dwellings.insert_many(writing, pattern.addresses())
        writing.audit("add-dwellings", f"{added.new} {asked['buildings']}")
    shell.say(added, f"{added.new} dwellings are new, {added.there} were there.")


@command("add-desk")
@click.argument("compound")
@click.argument("name_zh")
@click.argument("name_en")
@click.option("--place-zh", required=True, help="Where it is, in Chinese.")
@click.option("--place-en", required=True, help="The same in English.")
@click.option("--capacity", default=4, help="Households in a quarter of an hour.")
@click.option("--from", "opens", default="09:00", help="Opens at, local time.")
@click.option("--to", "closes", default="17:00", help="Closes at, local time.")
@click.option("--days", default=60, type=click.IntRange(1, 400), help="For so many days from today.")
def add_desk(shell: Shell, centre: Centre, compound: str, name_zh: str, name_en: str, place_zh: str, place_en: str,
             capacity: int, opens: str, closes: str, days: int) -> None:  # fmt: skip
    """A desk where passes are collected in slots of a quarter of an hour, open every day.

    \b
    Example: python -m sync.server add-desk 7 一号台 "Desk 1" --place-zh 物业一楼 --place-en "Ground floor"
    """
    found = compounds.find_compound(centre, compound)
    today = households.local_day(found, centre.now_ms())
    desk = CollectionDesk(
        desk_id=0, name_zh=name_zh, name_en=name_en, place_zh=place_zh, place_en=place_en, capacity=capacity,
        hours=[(_minute(opens), _minute(closes))], from_day=today.isoformat(),
        until_day=(today + timedelta(days=days)).isoformat(), weekdays=(1, 2, 3, 4, 5, 6, 7), buildings=(), paper=False,
    )  # fmt: skip
    with centre.writing(found.compound_id, shell.by) as writing:
        desk_id, _ = desks.put_desk(writing, centre.vault, desk)
    shell.say({"compound": found.compound_id, "desk": desk_id}, f"Desk {desk_id}, {name_zh}, is open from {today} on.")


def _minute(words: str) -> int:
    """Of a day. Raises CentreError."""
    try:
        at = time.fromisoformat(words)
    except ValueError as err:
        raise CentreError(en=f"{words!r} is not a time of day. Write it like 09:00.") from err
    return at.hour * 60 + at.minute


@command("send-notices")
@click.option("--with", "program", required=True, metavar="PROGRAM",
              help="Run once for each notice, which it reads from its standard input.")  # fmt: skip
@click.option("--follow", is_flag=True, help="Go on until it is stopped, as codes to telephones need it.")
@click.option("--dry-run", is_flag=True, help="Only say how many are due.")
def send_notices(shell: Shell, centre: Centre, program: str, follow: bool, dry_run: bool) -> None:
    """Send what households are to be told by SMS. A timer may run it every minute, or a service runs it with --follow.

    PROGRAM reads {"phone": …, "text": …, "kind": …, "id": …} and ends with 0 once the message is on its way; with
    another code it is tried again later, five times in all. No message is sent twice: one whose program was cut off
    is not tried again.

    \b
    Example: python -m sync.server send-notices --with /usr/local/bin/send-sms
    """
    if dry_run:
        due = notices.count_due(centre)
        return shell.say({"due": due}, f"{sum(due.values())} notices are due.")
    try:
        report = notices.follow(centre, program, _stopped()) if follow else notices.send_due(centre, program)
    except notices.NoProgram as err:
        raise click.ClickException(str(err)) from err
    return shell.say(report, f"{report.sent} sent, {report.failed} to be tried again, {report.unknown} uncertain.")


def _stopped() -> Callable[[], bool]:
    """Waits two seconds; true once SIGTERM or SIGINT came, so that a message that is being sent is finished first."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return lambda: stop.wait(_LOOK_EVERY_S)


@command("count")
def count(shell: Shell, centre: Centre) -> None:
    """Count every compound anew for the town's first page: who applied, who did not, who lives there. A timer may run
    it every ten minutes; without one, the page counts a few compounds whenever it is opened.

    \b
    Example: python -m sync.server count
    """
    wanted = [one.compound_id for one in compounds.list_compounds(centre)]
    counted = coverage.refresh(centre, wanted, shell.by, len(wanted), old_ms=0)
    shell.say({"compounds": counted}, f"{counted} compounds counted.")


@command("erase")
@click.option("--compound", "named", multiple=True, help="Only this compound; may be given several times.")
@click.option("--dry-run", is_flag=True, help="Only say what is due.")
def erase(shell: Shell, centre: Centre, named: tuple[str, ...], dry_run: bool) -> None:
    """Delete what is due by the town's periods; each compound gets a certificate. Meant for a timer, once a day.

    \b
    Examples:
      python -m sync.server erase --dry-run
      python -m sync.server erase --compound 7
    """
    wanted = [number_of(centre, one) for one in named]
    if dry_run:
        found = [one for one in retention.due(centre, wanted) if one.due]
        words = "\n".join(f"{one.due:>8}  {one.kind}" for one in found) or "Nothing is due."
        return shell.say(found, words)
    made = erasure.erase_all(centre, shell.by, wanted)
    words = "\n".join(_told(certificate) for certificate in made) or "Nothing was due."
    return shell.say(made, words)


def _told(made: erasure.Certificate) -> str:
    counts = ", ".join(f"{kind} {count}" for kind, count in made.counts.items())
    return f"Compound {made.compound_id}, certificate {made.erasure_id}: {counts}"


@command("demo-data")
@click.option("--compounds", "number", default=42, type=click.IntRange(1, 500))
@click.option("--residents", default=140_000, type=click.IntRange(1, 5_000_000), help="In all compounds together.")
@click.option("--seed", default=1, help="The same seed makes the same people, if on the same day.")
@click.option("--add", is_flag=True, help="Go on where the centre has compounds already.")
def demo_data(shell: Shell, centre: Centre, number: int, residents: int, seed: int, add: bool) -> None:
    """A town of people who do not exist, for demonstrations and measurements; no account comes with it.

    Keys, links and short codes are drawn anew each time.

    \b
    Example: python -m sync.server --state ./demo demo-data --compounds 3 --residents 900
    """
    from rich.console import Console
    from rich.progress import Progress

    from sync.server.people.made_up.town import make_town

    console = Console(stderr=True, quiet=shell.as_json)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("People", total=residents)
        made = make_town(centre, number, residents, seed, add, "demo-data", lambda more: progress.advance(task, more))
    words = f"{made.compounds} compounds, {made.dwellings:,} dwellings, {made.households:,} households, "
    shell.say(made, f"{words}{made.residents:,} people, {made.passes:,} passes, {made.events:,} events of gates.")


COMMANDS: tuple[click.Command, ...] = (
    add_dwellings,
    add_desk,
    send_notices,
    count,
    erase,
    demo_data,
)
