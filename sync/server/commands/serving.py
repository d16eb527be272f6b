"""Serve gates and pages."""

from __future__ import annotations

import sys

import click

from sync.server.centre.store import StoreError
from sync.server.centre.vault import VaultError
from sync.server.commands.shell import Place, Shell
from sync.server.opening import open_centre


@click.command()
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
    from sync.server.serve import ServeError, serve

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
    except ServeError as err:
        raise click.ClickException(f"{str(err)[0].upper()}{str(err)[1:]}.") from err


COMMANDS: tuple[click.Command, ...] = (run,)
