"""Guards: the people at the gates, who sign in with a PIN."""

from __future__ import annotations

import click

from sync.server.centre.writing import Centre
from sync.server.commands.shell import Shell, ask_secret, command, number_of
from sync.server.gates import guards


@command("add-guard")
@click.argument("compound")
@click.argument("name")
@click.option("--role", type=click.Choice(guards.ROLES), default="guard")
@click.option("--pin-stdin", is_flag=True, help="Read the PIN from standard input.")
def add_guard(shell: Shell, centre: Centre, compound: str, name: str, role: guards.GuardRole, pin_stdin: bool) -> None:
    """A guard's account; the PIN is asked for and never shown.

    \b
    Example: python -m sync.server add-guard 7 李强 --role supervisor
    """
    compound_id = number_of(centre, compound)
    guard = guards.add_guard(centre, compound_id, name, role, ask_secret("PIN", pin_stdin), shell.by)
    shell.say(guard, f"Guard {guard.account}, {guard.name}, {guard.role}.")


COMMANDS: tuple[click.Command, ...] = (add_guard,)
