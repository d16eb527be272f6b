"""The centre from the command line: ``python -m sync.server``."""

from __future__ import annotations

import base64
import getpass
import sys
from collections.abc import Callable
from datetime import time, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import click
import msgspec

from sync.credential import KIND_NUMBERS, Medium
from sync.server.centre.settings import Settings
from sync.server.centre.store import StoreError
from sync.server.centre.vault import VaultError
from sync.server.centre.writing import Centre, CentreError, Compound
from sync.server.gates import events, fleet, guards
from sync.server.opening import open_centre
from sync.server.passes import bulk, card, compounds, passes
from sync.server.people.collecting import desks
from sync.server.people.dwellings import dwellings
from sync.server.people.dwellings.pattern import read_pattern
from sync.server.people.households import households, notices
from sync.server.people.households.slots import CollectionDesk
from sync.server.people.keeping import erasure, retention
from sync.server.people.registers import coverage
from sync.server.staff import roles
from sync.server.staff import sign_in as staff

P = ParamSpec("P")
R = TypeVar("R")
_MEDIA: dict[str, tuple[Medium, ...]] = {"card": ("card",), "phone": ("phone",), "both": ("card", "phone")}


class Place(NamedTuple):
    """Where a centre is: its state folder, and its database where that is not in it."""

    state: Path
    database: str | None


class Shell:
    """What every command shares: where the centre is, how to print, who is acting."""

    def __init__(self, place: Place, as_json: bool):
        self.state, self._database = place
        self.as_json = as_json
        self.by = f"cli:{getpass.getuser()}"

    def settings(self, **kwargs: Any) -> Settings:
        return Settings(state=self.state, database_url=self._database, **kwargs)

    def say(self, message: Any, words: str) -> None:
        """One line of JSON for programs, a sentence for people."""
        click.echo(msgspec.json.encode(message).decode() if self.as_json else words)


def _command(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """A command on an open centre; what a person got wrong becomes a sentence, not a traceback."""

    def wrap(function: Callable[..., None]) -> click.Command:
        @main.command(name)
        @click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
        @click.pass_context
        @wraps(function)
        def command(context: click.Context, /, as_json: bool, **kwargs: Any) -> None:
            shell = Shell(context.obj, as_json)
            try:
                centre = open_centre(shell.settings())
            except (StoreError, VaultError, OSError) as err:
                raise click.ClickException(f"The centre's state in {shell.state} cannot be used: {err}") from err
            try:
                function(shell, centre, **kwargs)
            except CentreError as err:
                raise click.ClickException(str(err)) from err
            finally:
                centre.close()

        return command

    return wrap


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), envvar="GATE_CENTRE_STATE",
              default=Path("/var/lib/gate-centre"), help="Folder of database, key file and snapshots.")  # fmt: skip
@click.option("--database", envvar="GATE_CENTRE_DATABASE", metavar="ADDRESS", show_default=False,
              help="postgresql://USER:PASSWORD@HOST/NAME instead of SQLite in the state folder. Better in "
              "GATE_CENTRE_DATABASE: a command line is seen by everybody on this machine.")  # fmt: skip
@click.pass_context
def main(context: click.Context, state: Path, database: str | None) -> None:
    """The centre: issues passes, feeds gates, takes their events.

    \b
    A first day:
      python -m sync.server --state ./centre add-compound 翠湖花园 "Cuihu Garden"
      python -m sync.server --state ./centre add-gate 1 东门
      python -m sync.server --state ./centre add-staff wang --name 王芳 --everywhere
      python -m sync.server --state ./centre run --port 8080

    Commands may be used while the centre is running; gates learn within about a second.
    """
    context.obj = Place(state, database or None)


@main.command()
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", default=8080, type=click.IntRange(0, 65535), help="0: any free port; it is printed.")
@click.option("--tls-cert", type=click.Path(exists=True, dir_okay=False), help="Certificate chain, PEM.")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False), help="Its private key, PEM.")
@click.option("--proxies", default=0, type=click.IntRange(0, 5), help="Reverse proxies in front that do TLS.")
@click.option("--streams", default=300, type=click.IntRange(1, 5000), help="Gates that may wait for wake-ups.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_obj
def run(place: Place, host: str, port: int, tls_cert: str | None, tls_key: str | None, proxies: int, streams: int,
        as_json: bool) -> None:  # fmt: skip
    """Serve gates and pages until SIGTERM.

    \b
    Example: python -m sync.server run --host 0.0.0.0 --port 8443 --tls-cert centre.pem --tls-key centre-key.pem
    """
    from sync.server.serve import PortTaken, serve

    if (tls_cert is None) != (tls_key is None):
        raise click.ClickException("--tls-cert and --tls-key belong together.")
    tls = (tls_cert, tls_key) if tls_cert and tls_key else None
    shell = Shell(place, as_json)
    settings = shell.settings(proxies=proxies, streams=streams, secure_cookies=bool(tls or proxies))
    try:
        open_centre(settings).close()
    except (StoreError, VaultError, OSError) as err:
        raise click.ClickException(f"The centre's state in {place.state} cannot be used: {err}") from err

    def ready(chosen: int) -> None:
        url = f"{'https' if tls else 'http'}://{host}:{chosen}"
        shell.say({"host": host, "port": chosen, "url": url}, f"The centre is at {url}")
        sys.stdout.flush()

    try:
        serve(settings, host, port, ready, tls)
    except PortTaken as err:
        raise click.ClickException(str(err)) from err


@_command("add-compound")
@click.argument("name_zh")
@click.argument("name_en")
@click.option("--id", "compound_id", type=int, help="Its number, which is also its scope; default: the next one.")
@click.option("--timezone", default="Asia/Shanghai")
def add_compound(
    shell: Shell, centre: Centre, name_zh: str, name_en: str, compound_id: int | None, timezone: str
) -> None:
    """A new compound with its root key, signing key and code key.

    \b
    Example: python -m sync.server add-compound 翠湖花园 "Cuihu Garden" --id 7
    """
    made = compounds.add_compound(centre, name_zh, name_en, timezone, compound_id, shell.by)
    shell.say(_compound(made), f"Compound {made.compound_id}, {made.name_zh}, is there.")


@_command("add-scope")
@click.argument("name_zh")
@click.argument("name_en")
@click.option("--id", "scope", type=int, help="Its number; default: the next one.")
@click.option("--timezone", default="Asia/Shanghai")
def add_scope(shell: Shell, centre: Centre, name_zh: str, name_en: str, scope: int | None, timezone: str) -> None:
    """A wider scope: its passes are good in every compound whose rule "accepts" names it.

    \b
    Examples:
      python -m sync.server add-scope 全镇公务 "Town officials" --id 9001
      python -m sync.server set-rule 7 accepts '[9001]'
      python -m sync.server issue 9001 --kind official --holder 陈明
    """
    made = compounds.add_compound(centre, name_zh, name_en, timezone, scope, shell.by, wide=True)
    shell.say(_compound(made), f"Scope {made.compound_id}, {made.name_zh}, is there.")


def _compound(made: Compound) -> dict[str, Any]:
    return {
        "compound": made.compound_id, "name_zh": made.name_zh, "name_en": made.name_en, "timezone": made.timezone,
        "epoch": made.epoch, "revision": made.revision, "root_public": base64.b64encode(made.root_public).decode(),
    }  # fmt: skip


@_command("compounds")
def list_compounds(shell: Shell, centre: Centre) -> None:
    """All compounds."""
    found = compounds.list_compounds(centre)
    shell.say([_compound(c) for c in found], "\n".join(f"{c.compound_id:>5}  {c.name_zh}  {c.name_en}" for c in found))


@_command("begin-epoch")
@click.argument("compound")
@click.confirmation_option(prompt="Every gate of the compound will fetch its whole list again. Go on?")
def begin_epoch(shell: Shell, centre: Centre, compound: str) -> None:
    """After restoring a backup: a new epoch, with revisions and serials far above any gate's.

    \b
    Example: python -m sync.server begin-epoch 7 --yes
    """
    found = compounds.begin_epoch(centre, _id(centre, compound), shell.by)
    shell.say(_compound(found), f"Compound {found.compound_id} goes on under epoch {found.epoch}.")


def _id(centre: Centre, wanted: str) -> int:
    return compounds.find_compound(centre, wanted).compound_id


@_command("add-dwellings")
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
    compound_id = _id(centre, compound)
    with centre.writing(compound_id, shell.by) as writing:
        added = dwellings.insert_many(writing, pattern.addresses())
        writing.audit("add-dwellings", f"{added.new} {asked['buildings']}")
    shell.say(added, f"{added.new} dwellings are new, {added.there} were there.")


@_command("add-desk")
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


@_command("add-gate")
@click.argument("compound")
@click.argument("name")
@click.option("--neighbour-zh", default="", help="What the lane says when this gate is closed, in Chinese.")
@click.option("--neighbour-en", default="", help="The same in English.")
def add_gate(shell: Shell, centre: Centre, compound: str, name: str, neighbour_zh: str, neighbour_en: str) -> None:
    """A new gate; prints the one-time code that enrols its device, good for a day.

    \b
    Example: python -m sync.server add-gate 7 东门
    """
    code = fleet.add_gate(centre, _id(centre, compound), name, shell.by, (neighbour_zh, neighbour_en))
    words = f"Gate {code.gate}, {code.name}. Enrolment code, for one device, good for a day:"
    shell.say(code, f"{words}\n{code.enrolment_code}")


@_command("new-code")
@click.argument("compound")
@click.argument("gate")
def new_code(shell: Shell, centre: Centre, compound: str, gate: str) -> None:
    """Another enrolment code for a gate whose device is replaced.

    \b
    Example: python -m sync.server new-code 7 东门
    """
    compound_id = _id(centre, compound)
    code = fleet.new_code(centre, compound_id, fleet.find_gate(centre, compound_id, gate).gate, shell.by)
    shell.say(code, f"Enrolment code for {code.name}, for one device, good for a day:\n{code.enrolment_code}")


@_command("gates")
@click.argument("compound")
def list_gates(shell: Shell, centre: Centre, compound: str) -> None:
    """The gates of a compound and how far their lists are."""
    found = fleet.list_gates(centre, _id(centre, compound))
    words = "\n".join(f"{g.gate:<5} {g.name}  {g.state or 'not enrolled'}  revision {g.seen_revision}" for g in found)
    shell.say(found, words)


@_command("withdraw")
@click.argument("compound")
@click.argument("gate")
def withdraw(shell: Shell, centre: Centre, compound: str, gate: str) -> None:
    """Order the device of a gate to wipe itself, and change the code key of phone passes.

    \b
    Example: python -m sync.server withdraw 7 东门
    """
    compound_id = _id(centre, compound)
    found = fleet.find_gate(centre, compound_id, gate)
    device = fleet.withdraw(centre, compound_id, found.gate, shell.by)
    done = {"compound": compound_id, "gate": found.gate, "device": device}
    shell.say(done, f"Device {device} of {found.name} is withdrawn.")


@_command("issue")
@click.argument("compound")
@click.option("--kind", type=click.Choice(list(KIND_NUMBERS)), default="resident")
@click.option("--holder", default="", help="Name; only the surname and * are kept.")
@click.option("--dwelling", default="", help="Building-unit-room, as people say it.")
@click.option("--plate", default="")
@click.option("--household", type=int, default=0, help="Number of the household; 0: none.")
@click.option("--lane", "lanes", multiple=True, help="Only these lanes; may be given several times.")
@click.option("--from", "begins", help="First day or moment, local time; default: now.")
@click.option("--until", "ends", help="Last day or moment, local time; default: 30 days.")
@click.option("--phone", is_flag=True, help="A phone credential beside the card.")
@click.option("--active", is_flag=True, help="Handed over at once; otherwise printed, and opens nothing yet.")
@click.option("--card", "picture", type=click.Path(path_type=Path, dir_okay=False), help="Where to print its card.")
def issue(shell: Shell, centre: Centre, compound: str, kind: str, holder: str, dwelling: str, plate: str,
          household: int, lanes: tuple[str, ...], begins: str | None, ends: str | None, phone: bool,
          active: bool, picture: Path | None) -> None:  # fmt: skip
    """A new pass.

    \b
    Examples:
      python -m sync.server issue 7 --holder 王小明 --dwelling 3-2-501 --until 2026-12-31 --phone
      python -m sync.server issue 7 --kind vehicle --plate 鄂A12345 --active
    """
    found = compounds.find_compound(centre, compound)
    from_ms = passes.read_time(begins, found.timezone, False) if begins else centre.now_ms()
    until_ms = passes.read_time(ends, found.timezone, True) if ends else from_ms + passes.DEFAULT_VALIDITY_MS
    order = passes.Order(
        kind=kind, label=passes.masked(holder), dwelling=dwelling, plate=plate, household=household, lanes=lanes,
        valid_from_ms=from_ms, valid_until_ms=until_ms, phone=phone, active=active,
    )  # fmt: skip
    made = passes.issue(centre, found.compound_id, order, shell.by)
    if picture:
        card.save(passes.credential_text(centre, made.number, "card"), picture)
    shell.say(made, f"Pass {made.number}, short code {made.short_code}, {made.state}.")


def _say_pass(shell: Shell, found: passes.Pass) -> None:
    shell.say(found, f"Pass {found.number} is {found.state}.")


@_command("show")
@click.argument("number")
def show(shell: Shell, centre: Centre, number: str) -> None:
    """One pass."""
    _say_pass(shell, passes.get_pass(centre, number))


@_command("passes")
@click.argument("compound")
@click.argument("term", default="")
@click.option("--page", default=1, type=click.IntRange(1))
def list_passes(shell: Shell, centre: Centre, compound: str, term: str, page: int) -> None:
    """Passes whose number, dwelling, plate or short code begins with TERM, the newest first, 50 a page."""
    found, _ = passes.find_passes(centre, _id(centre, compound), term, page)
    shell.say(found, "\n".join(f"{p.number}  {p.state:<9}  {p.label}  {p.dwelling}  {p.plate}" for p in found))


@_command("hand-over")
@click.argument("number")
def hand_over(shell: Shell, centre: Centre, number: str) -> None:
    """The holder has collected it: from now on it opens.

    \b
    Example: python -m sync.server hand-over 7-000123
    """
    _say_pass(shell, passes.hand_over(centre, number, shell.by))


@_command("extend")
@click.argument("number", required=False)
@click.option("--compound", help="Every pass of this compound but visitors' and contractors'.")
@click.option("--until", "ends", required=True, help="Last day or moment, local time.")
def extend(shell: Shell, centre: Centre, number: str | None, compound: str | None, ends: str) -> None:
    """Give a pass, or a whole compound, another end. Nothing is printed again.

    \b
    Examples:
      python -m sync.server extend 7-000123 --until 2027-03-31
      python -m sync.server extend --compound 7 --until 2027-03-31
    """
    if (number is None) == (compound is None):
        raise CentreError(en="Say either a pass number or --compound.")
    if number is not None:
        timezone = compounds.read_compound(centre, passes.compound_of(number)).timezone
        return _say_pass(shell, passes.extend(centre, number, passes.read_time(ends, timezone, True), shell.by))
    found = compounds.find_compound(centre, compound or "")
    until_ms = passes.read_time(ends, found.timezone, True)
    count = bulk.extend_all(centre, found.compound_id, bulk.Extension(until_ms=until_ms), shell.by)
    done = {"compound": found.compound_id, "extended": count, "valid_until_ms": until_ms}
    return shell.say(done, f"{count} passes extended.")


@_command("suspend")
@click.argument("number")
def suspend(shell: Shell, centre: Centre, number: str) -> None:
    """Stop a pass for a while."""
    _say_pass(shell, passes.suspend(centre, number, shell.by))


@_command("resume")
@click.argument("number")
def resume(shell: Shell, centre: Centre, number: str) -> None:
    """Let a suspended pass be what it was."""
    _say_pass(shell, passes.resume(centre, number, shell.by))


@_command("revoke")
@click.argument("number")
def revoke(shell: Shell, centre: Centre, number: str) -> None:
    """End a pass for good."""
    _say_pass(shell, passes.revoke(centre, number, shell.by))


@_command("attention")
@click.argument("number")
@click.option("--off", is_flag=True, help="No longer.")
def attention(shell: Shell, centre: Centre, number: str, off: bool) -> None:
    """Ask the guards to look twice at a pass."""
    _say_pass(shell, passes.set_attention(centre, number, not off, shell.by))


@_command("delete")
@click.argument("number")
@click.confirmation_option(prompt="The pass and what is known of it are deleted. Go on?")
def delete(shell: Shell, centre: Centre, number: str) -> None:
    """Forget a pass; gates take it off their lists.

    \b
    Example: python -m sync.server delete 7-000123 --yes
    """
    passes.delete(centre, number, shell.by)
    shell.say({"number": number, "state": "gone"}, f"Pass {number} is deleted.")


@_command("prune")
@click.argument("compound")
@click.option("--days", default=60, type=click.IntRange(1), help="Tombstones older than this are dropped.")
def prune(shell: Shell, centre: Centre, compound: str, days: int) -> None:
    """Drop old tombstones; gates that were away for longer fetch a whole list."""
    compound_id = _id(centre, compound)
    count = passes.prune(centre, compound_id, centre.now_ms() - days * 24 * 3_600_000)
    shell.say({"compound": compound_id, "dropped": count}, f"{count} tombstones dropped.")


@_command("reissue")
@click.argument("number")
@click.option("--medium", type=click.Choice(list(_MEDIA)), default="card")
@click.option("--printed", is_flag=True, help="The new one waits for hand-over.")
def reissue(shell: Shell, centre: Centre, number: str, medium: str, printed: bool) -> None:
    """A new credential with a new serial; the old one stops working in the same moment.

    \b
    Example: python -m sync.server reissue 7-000123 --medium card
    """
    _say_pass(shell, passes.reissue(centre, number, _MEDIA[medium], shell.by, printed))


@_command("print-card")
@click.argument("number")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="FILE.png or FILE.svg.")
def print_card(shell: Shell, centre: Centre, number: str, out: Path) -> None:
    """The code of a pass's card as a picture.

    \b
    Example: python -m sync.server print-card 7-000123 --out card.png
    """
    card.save(passes.credential_text(centre, number, "card"), out)
    shell.say({"pass": number, "file": str(out)}, f"The code is in {out}.")


@_command("phone-code")
@click.argument("number")
def phone_code(shell: Shell, centre: Centre, number: str) -> None:
    """What a simulated phone needs to show a pass: its text and the secret of its digits. Recorded.

    The digits are TOTP: SHA-1, 8 digits, 30 seconds; they stand behind the text and a full stop.
    """
    code = passes.phone_code(centre, number, shell.by)
    secret = base64.b32encode(code.secret).decode()
    found = {"pass": number, "text": code.text, "secret": secret, "digits": 8, "step_s": 30}
    shell.say(found, f"{code.text}\n{secret}")


@_command("set-rule")
@click.argument("compound")
@click.argument("key")
@click.argument("value")
def set_rule(shell: Shell, centre: Centre, compound: str, key: str, value: str) -> None:
    """Change one rule of a compound, or with KEY "all" every rule at once. VALUE is JSON or a word.

    \b
    Examples:
      python -m sync.server set-rule 7 passback_s 300
      python -m sync.server set-rule 7 passback deny
      python -m sync.server set-rule 7 enforcement '[{"stage": "introduce", "from_ms": 0}]'
    """
    compound_id = _id(centre, compound)
    if key == "all":
        rules = compounds.parse_rules(value)
        compounds.set_rules(centre, compound_id, rules, shell.by)
    else:
        rules = compounds.set_rule(centre, compound_id, key, value, shell.by)
    shell.say(rules, f"{key} is set.")


@_command("rules")
@click.argument("compound")
def show_rules(shell: Shell, centre: Centre, compound: str) -> None:
    """The rules of a compound, as JSON."""
    rules = compounds.read_rules(compounds.find_compound(centre, compound))
    shell.say(rules, msgspec.json.format(msgspec.json.encode(rules)).decode())


@_command("add-guard")
@click.argument("compound")
@click.argument("name")
@click.option("--role", type=click.Choice(guards.ROLES), default="guard")
@click.option("--pin-stdin", is_flag=True, help="Read the PIN from standard input.")
def add_guard(shell: Shell, centre: Centre, compound: str, name: str, role: guards.Role, pin_stdin: bool) -> None:
    """A guard's account; the PIN is asked for and never shown.

    \b
    Example: python -m sync.server add-guard 7 李强 --role supervisor
    """
    compound_id = _id(centre, compound)
    guard = guards.add_guard(centre, compound_id, name, role, _secret("PIN", pin_stdin), shell.by)
    shell.say(guard, f"Guard {guard.account}, {guard.name}, {guard.role}.")


@_command("add-staff")
@click.argument("account")
@click.option("--name", default="", help="The person's name.")
@click.option("--role", type=click.Choice(roles.ROLES), help="Default: town with --everywhere, otherwise property.")
@click.option("--everywhere", is_flag=True, help="May see every compound.")
@click.option("--compound", "named", multiple=True, help="May see this compound; may be given several times.")
@click.option("--password", "ask", is_flag=True, help="Ask for a password now instead of printing a one-time link.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def add_staff(shell: Shell, centre: Centre, account: str, name: str, role: roles.Role | None, everywhere: bool,
              named: tuple[str, ...], ask: bool, password_stdin: bool) -> None:  # fmt: skip
    """An account for the pages; prints a one-time link behind which its owner chooses a password.

    The first account of a town is made here, with --everywhere; it makes the others on the page "Accounts". There is no
    default password.

    \b
    Examples:
      python -m sync.server add-staff wang --name 王芳 --everywhere
      python -m sync.server add-staff li --name 李敏 --compound 7 --password
    """
    chosen = _secret("Password", password_stdin) if ask or password_stdin else None
    if chosen is not None:
        staff.check_password(chosen)
    role = role or ("town" if everywhere else "property")
    link = staff.add_staff(centre, account, name, everywhere, [_id(centre, wanted) for wanted in named], role, shell.by)
    if chosen is not None:
        staff.set_password(centre, account, chosen)
        return shell.say({"account": account}, f"Account {account} may sign in.")
    return shell.say(link, f"Open this path of the centre within a day to choose a password:\n{link.path}")


@_command("staff-link")
@click.argument("account")
def staff_link(shell: Shell, centre: Centre, account: str) -> None:
    """Another one-time link for an account whose password is forgotten."""
    link = staff.new_link(centre, account, shell.by)
    shell.say(link, f"Open this path of the centre within a day to choose a password:\n{link.path}")


def _secret(what: str, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    asked: str = click.prompt(what, hide_input=True, confirmation_prompt=True, err=True)
    return asked


@_command("events")
@click.argument("compound")
@click.option("--gate", help="Only of this gate.")
@click.option("--page", default=1, type=click.IntRange(1))
@click.option("--rows", default=100, type=click.IntRange(1, 10_000), help="Rows a page.")
def list_events(shell: Shell, centre: Centre, compound: str, gate: str | None, page: int, rows: int) -> None:
    """Events of a compound or one gate, newest first.

    \b
    Example: python -m sync.server events 7 --gate 东门 --json
    """
    compound_id = _id(centre, compound)
    gate_id = fleet.find_gate(centre, compound_id, gate).gate if gate else None
    found, _ = events.find_events(centre, compound_id, events.Chosen(gate=gate_id), page, rows)
    words = "\n".join(f"{e.at_ms}  {e.device}  {e.seq:>6}  {e.kind:<10} {e.outcome:<6} {e.reason}" for e in found)
    shell.say(found, words)


@_command("demo-data")
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


@_command("send-notices")
@click.option("--with", "program", required=True, metavar="PROGRAM",
              help="Run once for each notice, which it reads from its standard input.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say how many are due.")
def send_notices(shell: Shell, centre: Centre, program: str, dry_run: bool) -> None:
    """Send what households are to be told by SMS. A timer may run it every minute.

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
        report = notices.send_due(centre, program)
    except notices.NoProgram as err:
        raise click.ClickException(str(err)) from err
    return shell.say(report, f"{report.sent} sent, {report.failed} to be tried again, {report.unknown} uncertain.")


@_command("count")
def count(shell: Shell, centre: Centre) -> None:
    """Count every compound anew for the town's first page: who applied, who did not, who lives there. A timer may run
    it every ten minutes; without one, the page counts a few compounds whenever it is opened.

    \b
    Example: python -m sync.server count
    """
    wanted = [one.compound_id for one in compounds.list_compounds(centre)]
    counted = coverage.refresh(centre, wanted, shell.by, len(wanted), old_ms=0)
    shell.say({"compounds": counted}, f"{counted} compounds counted.")


@_command("erase")
@click.option("--compound", "named", multiple=True, help="Only this compound; may be given several times.")
@click.option("--dry-run", is_flag=True, help="Only say what is due.")
def erase(shell: Shell, centre: Centre, named: tuple[str, ...], dry_run: bool) -> None:
    """Delete what is due by the town's periods; each compound gets a certificate. Meant for a timer, once a day.

    \b
    Examples:
      python -m sync.server erase --dry-run
      python -m sync.server erase --compound 7
    """
    wanted = [_id(centre, one) for one in named]
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


if __name__ == "__main__":
    main(prog_name="python -m sync.server")
