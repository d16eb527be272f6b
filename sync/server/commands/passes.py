"""Passes and their credentials."""

from __future__ import annotations

import base64
from pathlib import Path

import click

from sync.credential import KIND_NUMBERS, Medium
from sync.protocol import Terms
from sync.server.centre.errors import CentreError
from sync.server.centre.places import lanes_of
from sync.server.centre.writing import Centre
from sync.server.commands.shell import Shell, command, number_of
from sync.server.passes import bulk, card, compounds, passes
from sync.server.passes.terms import read_window, tell_terms
from sync.terms import LOOKS

_MEDIA: dict[str, tuple[Medium, ...]] = {"card": ("card",), "phone": ("phone",), "both": ("card", "phone")}


@command("issue")
@click.argument("compound")
@click.option("--kind", type=click.Choice(list(KIND_NUMBERS)), default="resident")
@click.option("--holder", default="", help="Name; only the surname and * are kept.")
@click.option("--dwelling", default="", help="Building-unit-room, as people say it.")
@click.option("--plate", default="")
@click.option("--household", type=int, default=0, help="Number of the household; 0: none.")
@click.option("--lane", "lanes", multiple=True, help="Only these lanes; may be given several times.")
@click.option("--hours", multiple=True, help="Only then, like mon,thu 08:00-12:00; may be given several times.")
@click.option("--entries", default=0, help="So many entries in all; 0: any number.")
@click.option("--one-day", is_flag=True, help="Good on the day of its first entry only.")
@click.option("--from", "begins", help="First day or moment, local time; default: now.")
@click.option("--until", "ends", help="Last day or moment, local time; default: 30 days.")
@click.option("--phone", is_flag=True, help="A phone credential beside the card.")
@click.option("--active", is_flag=True, help="Handed over at once; otherwise printed, and opens nothing yet.")
@click.option("--card", "picture", type=click.Path(path_type=Path, dir_okay=False), help="Where to print its card.")
def issue(shell: Shell, centre: Centre, compound: str, kind: str, holder: str, dwelling: str, plate: str,
          household: int, lanes: tuple[str, ...], hours: tuple[str, ...], entries: int, one_day: bool,
          begins: str | None, ends: str | None, phone: bool, active: bool, picture: Path | None) -> None:  # fmt: skip
    """A new pass.

    \b
    Examples:
      python -m sync.server issue 7 --holder 王小明 --dwelling 3-2-501 --until 2026-12-31 --phone
      python -m sync.server issue 7 --kind vehicle --plate 鄂A12345 --active
      python -m sync.server issue 7 --kind contractor --hours "mon,thu 08:00-12:00" --lane entry
      python -m sync.server issue 7 --kind visitor --entries 1 --active
    """
    found = compounds.find_compound(centre, compound)
    from_ms = passes.read_time(begins, found.timezone, False) if begins else centre.now_ms()
    until_ms = passes.read_time(ends, found.timezone, True) if ends else from_ms + passes.DEFAULT_VALIDITY_MS
    order = passes.Order(
        kind=kind, label=passes.masked(holder), dwelling=dwelling, plate=plate, household=household, lanes=lanes,
        terms=_terms(hours, entries, one_day), valid_from_ms=from_ms, valid_until_ms=until_ms, phone=phone,
        active=active,
    )  # fmt: skip
    made = passes.issue(centre, found.compound_id, order, shell.by)
    if picture:
        card.save(passes.credential_text(centre, made.number, "card"), picture)
    shell.say(made, f"Pass {made.number}, short code {made.short_code}, {made.state}.{_limits(shell, centre, made)}")


def _terms(hours: tuple[str, ...], entries: int, one_day: bool) -> Terms:
    return Terms(tuple(map(read_window, hours)), entries, one_day)


def _limits(shell: Shell, centre: Centre, found: passes.Pass) -> str:
    """What it is limited to, and plainly where nobody can tell whether its lanes are there."""
    told = "".join(f" {line}." for line in tell_terms("en", found.own))
    if not found.lanes:
        return told
    with centre.store.read() as conn:
        known = lanes_of(conn, found.compound)
    told += f" Lanes: {found.lanes}."
    if known.checkable:
        return told
    silent = ", ".join(known.silent) or "no gate is in service"
    return f"{told} Whether they are there cannot be checked: these gates have not told their lanes: {silent}."


def _say_pass(shell: Shell, found: passes.Pass) -> None:
    shell.say(found, f"Pass {found.number} is {found.state}.")


@command("show")
@click.argument("number")
def show(shell: Shell, centre: Centre, number: str) -> None:
    """One pass."""
    found = passes.get_pass(centre, number)
    shell.say(found, f"Pass {found.number} is {found.state}.{_limits(shell, centre, found)}")


@command("terms")
@click.argument("number")
@click.option("--hours", multiple=True, help="Only then, like mon,thu 08:00-12:00; may be given several times.")
@click.option("--entries", default=0, help="So many entries in all; 0: any number.")
@click.option("--one-day", is_flag=True, help="Good on the day of its first entry only.")
def terms(shell: Shell, centre: Centre, number: str, hours: tuple[str, ...], entries: int, one_day: bool) -> None:
    """Give a pass terms of its own in place of those it has; without an option it has none.

    \b
    Examples:
      python -m sync.server terms 7-000123 --hours "mon,thu 08:00-12:00" --hours "sat 08:00-10:00"
      python -m sync.server terms 7-000123 --entries 3
    """
    found = passes.set_terms(centre, number, _terms(hours, entries, one_day), shell.by)
    shell.say(found, f"Pass {found.number} is {found.state}.{_limits(shell, centre, found)}")


@command("lanes")
@click.argument("number")
@click.option("--lane", "lanes", multiple=True, help="Only these lanes; may be given several times. None: all lanes.")
def set_lanes(shell: Shell, centre: Centre, number: str, lanes: tuple[str, ...]) -> None:
    """Limit a pass to some lanes. A lane that no gate has is refused.

    \b
    Example: python -m sync.server lanes 7-000123 --lane entry --lane exit
    """
    found = passes.set_lanes(centre, number, lanes, shell.by)
    shell.say(found, f"Pass {found.number} is {found.state}.{_limits(shell, centre, found)}")


@command("passes")
@click.argument("compound")
@click.argument("term", default="")
@click.option("--page", default=1, type=click.IntRange(1))
def list_passes(shell: Shell, centre: Centre, compound: str, term: str, page: int) -> None:
    """Passes whose number, dwelling, plate or short code begins with TERM, the newest first, 50 a page."""
    found, _ = passes.find_passes(centre, number_of(centre, compound), term, page)
    shell.say(found, "\n".join(f"{p.number}  {p.state:<9}  {p.label}  {p.dwelling}  {p.plate}" for p in found))


@command("hand-over")
@click.argument("number")
def hand_over(shell: Shell, centre: Centre, number: str) -> None:
    """The holder has collected it: from now on it opens.

    \b
    Example: python -m sync.server hand-over 7-000123
    """
    _say_pass(shell, passes.hand_over(centre, number, shell.by))


@command("extend")
@click.argument("number", required=False)
@click.option("--compound", help="Every pass of this compound but visitors' and contractors'.")
@click.option("--until", "ends", required=True, help="Last day or moment, local time.")
@click.option("--reissue", is_flag=True, help="Where gates would not honour that with the present card: a new one.")
def extend(shell: Shell, centre: Centre, number: str | None, compound: str | None, ends: str, reissue: bool) -> None:
    """Give a pass, or a whole compound, another end. Nothing is printed again, unless it needs new credentials.

    \b
    Examples:
      python -m sync.server extend 7-000123 --until 2027-03-31
      python -m sync.server extend 7-000123 --until 2029-03-31 --reissue
      python -m sync.server extend --compound 7 --until 2027-03-31
    """
    if (number is None) == (compound is None):
        raise CentreError(en="Say either a pass number or --compound.")
    if number is not None:
        timezone = compounds.read_compound(centre, passes.compound_of(number)).timezone
        until_ms = passes.read_time(ends, timezone, True)
        return _say_pass(shell, passes.extend(centre, number, until_ms, shell.by, reissue))
    if reissue:
        raise CentreError(en="--reissue is for one pass.")
    found = compounds.find_compound(centre, compound or "")
    until_ms = passes.read_time(ends, found.timezone, True)
    extension = bulk.Extension(until_ms=until_ms)
    count = bulk.extend_all(centre, found.compound_id, extension, shell.by)
    left = bulk.count(centre, found.compound_id, extension).left
    done = {"compound": found.compound_id, "extended": count, "left": left, "valid_until_ms": until_ms}
    return shell.say(done, f"{count} passes extended; {left} need new credentials first.")


@command("suspend")
@click.argument("number")
def suspend(shell: Shell, centre: Centre, number: str) -> None:
    """Stop a pass for a while."""
    _say_pass(shell, passes.suspend(centre, number, shell.by))


@command("resume")
@click.argument("number")
def resume(shell: Shell, centre: Centre, number: str) -> None:
    """Let a suspended pass be what it was."""
    _say_pass(shell, passes.resume(centre, number, shell.by))


@command("revoke")
@click.argument("number")
def revoke(shell: Shell, centre: Centre, number: str) -> None:
    """End a pass for good."""
    _say_pass(shell, passes.revoke(centre, number, shell.by))


@command("attention")
@click.argument("number")
@click.option("--look", type=click.Choice(LOOKS), help="What for; their page says what to do.")
@click.option("--off", is_flag=True, help="Stop asking.")
def attention(shell: Shell, centre: Centre, number: str, look: str | None, off: bool) -> None:
    """Ask the guards to look twice at a pass.

    \b
    Example:
      python -m sync.server attention 7-000001 --look plate
    """
    _say_pass(shell, passes.set_attention(centre, number, not off, shell.by, look or ""))


@command("delete")
@click.argument("number")
@click.confirmation_option(prompt="The pass and what is known of it are deleted. Go on?")
def delete(shell: Shell, centre: Centre, number: str) -> None:
    """Forget a pass; gates take it off their lists.

    \b
    Example: python -m sync.server delete 7-000123 --yes
    """
    passes.delete(centre, number, shell.by)
    shell.say({"number": number, "state": "gone"}, f"Pass {number} is deleted.")


@command("prune")
@click.argument("compound")
@click.option("--days", default=60, type=click.IntRange(1), help="Tombstones older than this are dropped.")
def prune(shell: Shell, centre: Centre, compound: str, days: int) -> None:
    """Drop old tombstones; gates that were away for longer fetch a whole list."""
    compound_id = number_of(centre, compound)
    count = passes.prune(centre, compound_id, centre.now_ms() - days * 24 * 3_600_000)
    shell.say({"compound": compound_id, "dropped": count}, f"{count} tombstones dropped.")


@command("reissue")
@click.argument("number")
@click.option("--medium", type=click.Choice(list(_MEDIA)), default="card")
@click.option("--printed", is_flag=True, help="The new one waits for hand-over.")
def reissue(shell: Shell, centre: Centre, number: str, medium: str, printed: bool) -> None:
    """A new credential with a new serial; the old one stops working in the same moment.

    \b
    Example: python -m sync.server reissue 7-000123 --medium card
    """
    _say_pass(shell, passes.reissue(centre, number, _MEDIA[medium], shell.by, printed))


@command("print-card")
@click.argument("number")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="FILE.png or FILE.svg.")
def print_card(shell: Shell, centre: Centre, number: str, out: Path) -> None:
    """The code of a pass's card as a picture.

    \b
    Example: python -m sync.server print-card 7-000123 --out card.png
    """
    card.save(passes.credential_text(centre, number, "card"), out)
    shell.say({"pass": number, "file": str(out)}, f"The code is in {out}.")


@command("phone-code")
@click.argument("number")
def phone_code(shell: Shell, centre: Centre, number: str) -> None:
    """What a simulated phone needs to show a pass: its text and the secret of its digits. Recorded.

    The digits are TOTP: SHA-1, 8 digits, 30 seconds; they stand behind the text and a full stop.
    """
    code = passes.phone_code(centre, number, shell.by)
    secret = base64.b32encode(code.secret).decode()
    found = {"pass": number, "text": code.text, "secret": secret, "digits": 8, "step_s": 30}
    shell.say(found, f"{code.text}\n{secret}")


COMMANDS: tuple[click.Command, ...] = (
    issue,
    show,
    terms,
    set_lanes,
    list_passes,
    hand_over,
    extend,
    suspend,
    resume,
    revoke,
    attention,
    delete,
    prune,
    reissue,
    print_card,
    phone_code,
)
