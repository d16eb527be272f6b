"""Staff: the people who have an account for the pages."""

from __future__ import annotations

import click
import msgspec

from sync.server.centre.writing import Centre
from sync.server.commands.shell import Shell, ask_secret, command, number_of
from sync.server.people.public_address import public_address
from sync.server.staff import roles, sign_in


@command("add-staff")
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
    chosen = ask_secret("Password", password_stdin) if ask or password_stdin else None
    if chosen is not None:
        sign_in.check_password(chosen)
    role = role or ("town" if everywhere else "property")
    link = sign_in.add_staff(
        centre, account, name, everywhere, [number_of(centre, wanted) for wanted in named], role, shell.by
    )
    if chosen is not None:
        sign_in.set_password(centre, account, chosen)
        return shell.say({"account": account}, f"Account {account} may sign in.")
    return _say_link(shell, centre, link)


@command("staff-link")
@click.argument("account")
def staff_link(shell: Shell, centre: Centre, account: str) -> None:
    """Another one-time link for an account whose password is forgotten."""
    link = sign_in.new_link(centre, account, shell.by)
    _say_link(shell, centre, link)


def _say_link(shell: Shell, centre: Centre, link: sign_in.Link) -> None:
    """The whole address where the town has set one; else its path, and how to set it."""
    with centre.store.read() as conn:
        address = public_address(conn, link.path)
    words = f"Open within a day to choose a password:\n{address}"
    if not address:
        words = (
            f"Open this path of the centre within a day to choose a password:\n{link.path}\n"
            "The town has not set its public address: run --public-url sets it, and so does the page Town settings."
        )
    shell.say(msgspec.to_builtins(link) | {"address": address}, words)


COMMANDS: tuple[click.Command, ...] = (
    add_staff,
    staff_link,
)
