"""``python -m kiosk``: the only place that builds things.

Each command imports what it needs when it runs: the reader must not carry Flask, nor the core a camera.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kiosk.commands.scan import scan
from kiosk.config import Config, ConfigError, in_force, load

if TYPE_CHECKING:
    import socket

    from nacl.public import PrivateKey

    from kiosk.commands.focus import Aid
    from kiosk.core.vouching import Anchor
    from kiosk.selftest.bench import Bench

DEFAULT_CONFIG = "/etc/gate-kiosk/kiosk.toml"


class _Commands(click.Group):
    """Turns what a user can mend into one sentence and exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        from hardware import HardwareError

        try:
            return super().invoke(ctx)
        except (ConfigError, HardwareError) as err:
            raise click.ClickException(str(err)) from err


def _load(ctx: click.Context, _: click.Parameter, path: str) -> Config:
    ctx.meta["config_path"] = Path(path)
    return load(Path(path))


def _config_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--config",
        envvar="GATE_KIOSK_CONFIG",
        default=DEFAULT_CONFIG,
        show_default=True,
        metavar="FILE",
        callback=_load,
        help="The device's configuration.",
    )(command)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The gate kiosk: reads passes, decides, opens, and keeps the centre informed.

    \b
    python -m kiosk scan photo.jpg            what the reader makes of a picture
    python -m kiosk decide G1...  --lane in   what would happen, and why
    python -m kiosk check                     is this gate well?
    python -m kiosk selftest                  what does this board say of itself? --first-hour: all of it
    python -m kiosk journal                   what the journals hold, damaged ones too
    python -m kiosk focus                     how sharp does the camera see?
    python -m kiosk sheet sheet.pdf           a page to print and hold before the camera
    python -m kiosk demo                      a whole town on this laptop
    """


main.add_command(scan)


# --- the four processes ---------------------------------------------------------------------------------------------


@main.command()
@_config_option
def core(config: Config) -> None:
    """The core: decides, drives relay and lights, keeps the journal."""
    from hardware.opening import open_lane
    from hardware.rtc import read_rtc
    from hardware.vitals import read_vitals
    from kiosk.core.book import Book
    from kiosk.core.clock import Clock
    from kiosk.core.gate import DISK_S, Gate
    from kiosk.core.guards.acts import GuardActs
    from kiosk.core.guards.family import FamilyThrough
    from kiosk.core.guards.live import LiveList
    from kiosk.core.guards.post import GuardSessions, KeptSessions, this_boot
    from kiosk.core.guards.provisional import KeptEntries, ProvisionalEntries
    from kiosk.core.guards.tries import KeptTries
    from kiosk.core.journal import Journal
    from kiosk.core.kept import Kept, Memory, Statements
    from kiosk.core.lanes.lane_run import LaneRun
    from kiosk.core.loop import CoreLoop
    from kiosk.core.mirror import Mirror
    from kiosk.core.report import versions
    from kiosk.core.vitals import BoardWatch
    from kiosk.core.vouching import Vouching
    from kiosk.service import Service, log_to_stdout

    log_to_stdout()
    service = Service()
    service.on_signals()
    try:
        config.core_state.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as err:  # it decides all the same, and the journal goes on trying
        logging.getLogger("core").error("state=unwritable path=%s why=%r", config.core_state, err.strerror)
    anchor = _anchor(config)
    kept = Kept(config.core_state / "kept.json", Memory(), patience_s=DISK_S)
    statements = Kept(config.core_state / "vouched.json", Statements(), patience_s=DISK_S)
    board = BoardWatch(lambda: read_vitals(config.core_state), read_rtc, time.monotonic).start()
    clock = Clock(kept, rtc=board.rtc, boot_id=this_boot())
    journal = Journal(config.core_state, lambda: clock.now().utc_ms)
    vouching = Vouching(anchor, _box(config), kept, statements)
    mirror = Mirror(config.list_folder, vouching, clock.now)
    live = LiveList()
    simulated = config.simulated
    runs = {
        lane.name: LaneRun(lane, config.screen, open_lane(lane.name, lane, simulated.folder, simulated.passage_after_s))
        for lane in config.lane
    }
    own_scope = anchor.compound if anchor else 0
    book = Book(journal, clock, live.tell)
    gate = Gate(runs, book, journal, mirror, clock, kept, own_scope, time.monotonic)
    entries = Kept(config.core_state / "provisional.json", KeptEntries(), patience_s=DISK_S)
    provisional = ProvisionalEntries(gate, book, mirror, clock, entries)
    family = FamilyThrough(gate, book, mirror, clock, time.monotonic)
    acts = GuardActs(gate, book, mirror, kept, time.monotonic, provisional, family)
    tries = Kept(config.core_state / "tries.json", KeptTries(), patience_s=DISK_S)
    sessions = Kept(config.core_state / "sessions.json", KeptSessions(), patience_s=DISK_S)
    post = GuardSessions(lambda: mirror.vouched.accounts, time.monotonic, tries, sessions, this_boot())
    running = CoreLoop(
        config, anchor, gate, book, acts, live, journal, mirror, clock, kept, post, time.monotonic, board.vitals,
        versions(),
    )  # fmt: skip
    running.begin()
    pairs = ("core-reader", "core-guard", "core-sync")
    running.serve({pair: _listener(config, pair) for pair in pairs})
    service.ready(f"lanes={','.join(runs)} enrolled={anchor is not None}")
    running.run(service)
    board.close()
    service.stop()


@main.command()
@_config_option
def reader(config: Config) -> None:
    """The reader: cameras and decoders. Has no network, no keys, no databases."""
    import faulthandler

    from hardware.opening import open_camera
    from hardware.reading.decoder import QrDecoder
    from kiosk.channel import MAX_PHOTO_MESSAGE, Client, Server
    from kiosk.reader.absence import Search
    from kiosk.reader.caps import hold_off_end, limit_memory
    from kiosk.reader.process import Reader
    from kiosk.service import Service, log_to_stdout

    log_to_stdout()
    service = Service()
    service.on_signals()
    faulthandler.enable()  # an engine that crashes leaves a line that says where
    limit_memory()
    running = Reader(
        config.camera,
        QrDecoder(),
        lambda: Client(config.socket("core-reader")),
        lambda settings: open_camera(settings, config.simulated.folder, config.real_cameras),
        lamps=[lane.name for lane in config.lane if lane.illumination is not None],
        search=Search(Path(os.environ.get("RUNTIME_DIRECTORY", config.gate.run)) / "camera-absent"),
    )
    pair = "reader-guard"
    server = Server(_listener(config, pair), running.verbs(), MAX_PHOTO_MESSAGE).start()
    hold_off_end()
    running.start()
    service.ready(f"cameras={len(config.camera)}")
    while not service.stopping.wait(1):
        if running.frame_age() < FRAME_AGE_S:
            service.alive()
            hold_off_end()
        if running.looks_anew():
            break
    service.stop()
    server.close()
    running.close()


FRAME_AGE_S = 8.0
"""A reader whose frames have stood still for so long, while its camera should be there, is no longer fed: systemd's
watchdog or its own (:func:`kiosk.reader.caps.hold_off_end`) ends it ten seconds later."""


PAGE_NICE = 10
"""The core goes first: whatever strangers make the page do, a pass is read as fast as before."""


@main.command()
@_config_option
def guard(config: Config) -> None:
    """The guards' page. Asks the core for everything; has no camera, pins or databases."""
    from gevent import monkey

    monkey.patch_all()  # before anything else of ours opens a socket or a lock

    import gevent

    from kiosk.guard.app import create_app
    from kiosk.guard.lane.sounds import Sounds
    from kiosk.guard.line import CoreLine, GuardSettings
    from kiosk.service import Service, log_to_stdout
    from sync.serving import ServeError, serve, tls_of

    log_to_stdout()
    with suppress(OSError):  # a unit may not, and has its CPUWeight= instead
        os.nice(PAGE_NICE)
    service = Service()
    service.on_signals()
    passes = Path(config.simulated.passes) if config.simulated.passes else None
    settings = GuardSettings(
        simulated=bool(config.simulated_parts()),
        demo_passes=passes,
        secure_cookies=bool(config.guard.tls_cert),
        screen_elsewhere=config.guard.screen_elsewhere,
        sounds=Sounds(
            config.screen.volume,
            config.screen.night_volume,
            config.screen_night,
            Path(config.screen.voices) if config.screen.voices else None,
        ),
        hosts=(*config.guard.hosts, *filter(None, [config.screen.tls_name])),
    )
    app = create_app(CoreLine(config.socket("core-guard"), config.socket("reader-guard")), settings)
    try:
        tls = tls_of(config.guard.tls_cert, config.guard.tls_key, ("guard.tls_cert", "guard.tls_key"))
        server = serve(app, config.guard.host, config.guard.port, tls=tls)
    except ServeError as err:
        raise click.ClickException(str(err)) from err
    serving = gevent.spawn(server.serve_forever)
    service.ready(f"port={server.port}")
    while not service.stopping.wait(1):
        service.alive()  # runs on the same loop that answers the pages
    service.stop()
    server.close()
    serving.kill(timeout=2)


@main.command()
@_config_option
def sync(config: Config) -> None:
    """Sync: the only process that reaches the centre. Writes the list, carries the events."""
    from kiosk.channel import Client
    from kiosk.courier import CoreOverSocket
    from kiosk.service import Service, log_to_stdout
    from sync.agent.agent import build_agent
    from sync.agent.enrol import EnrolError

    log_to_stdout()
    os.umask(0o007)  # the core reads the list under its own user, through the common group
    service = Service()
    service.on_signals()
    anchor = _anchor(config)
    if anchor is None:
        service.ready("not enrolled")
        logging.getLogger("sync").error("state=not_enrolled do=%r", "python -m kiosk enrol CODE --centre URL")
        while not service.stopping.wait(1):
            service.alive()
        return
    core_side = CoreOverSocket(Client(config.socket("core-sync")))
    try:
        agent = build_agent(
            core_side, config.list_folder, config.sync_state, anchor.compound, anchor.root_public, ca=config.centre.ca
        )
    except (EnrolError, OSError) as err:
        raise click.ClickException(f"sync cannot start: {err}") from err
    service.ready(f"centre={config.centre.url}")
    agent.run(service.stopping, service.alive)
    service.stop()


@main.command()
@click.option("--folder", default="/run/gate-kiosk-screen", show_default=True, type=click.Path(path_type=Path),
              help="Holds the browser's profile; lost at every start.")  # fmt: skip
@_config_option
def screen(config: Config, folder: Path) -> None:
    """The lane's screen on the display of this device; its unit runs this."""
    from kiosk.display.browser import BrowserError
    from kiosk.display.stage import Stage
    from kiosk.service import Service, log_to_stdout

    log_to_stdout()
    service = Service()
    service.on_signals()
    try:
        Stage(config, service, folder).run()
    except BrowserError as err:
        raise click.ClickException(str(err)) from err
    service.stop()


@main.command()
@click.option("--folder", default="/var/lib/gate-kiosk/breadcrumb", show_default=True,
              type=click.Path(path_type=Path), help="Holds the lines.")  # fmt: skip
@click.option("--run-folder", default="/run/gate-kiosk-breadcrumb", show_default=True,
              type=click.Path(path_type=Path), help="Outlasts a restart of this program, and no reboot.")  # fmt: skip
def breadcrumb(folder: Path, run_folder: Path) -> None:
    """The last warnings before a crash, kept on the card; its unit runs this."""
    from kiosk.breadcrumb import follow
    from kiosk.service import Service, log_to_stdout

    log_to_stdout()
    service = Service()
    service.on_signals()
    service.ready(f"folder={folder}")
    try:
        follow(folder, run_folder, service.stopping, service.alive)
    except (OSError, EOFError) as err:
        raise click.ClickException(f"the journal cannot be followed: {err}") from err
    service.stop()


@main.command()
@_config_option
@click.pass_context
def run(ctx: click.Context, /, **_: Config) -> None:
    """All four processes in one terminal; Ctrl-C ends them."""
    from kiosk.service import Service, log_to_stdout
    from kiosk.together import Together

    log_to_stdout()
    service = Service()
    service.on_signals()
    together = Together(ctx.meta["config_path"])
    service.stopping.wait()
    together.stop()


def _listener(config: Config, pair: str) -> socket.socket:
    """The socket of a pair, from systemd or made here. Raises ConfigError where it cannot be."""
    from kiosk.service import listener

    path = config.socket(pair)
    try:
        return listener(pair, path)
    except OSError as err:
        raise ConfigError(f"gate.run: no socket can be made at {path}: {err.strerror or err}") from err


def _anchor(config: Config) -> Anchor | None:
    """Whom this device trusts; None before enrolment. Raises ConfigError for a broken anchor."""
    import msgspec

    from kiosk.core.vouching import Anchor

    path = Path(config.gate.anchor)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Anchor)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as err:
        raise ConfigError(f"{path}: {err}; enrol this gate again") from err


def _box(config: Config) -> PrivateKey | None:
    from nacl.public import PrivateKey

    try:
        return PrivateKey((config.core_state / "box.key").read_bytes())
    except (OSError, ValueError, TypeError):
        return None


# --- commands for people --------------------------------------------------------------------------------------------


@main.command("config")
@_config_option
def show_config(config: Config) -> None:
    """Print the configuration in force, defaults filled in, as JSON."""
    click.echo(json.dumps(in_force(config), indent=2, ensure_ascii=False))


@main.command()
@click.argument("code")
@click.option("--centre", required=True, metavar="URL", help="Where the centre is, e.g. https://centre.example")
@click.option("--ca", default="", metavar="FILE", help="PEM file of the centre's certificate authority.")
@click.option("--replace", is_flag=True, help="This device already belongs to a gate: make it another's.")
@_config_option
def enrol(config: Config, code: str, centre: str, ca: str, replace: bool) -> None:
    """Make this device a gate, with the one-time CODE from the centre.

    \b
    python -m kiosk enrol B48V-DKH0-082N-JBMY-60RK-4CSM-6MV3-EE1S --centre https://centre.example
    """
    from kiosk.commands.enrolment import enrol_device
    from sync.agent.enrol import EnrolError

    try:
        anchor = enrol_device(config, code, centre, ca or config.centre.ca, replace)
    except EnrolError as err:
        raise click.ClickException(str(err)) from err
    click.echo(f"This is now gate {anchor.gate} of compound {anchor.compound}.")


@main.command()
@click.argument("text")
@click.option("--at", "at", metavar="TIME", help="When, as 2026-11-23T14:05 in the compound's time; default: now.")
@click.option("--lane", metavar="NAME", help="Which lane; default: the first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@_config_option
def decide(config: Config, text: str, at: str | None, lane: str | None, as_json: bool) -> None:
    """What would happen if TEXT were held up here, and why. Nothing is recorded and nothing moves.

    \b
    python -m kiosk decide "$(cat pass.txt)" --at 2026-11-23T22:30 --lane entry
    """
    from kiosk.commands.preview import preview

    anchor = _anchor(config)
    try:
        result = preview(config, anchor, _box(config), text, at, lane)
    except ValueError as err:
        raise click.ClickException(str(err)) from err
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
        return
    for name, value in result.items():
        click.echo(f"{name:12} {value}")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@_config_option
def check(config: Config, as_json: bool) -> None:
    """Is this gate well? Camera, decoder, pins, databases, clock, centre: one line each, and what to do."""
    from kiosk.commands.check import findings

    bad = 0
    for finding in findings(config, _anchor(config)):
        bad += not finding.ok
        if as_json:
            click.echo(json.dumps({"part": finding.part, "ok": finding.ok, "text": finding.text, "do": finding.do}))
        else:
            todo = f"  -> {finding.do}" if finding.do and not finding.ok else ""
            click.echo(f"{'ok ' if finding.ok else 'BAD'} {finding.part:10} {finding.text}{todo}")
    sys.exit(1 if bad else 0)


@main.command()
@click.option("--first-hour", is_flag=True, help="All of it, asking a person where one must look or act.")
@click.option("--finish", is_flag=True, help="A day after the first hour: what needed the day, and the end of it.")
@click.option("--again", multiple=True, metavar="STEP", help="With --first-hour: do this step again, as it is named.")
@click.option("--skip", multiple=True, metavar="STEP", help="Leave this step out, for every lane.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Where the report is written.  [with --first-hour: selftest/ in the state folder]")  # fmt: skip
@click.option("--after-boot", is_flag=True, hidden=True)
@_config_option
@click.pass_context
def selftest(
    ctx: click.Context, /, config: Config, first_hour: bool, finish: bool, again: tuple[str, ...],
    skip: tuple[str, ...], report: Path | None, after_boot: bool,
) -> None:  # fmt: skip
    """Try this board: what it says of itself, or the whole first hour. What does not hold makes exit code 1.

    Without an option nobody is asked, nothing is stopped, and it takes seconds. The first hour goes on where it was
    after a reboot, a pulled plug or Ctrl-C: run the same command again. It leaves one file for us.

    \b
    python -m kiosk selftest
    sudo python -m kiosk selftest --first-hour
    sudo python -m kiosk selftest --finish          a day later
    """
    from kiosk.selftest.bench import Bench, Machine, Terminal
    from kiosk.selftest.plan import plan
    from kiosk.selftest.run import REPORT, Run
    from kiosk.selftest.words import RUN

    person = Terminal(click.echo, input)
    folder = Path(config.gate.state) / "selftest"
    bench = Bench(config, folder, person, Machine(), config_path=ctx.meta["config_path"].absolute())
    steps = [step for step in plan(config) if not {step.name, step.kind} & set(skip)]
    if not (first_hour or finish or after_boot):
        run = Run(bench, [step for step in steps if step.quick], click.echo, keeps=False)
        run.go()
        if report:
            run.report(report)
        sys.exit(0 if run.held else 1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise click.ClickException(f"{folder}: {err.strerror}; run it with sudo") from err
    if after_boot:
        _after_boot(bench)
        return
    run = Run(bench, steps, click.echo)
    run.forget(again)
    ended = "stopped"
    try:
        ended = run.go(finish)
    except KeyboardInterrupt:
        pass
    finally:
        run.report(report or folder / REPORT)
    if ended != "paused":
        person.tell(RUN["stopped" if ended == "stopped" else "all_done" if finish else "first_done"])
    zh, en = RUN["send"]
    person.tell((zh.format(path=report or folder / REPORT), en.format(path=report or folder / REPORT)))
    sys.exit(0 if run.held else 1)


def _after_boot(bench: Bench) -> None:
    from kiosk.selftest.watch import after_boot
    from kiosk.service import Service, log_to_stdout

    log_to_stdout()
    service = Service()
    service.on_signals()
    after_boot(bench, service.stopping)


@main.command("journal")
@click.option("--read", "path", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE",
              help="Print the whole events of this journal file, one JSON object a line.")  # fmt: skip
@_config_option
def show_journals(config: Config, path: Path | None) -> None:
    """The journals of this gate with their whole events, damaged ones too. Nothing is written to them.

    \b
    python -m kiosk journal
    python -m kiosk journal --read /var/lib/gate-kiosk/core/journal-5f43.damaged-d5a8 > events.jsonl
    """
    from kiosk.commands.journal import as_lines, surveys

    try:
        lines = list(as_lines(path) if path else map(str, surveys(config.core_state)))
    except OSError as err:
        raise click.ClickException(f"{path or config.core_state}: {err.strerror or err}") from err
    if not lines:
        raise click.ClickException(f"{path or config.core_state}: there is no event of a journal here")
    for line in lines:
        click.echo(line)


@main.command()
@click.option("--lane", metavar="NAME", help="Whose camera; default: the first one.")
@click.option("--address", default="127.0.0.1", show_default=True, help="Where the page listens; 0.0.0.0: everywhere.")
@click.option("--port", default=8091, show_default=True, help="Port of the page; 0: a free one.")
@click.option("--minutes", default=15.0, show_default=True, help="Ends by itself after so long.")
@click.option("--search", is_flag=True, help="Autofocus lens: find the sharpest distance first.")
@click.option("--once", is_flag=True, help="No page: the figures of now, or of a --search, and the end.")
@click.option("--json", "as_json", is_flag=True, help="JSON objects, one a line, for scripts.")
@_config_option
def focus(
    config: Config,
    lane: str | None,
    address: str,
    port: int,
    minutes: float,
    search: bool,
    once: bool,
    as_json: bool,
) -> None:
    """Set a camera's distance, or turn its lens: how sharp it sees, live, here and on a page.

    \b
    sudo systemctl stop gate-kiosk-reader        (the camera serves one program at a time)
    python -m kiosk focus                        and open the address it prints
    python -m kiosk focus --search --once        autofocus lens: the line for kiosk.toml
    ssh -L 8091:127.0.0.1:8091 pi@GATE           brings the page to another machine
    """
    from hardware.opening import open_camera
    from hardware.reading.decoder import QrDecoder
    from kiosk.commands.focus import START_READER, Aid, in_place, in_words, look_once, look_until, open_for_focus
    from kiosk.commands.focus import as_json as in_json

    settings = next((camera for camera in config.camera if lane in (None, camera.lane)), None)
    if settings is None:
        raise click.ClickException(f"no camera looks at lane {lane}" if lane else "there is no [[camera]]")
    camera = open_for_focus(settings, lambda chosen: open_camera(chosen, among=config.real_cameras))
    try:
        aid = Aid(camera, QrDecoder(), settings.distance_cm)
        if search and not aid.search():
            raise click.ClickException("this lens is turned by hand: there is nothing to search")
        said = in_json if as_json else in_words
        if once:
            click.echo(said(look_once(aid), settings.lane))
            return
        ends = time.monotonic() + 60 * minutes
        with (
            _focus_page(aid, settings.lane, address, port, lambda: ends - time.monotonic()),
            in_place(sys.stdout.isatty() and not as_json) as put,
        ):
            look_until(aid, lambda: time.monotonic() > ends, lambda figures: put(said(figures, settings.lane)))
    except KeyboardInterrupt:
        pass
    finally:
        camera.close()
        if settings.part == "picamera2":
            click.echo(f"Start the reader again: {START_READER}", err=True)


def _own_name() -> str:
    """This machine's name, which Raspberry Pi OS makes known as NAME.local."""
    return os.uname().nodename.removesuffix(".local")


@contextmanager
def _focus_page(aid: Aid, lane: str, address: str, port: int, seconds_left: Callable[[], float]) -> Iterator[None]:
    """The page, served from threads; its address, good once, on stderr."""
    import threading

    from kiosk.commands.focus_page import FocusServer, Keys, create_page

    keys = Keys()
    try:
        server = FocusServer(address, port, create_page(aid, lane, keys, seconds_left))
    except OSError as err:
        raise click.ClickException(f"the page cannot listen on {address} port {port}: {err.strerror or err}") from err
    serving = threading.Thread(target=server.serve_forever, name="focus-page", daemon=True)
    serving.start()
    host = f"{_own_name()}.local" if address in ("0.0.0.0", "::") else f"[{address}]" if ":" in address else address
    click.echo(f"Open, in one browser: http://{host}:{server.port}/enter/{keys.token}", err=True)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        serving.join(2)


@main.command()
@click.argument("paths", metavar="OUT | PHOTO...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--check", "photos", is_flag=True, help="Say what the reader reads of the printed sheet on these photos.")
@click.option("--font", type=click.Path(path_type=Path), metavar="FILE", help="A font with Chinese characters.")
def sheet(paths: tuple[Path, ...], photos: bool, font: Path | None) -> None:
    """The calibration sheet, A4, as PDF or PNG; with --check, the smallest code on it that is read.

    With --check, exit code 0: a code as small as a card's was read. 1: none was, or a photo could not be looked at.

    \b
    python -m kiosk sheet sheet.pdf
    python -m kiosk sheet --check photo.jpg more-photos/
    """
    from hardware.reading.decoder import QrDecoder
    from kiosk.commands.sheet import NO_CHINESE, RULER_CM, check, draw, save, told

    if photos:
        read, wrong = check(QrDecoder(), paths)
        for line in wrong:
            click.echo(line, err=True)
        click.echo(told(read))
        sys.exit(0 if read.reads_cards and not wrong else 1)
    if len(paths) != 1:
        raise click.UsageError("Name one file to write, OUT.pdf or OUT.png; or say --check.")
    drawn, chinese = draw(font)
    save(drawn, paths[0])
    if not chinese:
        click.echo(NO_CHINESE, err=True)
    click.echo(f"{paths[0]}: print it at 100 %, then measure its ruler: {RULER_CM}.0 cm.")


@main.command()
@click.option("--once", is_flag=True, help="Play the whole story without a person; exit 0 only if all came out right.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Story as JSON.")
@click.option("--port", type=int, help="Port of the page; 0: a free one.  [default: 8090, or a free one]")
@click.option("--state", type=click.Path(file_okay=False, path_type=Path), help="Keep everything here afterwards.")
def demo(once: bool, report: Path | None, port: int | None, state: Path | None) -> None:
    """Start a centre and a gate with simulated parts on this machine, until Ctrl-C.

    Open the one address it prints: behind it is a door for each person.

    \b
    python -m kiosk demo
    python -m kiosk demo --once --report story.json
    """
    from kiosk.demo.centre import DemoError
    from kiosk.demo.town import open_town

    try:
        with open_town(state) as town:
            if once:
                from kiosk.demo.story import play

                sys.exit(0 if play(town, report) else 1)
            from kiosk.demo.doors import stay_open

            stay_open(town, port)
    except DemoError as err:
        raise click.ClickException(str(err)) from err


if __name__ == "__main__":
    main(prog_name="python -m kiosk")
