"""Compounds, wider scopes and their rules."""

from __future__ import annotations

import base64
from typing import Any

import click
import msgspec

from sync.server.centre.errors import CentreError
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.commands.shell import Shell, command, number_of
from sync.server.passes import compounds


@command("add-compound")
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


@command("add-scope")
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
        "epoch": made.epoch, "epoch_order": made.epoch_order, "revision": made.revision,
        "root_public": base64.b64encode(made.root_public).decode(),
    }  # fmt: skip


@command("compounds")
def list_compounds(shell: Shell, centre: Centre) -> None:
    """All compounds."""
    found = compounds.list_compounds(centre)
    shell.say([_compound(c) for c in found], "\n".join(f"{c.compound_id:>5}  {c.name_zh}  {c.name_en}" for c in found))


@command("begin-epoch")
@click.argument("compound", default="")
@click.option("--all", "everywhere", is_flag=True, help="Every compound and wider scope, as a backup holds them all.")
@click.confirmation_option(prompt="Every gate there will fetch its whole list again. Go on?")
def begin_epoch(shell: Shell, centre: Centre, compound: str, everywhere: bool) -> None:
    """After restoring a backup: a new epoch, with revisions and serials far above any gate's.

    \b
    Examples:
      python -m sync.server begin-epoch 7 --yes
      python -m sync.server begin-epoch --all --yes
    """
    if everywhere == bool(compound):
        raise CentreError(en="Name one compound, or say --all.")
    wanted = compounds.list_places(centre) if everywhere else [compounds.find_compound(centre, compound)]
    found = [compounds.begin_epoch(centre, place.compound_id, shell.by) for place in wanted]
    words = "\n".join(f"Compound {one.compound_id} goes on under epoch {one.epoch}." for one in found)
    shell.say([_compound(one) for one in found] if everywhere else _compound(found[0]), words)


@command("set-rule")
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
    compound_id = number_of(centre, compound)
    if key == "all":
        rules = compounds.parse_rules(value)
        compounds.set_rules(centre, compound_id, rules, shell.by)
    else:
        rules = compounds.set_rule(centre, compound_id, key, value, shell.by)
    shell.say(rules, f"{key} is set.")


@command("rules")
@click.argument("compound")
def show_rules(shell: Shell, centre: Centre, compound: str) -> None:
    """The rules of a compound, as JSON."""
    rules = compounds.read_rules(compounds.find_compound(centre, compound))
    shell.say(rules, msgspec.json.format(msgspec.json.encode(rules)).decode())


COMMANDS: tuple[click.Command, ...] = (
    add_compound,
    add_scope,
    list_compounds,
    begin_epoch,
    set_rule,
    show_rules,
)
