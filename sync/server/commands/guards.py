"""Guards: the people at the gates, who sign in with a PIN; and what is done when a gate is stolen."""

from __future__ import annotations

import click

from sync.server.centre.writing import Centre
from sync.server.commands.shell import Shell, ask_secret, command, number_of
from sync.server.gates import fleet, guards, theft
from sync.terms import GuardRole

_PIN_STATES = {"good": "", "short": "PIN too short for this role", "old": "PIN made before verifiers got dearer",
               "withdrawn": "NO PIN: a gate was stolen"}  # fmt: skip


@command("add-guard")
@click.argument("compound")
@click.argument("name")
@click.option("--role", type=click.Choice(guards.ROLES), default="guard")
@click.option("--gate", "at", multiple=True, metavar="GATE", help="Works at this gate only; may be given again.")
@click.option("--draw", is_flag=True, help="Draw a random PIN and print it, once.")
@click.option("--pin-stdin", is_flag=True, help="Read the PIN from standard input.")
def add_guard(
    shell: Shell, centre: Centre, compound: str, name: str, role: GuardRole, at: tuple[str, ...], draw: bool,
    pin_stdin: bool,
) -> None:  # fmt: skip
    """A guard's account. The PIN is asked for and never shown, or drawn and shown once, which is safer.

    A guard's PIN has 6 digits or more; that of a supervisor or technician 8 or more.

    \b
    Examples:
      python -m sync.server add-guard 7 李强 --draw
      python -m sync.server add-guard 7 赵敏 --role supervisor --gate 东门 --gate 西门
    """
    compound_id = number_of(centre, compound)
    gates = _gates(centre, compound_id, at)
    if draw:
        drawn = guards.add_guard_drawn(centre, compound_id, name, role, shell.by, gates)
        shell.say(drawn, f"Guard {drawn.guard.account}, {name}, {role}. PIN, shown once: {drawn.pin}")
        return
    guard = guards.add_guard(centre, compound_id, name, role, ask_secret("PIN", pin_stdin), shell.by, gates)
    shell.say(guard, f"Guard {guard.account}, {guard.name}, {guard.role}.")


@command("new-pin")
@click.argument("compound")
@click.argument("guard")
@click.option("--choose", is_flag=True, help="Ask for the PIN instead of drawing one.")
@click.option("--pin-stdin", is_flag=True, help="Read the PIN from standard input.")
def new_pin(shell: Shell, centre: Centre, compound: str, guard: str, choose: bool, pin_stdin: bool) -> None:
    """A new PIN for a guard, by name or account: drawn and shown once. It ends their sessions.

    \b
    Example: python -m sync.server new-pin 7 李强
    """
    compound_id = number_of(centre, compound)
    account = guards.find_guard(centre, compound_id, guard).account
    if choose or pin_stdin:
        pin = ask_secret("PIN", pin_stdin)
        shell.say(guards.change_guard(centre, compound_id, account, shell.by, pin=pin), "The new PIN is set.")
        return
    drawn = guards.draw_new_pin(centre, compound_id, account, shell.by)
    shell.say(drawn, f"New PIN of {drawn.guard.name}, shown once: {drawn.pin}")


@command("guard-gates")
@click.argument("compound")
@click.argument("guard")
@click.argument("at", metavar="[GATE]...", nargs=-1)
def guard_gates(shell: Shell, centre: Centre, compound: str, guard: str, at: tuple[str, ...]) -> None:
    """The gates at which a guard works; without any, every gate, new ones too. Other gates get no verifier of the PIN.

    \b
    Examples:
      python -m sync.server guard-gates 7 李强 东门 西门
      python -m sync.server guard-gates 7 李强
    """
    compound_id = number_of(centre, compound)
    account = guards.find_guard(centre, compound_id, guard).account
    done = guards.change_guard(centre, compound_id, account, shell.by, gates=_gates(centre, compound_id, at))
    shell.say(done, f"{done.name} works at {', '.join(at) or 'every gate'}.")


@command("guards")
@click.argument("compound")
def list_guards(shell: Shell, centre: Centre, compound: str) -> None:
    """The guards of a compound, where they work, and whose PIN should be made anew."""
    found = guards.list_guards(centre, number_of(centre, compound))
    words = "\n".join(
        f"{g.account:<5} {g.name}  {g.role}  {'' if g.active else 'stopped  '}{','.join(g.gates) or 'every gate'}  "
        f"{_PIN_STATES[g.pin]}".rstrip()
        for g in found
    )
    shell.say(found, words)


@command("report-theft")
@click.argument("compound")
@click.argument("gate")
@click.option("--replaced", is_flag=True, help="Stolen was the device before the present one, which stays.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def report_theft(
    shell: Shell, centre: Centre, compound: str, gate: str, replaced: bool, dry_run: bool, yes: bool
) -> None:
    """The device of a gate was stolen: everything that its card is worth ends, at once.

    Withdraws the device (it wipes itself should it come back), changes the code key of phone passes, and withdraws the
    PIN of every guard whose verifier it had, at every gate. They need a new PIN (new-pin); wired buttons go on opening.
    All of it is done, or nothing. Again, it finds nothing left to do.

    \b
    Examples:
      python -m sync.server report-theft 7 东门 --dry-run
      python -m sync.server report-theft 7 东门
      python -m sync.server report-theft 7 东门 --replaced      a new device is in its place already
    """
    compound_id = number_of(centre, compound)
    gate_id = fleet.find_gate(centre, compound_id, gate).gate
    before = theft.look(centre, compound_id, gate_id, replaced)
    if dry_run or before.nothing_left:
        shell.say(before, _told(before))
        return
    if not yes:
        click.confirm(f"{_done(before)}\nGo on?", abort=True, err=True)
    done = theft.report(centre, compound_id, gate_id, shell.by, replaced)
    shell.say(done, _told(done))


def _told(report: theft.Theft) -> str:
    if report.nothing_left:
        return f"{report.name}: nothing is left to do. Its device is withdrawn, and the PINs it had are."
    return "\n".join(
        (_done(report), "", "A thief can read on its card:", *(f"  - {en}" for _, en in theft.ON_THE_CARD),
         "", "What remains for people to do:", *(f"  - {en}" for _, en in theft.REMAINS))
    )  # fmt: skip


def _done(report: theft.Theft) -> str:
    names = ", ".join(f"{guard.name} ({guard.account})" for guard in report.guards) or "nobody's"
    devices = ", ".join(report.devices) or "none (withdrawn before)"
    return "\n".join((
        f"{report.name}, {'would be done' if report.dry_run else 'done'}:",
        f"  devices withdrawn: {devices}",
        f"  code key of phone passes changed: {'yes' if report.code_key_changed else 'no (changed before)'}",
        f"  PINs withdrawn, at every gate: {names}",
    ))  # fmt: skip


def _gates(centre: Centre, compound_id: int, wanted: tuple[str, ...]) -> list[str]:
    return [fleet.find_gate(centre, compound_id, one).gate for one in wanted]


COMMANDS: tuple[click.Command, ...] = (add_guard, new_pin, guard_gates, list_guards, report_theft)
