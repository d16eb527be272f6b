"""The centre from the command line: ``python -m sync.server``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from sync.server.commands import compounds, gates, guards, passes, people, serving, staff
from sync.server.commands.shell import Place


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


for noun in (serving, compounds, gates, guards, passes, people, staff):
    for one in noun.COMMANDS:
        main.add_command(one)

if __name__ == "__main__":
    os.umask(0o077)  # whatever it writes holds secrets or people: snapshots, cards, temporary files
    main(prog_name="python -m sync.server")
