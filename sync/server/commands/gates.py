"""Gates, the devices at them, and their events."""

from __future__ import annotations

import click

from sync.server.centre.writing import Centre
from sync.server.commands.shell import Shell, command, number_of
from sync.server.gates import events, fleet


@command("add-gate")
@click.argument("compound")
@click.argument("name")
@click.option("--neighbour-zh", default="", help="What the lane says when this gate is closed, in Chinese.")
@click.option("--neighbour-en", default="", help="The same in English.")
def add_gate(shell: Shell, centre: Centre, compound: str, name: str, neighbour_zh: str, neighbour_en: str) -> None:
    """A new gate; prints the one-time code that enrols its device, good for a day.

    \b
    Example: python -m sync.server add-gate 7 东门
    """
    code = fleet.add_gate(centre, number_of(centre, compound), name, shell.by, (neighbour_zh, neighbour_en))
    words = f"Gate {code.gate}, {code.name}. Enrolment code, for one device, good for a day:"
    shell.say(code, f"{words}\n{code.enrolment_code}")


@command("new-code")
@click.argument("compound")
@click.argument("gate")
def new_code(shell: Shell, centre: Centre, compound: str, gate: str) -> None:
    """Another enrolment code for a gate whose device is replaced.

    \b
    Example: python -m sync.server new-code 7 东门
    """
    compound_id = number_of(centre, compound)
    code = fleet.new_code(centre, compound_id, fleet.find_gate(centre, compound_id, gate).gate, shell.by)
    shell.say(code, f"Enrolment code for {code.name}, for one device, good for a day:\n{code.enrolment_code}")


@command("new-identity")
@click.argument("compound")
@click.argument("gate")
@click.option(
    "--as", "own_gate", default="", metavar="NAME", help="Make the copy that uses the code a gate of its own."
)
def new_identity(shell: Shell, centre: Centre, compound: str, gate: str, own_gate: str) -> None:
    """Give one of two devices with one identity (an imaged card) an identity of its own.

    Prints a code; nothing ends before it is used. The copy that it is typed at goes on alone as this gate: from then on
    the centre knows the other one no longer, which goes on deciding by the list it has. Where both copies stand at
    gates, use --as: the one with the code becomes that new gate, and the other stays what it is.

    \b
    Examples:
      python -m sync.server new-identity 7 东门
      python -m sync.server new-identity 7 东门 --as 西门
    """
    compound_id = number_of(centre, compound)
    found = fleet.find_gate(centre, compound_id, gate)
    code = fleet.new_identity(centre, compound_id, found.gate, shell.by, own_gate)
    shell.say(code, f"Type this at ONE of the two devices, which becomes {code.name}; good for a day:\n"
              f"{code.enrolment_code}")  # fmt: skip


@command("gates")
@click.argument("compound")
def list_gates(shell: Shell, centre: Centre, compound: str) -> None:
    """The gates of a compound and how far their lists are."""
    found = fleet.list_gates(centre, number_of(centre, compound))
    words = "\n".join(f"{g.gate:<5} {g.name}  {g.state or 'not enrolled'}  revision {g.seen_revision}" for g in found)
    shell.say(found, words)


@command("withdraw")
@click.argument("compound")
@click.argument("gate")
def withdraw(shell: Shell, centre: Centre, compound: str, gate: str) -> None:
    """Order the device of a gate to wipe itself, and change the code key of phone passes.

    \b
    Example: python -m sync.server withdraw 7 东门
    """
    compound_id = number_of(centre, compound)
    found = fleet.find_gate(centre, compound_id, gate)
    device = fleet.withdraw(centre, compound_id, found.gate, shell.by)
    done = {"compound": compound_id, "gate": found.gate, "device": device}
    shell.say(done, f"Device {device} of {found.name} is withdrawn.")


@command("events")
@click.argument("compound")
@click.option("--gate", help="Only of this gate.")
@click.option("--page", default=1, type=click.IntRange(1))
@click.option("--rows", default=100, type=click.IntRange(1, 10_000), help="Rows a page.")
def list_events(shell: Shell, centre: Centre, compound: str, gate: str | None, page: int, rows: int) -> None:
    """Events of a compound or one gate, newest first.

    \b
    Example: python -m sync.server events 7 --gate 东门 --json
    """
    compound_id = number_of(centre, compound)
    gate_id = fleet.find_gate(centre, compound_id, gate).gate if gate else None
    found, _ = events.find_events(centre, compound_id, events.EventFilter(gate=gate_id), page, rows)
    words = "\n".join(f"{e.at_ms}  {e.device}  {e.seq:>6}  {e.kind:<10} {e.outcome:<6} {e.reason}" for e in found)
    shell.say(found, words)


COMMANDS: tuple[click.Command, ...] = (
    add_gate,
    new_code,
    new_identity,
    list_gates,
    withdraw,
    list_events,
)
