"""Serve gates and pages."""

from __future__ import annotations

import sys

import click

from sync.hosts import host_of
from sync.server.centre.errors import CentreError
from sync.server.centre.store import StoreError
from sync.server.centre.vault import VaultError
from sync.server.centre.writing import Centre
from sync.server.commands.shell import Place, Shell
from sync.server.opening import open_centre
from sync.server.people.public_address import public_base
from sync.server.people.town_setting import put_public_url


@click.command()
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", default=8080, type=click.IntRange(0, 65535), help="0: any free port; it is printed.")
@click.option("--tls-cert", type=click.Path(exists=True, dir_okay=False), help="Certificate chain, PEM.")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False), help="Its private key, PEM.")
@click.option(
    "--public-url",
    default="",
    metavar="URL",
    help="Where residents reach the centre; kept, unless the town has set another address.",
)
@click.option(
    "--host-name",
    "host_names",
    multiple=True,
    metavar="NAME",
    help="Another name or address the centre answers to; may be given several times.",
)
@click.option("--proxies", default=0, type=click.IntRange(0, 5), help="Reverse proxies in front that do TLS.")
@click.option("--streams", default=300, type=click.IntRange(1, 5000), help="Gates that may wait for wake-ups.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_obj
def run(place: Place, host: str, port: int, tls_cert: str | None, tls_key: str | None, public_url: str,
        host_names: tuple[str, ...], proxies: int, streams: int, as_json: bool) -> None:  # fmt: skip
    """Serve gates and pages until SIGTERM.

    Requests are answered under the town's public address, under names given with --host-name, and under the address in
    figures that they arrived at. Any other name is refused: a stranger's site could have it lead here.

    \b
    Example: python -m sync.server run --host 0.0.0.0 --port 8443 --tls-cert centre.pem --tls-key centre-key.pem
    """
    from sync.server.serve import ServeError, serve

    if (tls_cert is None) != (tls_key is None):
        raise click.ClickException("--tls-cert and --tls-key belong together.")
    tls = (tls_cert, tls_key) if tls_cert and tls_key else None
    shell = Shell(place, as_json)
    settings = shell.settings(
        proxies=proxies, streams=streams, secure_cookies=bool(tls or proxies), host_names=_names(host_names)
    )
    try:
        centre = open_centre(settings)
        try:
            _keep_public_url(shell, centre, public_url)
        finally:
            centre.close()
    except CentreError as err:
        raise click.ClickException(f"--public-url: {err}") from err
    except (StoreError, VaultError, OSError) as err:
        raise click.ClickException(f"The centre's state in {place.state} cannot be used: {err}") from err

    def ready(chosen: int) -> None:
        reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        reached = f"[{reached}]" if ":" in reached else reached
        url = f"{'https' if tls else 'http'}://{reached}:{chosen}"
        shell.say({"host": host, "port": chosen, "url": url}, f"The centre is at {url}")
        sys.stdout.flush()

    try:
        serve(settings, host, port, ready, tls)
    except ServeError as err:
        raise click.ClickException(f"{str(err)[0].upper()}{str(err)[1:]}.") from err


def _names(given: tuple[str, ...]) -> tuple[str, ...]:
    """As browsers send them. Raises ClickException for one that is no name."""
    for name in given:
        if not name or host_of(f"[{name}]" if ":" in name else name) != name.lower():
            raise click.ClickException(f"--host-name: {name!r} is no name or address, without https:// and a port.")
    return tuple(name.lower() for name in given)


def _keep_public_url(shell: Shell, centre: Centre, url: str) -> None:
    """Set the town's public address where it has none. Raises CentreError for an invalid one."""
    with centre.store.read() as conn:
        base = public_base(conn)
    if url and not base:
        put_public_url(centre, url, shell.by)
    elif url and base != url.rstrip("/"):
        click.echo(f"The town has set {base}; --public-url is not used.", err=True)


COMMANDS: tuple[click.Command, ...] = (run,)
