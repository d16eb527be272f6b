"""What every command shares: where the centre is, how to print, who is acting, and what a mistake looks like."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from sync.server.centre.errors import CentreError
from sync.server.centre.settings import Settings
from sync.server.centre.store import StoreError
from sync.server.centre.vault import VaultError
from sync.server.centre.writing import Centre
from sync.server.opening import open_centre
from sync.server.passes import compounds


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


def command(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """A command on an open centre; what a person got wrong becomes a sentence, not a traceback."""

    def wrap(function: Callable[..., None]) -> click.Command:
        @click.command(name)
        @click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
        @click.pass_context
        @wraps(function)
        def on_centre(context: click.Context, /, as_json: bool, **kwargs: Any) -> None:
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

        return on_centre

    return wrap


def number_of(centre: Centre, compound: str) -> int:
    """A compound's number, from its number or exact name. Raises CentreError."""
    return compounds.find_compound(centre, compound).compound_id


def ask_secret(what: str, from_stdin: bool) -> str:
    """A PIN or password, from standard input or asked for twice; never shown."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    asked: str = click.prompt(what, hide_input=True, confirmation_prompt=True, err=True)
    return asked
