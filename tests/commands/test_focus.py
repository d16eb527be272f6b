"""The focus aid: its number, its search, its page and its command, on a simulated camera with a lens."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import requests
import segno
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image, ImageFilter

from hardware import Camera, CameraSettings, HardwareError, PartInUse, Picture
from hardware.reading.decoder import QrDecoder
from hardware.simulated import SimulatedCamera
from kiosk.commands import focus_words
from kiosk.commands.focus import Aid, FocusFigures, Sweep, advice, in_words, module_px, open_for_focus, sharpness
from kiosk.commands.focus_page import CONNECTIONS, FocusServer, Keys, create_page

ROOT = Path(__file__).parents[2]
TEXT = "G1" + "A7B.Z0" * 20
SETTINGS = CameraSettings(lane="entry", part="simulated", width=640, height=360)


def card(scale: int = 4, error: str = "q") -> Picture:
    file = io.BytesIO()
    segno.make(TEXT, error=error, micro=False).save(file, kind="png", scale=scale, border=4)
    return np.asarray(Image.open(file).convert("L"))


def blurred(picture: Picture, sigma: float) -> Picture:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(sigma)))


# --- the number -------------------------------------------------------------------------------------------------------


def frame(scale: int = 5) -> Picture:
    picture = np.full((720, 1280), 90, np.uint8)
    held = card(scale)
    picture[100 : 100 + held.shape[0], 500 : 500 + held.shape[1]] = held
    return picture


def test_the_number_falls_with_every_bit_of_blur() -> None:
    numbers = [sharpness(blurred(frame(), sigma))[0] for sigma in (0, 0.5, 1, 1.5, 2, 3, 4, 6)]
    assert numbers[0] > 95
    assert all(after < before - 2 for before, after in itertools.pairwise(numbers))


@pytest.mark.parametrize("sigma", [0.5, 1.5, 3.0])
def test_neither_light_nor_noise_pass_for_sharpness(sigma: float) -> None:
    picture = blurred(frame(), sigma)
    noise = np.random.default_rng(1).normal(0, 6, picture.shape)
    number = sharpness(picture)[0]
    assert sharpness(np.clip(picture + noise, 0, 255).astype(np.uint8))[0] == pytest.approx(number, abs=5)
    assert sharpness((60 + 0.4 * picture).astype(np.uint8))[0] == pytest.approx(number, abs=5)


@pytest.mark.parametrize("shape", [(720, 1280), (1, 1), (3, 700), (100, 90)])
def test_a_picture_without_an_edge_is_not_sharp_whatever_its_size(shape: tuple[int, int]) -> None:
    assert sharpness(np.full(shape, 140, np.uint8))[0] == 0


@pytest.mark.parametrize("scale", [2, 3, 5, 8])
@pytest.mark.parametrize("error", ["l", "m", "q", "h"])
@pytest.mark.parametrize("turn", [0, 1, 2])
def test_the_pixels_of_a_module_are_counted(scale: int, error: str, turn: int) -> None:
    picture = np.rot90(card(scale, error), turn).copy()
    (code,) = QrDecoder().decode(picture)
    assert module_px(picture, code.corners) == pytest.approx(scale, rel=0.04)


def test_a_symbol_without_four_corners_has_no_module() -> None:
    assert module_px(card(), ()) is None


# --- the search -------------------------------------------------------------------------------------------------------


def searched(sharp_cm: float, nearest_cm: float = 5.0, width: float = 1.0) -> Sweep:
    """A whole search with a lens whose number falls off over so many dioptres."""
    sweep = Sweep(nearest_cm)
    rng = np.random.default_rng(0)
    while not sweep.over:
        off = abs(100 / sweep.distance_cm - 100 / sharp_cm)
        sweep.step(60 / (1 + (off / width) ** 2) + rng.normal(0, 0.5))
    return sweep


@pytest.mark.parametrize("sharp_cm", [12.0, 20.0, 25.0, 33.0, 60.0])
def test_a_search_finds_where_the_lens_is_sharp(sharp_cm: float) -> None:
    found = searched(sharp_cm).best_cm()
    assert found is not None
    assert abs(100 / found - 100 / sharp_cm) < 0.15  # dioptres


def test_a_search_that_sees_no_difference_finds_nothing() -> None:
    sweep = Sweep(8.0)
    while not sweep.over:
        assert sweep.best_cm() is None
        sweep.step(20.0)
    assert sweep.best_cm() is None


def test_a_search_goes_forward_to_its_end_in_less_than_half_a_minute() -> None:
    sweep, told, frames = Sweep(3.0), [0], 0
    while not sweep.over:
        sweep.step(30.0 / (1 + abs(100 / sweep.distance_cm - 4)))
        told.append(sweep.percent)
        frames += 1
    assert told == sorted(told)
    assert told[-1] == 100
    assert frames / 30 < 30


# --- the aid ----------------------------------------------------------------------------------------------------------


def aid_on(held_cm: float = 25.0, picture: Picture | None = None) -> Aid:
    camera = SimulatedCamera(SETTINGS, lambda: 0.0, lambda seconds: None)
    camera.keep(card() if picture is None else picture)
    camera.held_cm = held_cm
    return Aid(camera, QrDecoder(), SETTINGS.distance_cm)


def after(aid: Aid, frames: int) -> FocusFigures:
    for _ in range(frames):
        figures = aid.turn()
    return figures


def when_searched(aid: Aid) -> FocusFigures:
    """The figures when a search has ended and the picture has followed the lens."""
    while aid.turn().sweep is not None:
        pass
    return after(aid, 20)


def test_a_sheet_in_focus_is_read_and_good() -> None:
    figures = after(aid_on(), 20)
    assert (figures.code, figures.engine, figures.advice) == (True, "zxing", "onward")
    assert figures.module_px is not None
    assert figures.sharpness > 80
    assert figures.best >= figures.sharpness


@pytest.mark.slow
def test_a_sheet_that_stays_on_its_stand_goes_on_being_read() -> None:
    aid = aid_on()
    read = [aid.turn().code for _ in range(400)]
    assert all(read[-50:])


def test_turning_away_from_the_best_is_said_and_forgotten_on_request() -> None:
    aid = aid_on()
    after(aid, 20)
    aid._camera.focus(20.0)
    assert after(aid, 20).advice == "turn"
    aid._camera.focus(25.0)
    assert after(aid, 20).advice == "good"
    aid.begin_anew()
    assert after(aid, 20).advice == "onward"


@pytest.mark.slow
def test_a_search_moves_the_lens_and_leaves_it_where_it_is_sharp() -> None:
    aid = aid_on(held_cm=33.0)
    blurry = after(aid, 10).sharpness
    assert aid.search()
    assert aid.turn().advice == "sweeping"
    figures = when_searched(aid)
    assert figures.found_cm == pytest.approx(33.0, abs=1.5)
    assert figures.lens_cm == figures.found_cm
    assert figures.sharpness > blurry + 10
    assert figures.advice == "good"
    assert "distance_cm = 3" in in_words(figures, "entry")


@pytest.mark.slow
def test_a_search_before_an_empty_lane_leaves_the_lens_where_it_was() -> None:
    aid = aid_on(picture=np.full((360, 640), 90, np.uint8))
    aid.search()
    figures = when_searched(aid)
    assert (figures.searched, figures.found_cm, figures.lens_cm) == (True, None, SETTINGS.distance_cm)
    assert "No distance was clearly the sharpest" in in_words(figures, "entry")


def seen(**changes: object) -> FocusFigures:
    usual: dict[str, object] = {
        "frame": 1, "sharpness": 50.0, "best": 51.0, "contrast": 200, "brightness": 100, "code": True,
    }  # fmt: skip
    return FocusFigures(**(usual | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "onward"),
        ({"passed": True}, "good"),
        ({"sweep": 3, "sharpness": 0.0}, "sweeping"),
        ({"sharpness": 0.0, "brightness": 20}, "dark"),
        ({"sharpness": 0.0, "brightness": 240}, "bright"),
        ({"sharpness": 0.0, "code": False}, "nothing"),
        ({"sharpness": 40.0}, "turn"),
        ({"code": False}, "unread"),
        ({"module_px": 2.1}, "closer"),
        ({"module_px": 3.0, "passed": True}, "good"),
    ],
)
def test_what_to_do_first(changes: dict[str, object], expected: str) -> None:
    assert advice(seen(**changes)) == expected
    assert expected in focus_words.FOCUS_ADVICE


def test_a_line_of_the_terminal_holds_the_figures_and_fits() -> None:
    said = in_words(seen(module_px=3.2, engine="zxing", exposure_us=1500, gain=2.0, lens_cm=25.0), "entry")
    assert "50.0" in said and "3.2 px a module" in said and "lens 25 cm" in said
    assert len(said) < 160


def test_a_camera_that_the_reader_has_is_said_with_the_command_that_stops_it() -> None:
    def taken(_: CameraSettings) -> Camera:
        raise PartInUse("camera 0 is in use by another program")

    with pytest.raises(HardwareError, match=r"systemctl stop gate-kiosk-reader.*systemctl start gate-kiosk-reader"):
        open_for_focus(SETTINGS, taken)


# --- the page ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def aid() -> Aid:
    made = aid_on()
    after(made, 10)
    return made


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def app(aid: Aid, keys: Keys) -> Flask:
    return create_page(aid, "entry", keys, lambda: 500.0)


@pytest.fixture
def client(app: Flask, keys: Keys) -> FlaskClient:
    """A browser that opened the address of the terminal."""
    client = app.test_client()
    assert client.get(f"/enter/{keys.token}").status_code == 303
    return client


PATHS = (
    "/",
    "/now",
    "/picture/whole",
    "/picture/close",
    "/static/focus.js",
    "/static/focus.css",
    "/shared/tokens.css",
    "/enter/x",
    "/other",
)


@pytest.mark.parametrize("path", PATHS)
def test_a_stranger_gets_nothing_not_even_a_static_file(app: Flask, path: str) -> None:
    stranger = app.test_client()
    stranger.set_cookie("focus_key", "")
    answer = stranger.get(path)
    assert answer.status_code == 403
    assert "kiosk focus" in answer.text


def test_a_strangers_name_for_the_device_is_refused_even_with_the_key(client: FlaskClient, keys: Keys) -> None:
    for path in ("/", "/now", f"/enter/{keys.token}", "/static/focus.js"):
        assert client.get(path, headers={"Host": "evil.example"}).status_code == 421


def test_the_address_is_good_once(app: Flask, keys: Keys, client: FlaskClient) -> None:
    second = app.test_client()
    assert second.get(f"/enter/{keys.token}").status_code == 403
    assert second.get("/").status_code == 403
    assert client.get(f"/enter/{keys.token}").status_code == 303  # the same browser, going back
    assert client.get("/").status_code == 200


def test_a_strangers_post_moves_no_lens(app: Flask, aid: Aid) -> None:
    for path in ("/search", "/again"):
        assert app.test_client().post(path).status_code == 403
    assert aid.turn().sweep is None


def test_another_site_cannot_send_our_form(client: FlaskClient, aid: Aid) -> None:
    assert client.post("/search", headers={"Origin": "https://evil.example"}).status_code == 403
    assert aid.turn().sweep is None
    assert client.post("/search", headers={"Origin": "http://localhost"}).status_code == 303
    assert aid.turn().sweep == 0


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_shows_the_figures_in_words(client: FlaskClient, aid: Aid, language: str) -> None:
    page = client.get(f"/?language={language}").text
    zh, en = focus_words.FOCUS_ADVICE["onward_lens"]
    assert (en if language == "en" else zh) in page
    assert "25 cm" in page if language == "en" else "25 厘米" in page
    assert TEXT not in page
    assert client.get("/").text.startswith("<!doctype html>")  # the language is remembered
    assert f'lang="{"en" if language == "en" else "zh-CN"}"' in client.get("/").text


@pytest.mark.parametrize(
    ("px", "zh", "en"),
    [
        (None, "–", "–"),
        (3.59, "25厘米处3.6像素", "3.6 at 25 cm"),
        (1.74, "25厘米处只有1.7像素，至少要2.5：离近些或换摄像头", "only 1.7 at 25 cm, 2.5 are needed"),
    ],
)
def test_the_page_says_how_many_pixels_there_should_be(
    client: FlaskClient, aid: Aid, px: float | None, zh: str, en: str
) -> None:
    aid.expected_px = px
    assert f'<dd data-say="expected">{zh}' in client.get("/?language=zh").text
    assert f'<dd data-say="expected">{en}' in client.get("/?language=en").text


@pytest.mark.parametrize(("part", "size"), [("whole", (640, 360)), ("close", (480, 360))])
def test_pictures_are_of_moderate_size(client: FlaskClient, part: str, size: tuple[int, int]) -> None:
    answer = client.get(f"/picture/{part}")
    assert Image.open(io.BytesIO(answer.data)).size == size
    assert len(answer.data) < 100_000
    assert answer.headers["Cache-Control"] == "no-store"


def test_what_is_live_is_told_as_json_without_the_code_itself(client: FlaskClient, aid: Aid) -> None:
    now = client.get("/now").get_json()
    assert now["tone"] == "ok"
    assert now["words"]["advice"] == focus_words.FOCUS_ADVICE["onward_lens"][0]
    assert TEXT not in json.dumps(now)
    assert set(re.findall(r'data-say="(\w+)"', client.get("/").text)) <= set(now["words"])


def test_every_file_that_the_page_links_is_served(client: FlaskClient) -> None:
    linked = re.findall(r'(?:href|src)="(/(?:static|shared)/[^"]+)"', client.get("/").text)
    assert len(linked) == 5
    for path in linked:
        with client.get(path) as answer:
            assert answer.status_code == 200


def test_before_the_first_frame_the_page_waits(keys: Keys) -> None:
    client = create_page(aid_on(), "entry", keys, lambda: 500.0).test_client()
    client.get(f"/enter/{keys.token}")
    assert focus_words.FOCUS["starting"][0] in client.get("/").text
    assert client.get("/picture/whole").status_code == 503
    assert client.get("/now").get_json() == {}


def test_the_policy_of_the_page_allows_nothing_foreign(client: FlaskClient) -> None:
    headers = client.get("/").headers
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"


@contextmanager
def served(app: Flask) -> Iterator[FocusServer]:
    server = FocusServer("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_more_connections_than_places_are_turned_away_and_the_rest_go_on(app: Flask) -> None:
    with served(app) as server:
        silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(CONNECTIONS)]
        with socket.create_connection(("127.0.0.1", server.port), 5) as late:
            late.settimeout(5)
            assert late.recv(10) == b""
        for connection in silent:
            connection.close()
        assert _eventually(f"http://127.0.0.1:{server.port}/").status_code == 403


def _eventually(address: str) -> requests.Response:
    """Asks until it is answered: places become free when the server notices that a connection has gone."""
    while True:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(address, timeout=5)


# --- the command ------------------------------------------------------------------------------------------------------


def run(folder: Path, *options: str, cameras: str = '[[camera]]\nlane = "entry"\npart = "simulated"\n') -> list[str]:
    config = folder / "kiosk.toml"
    config.write_text(f'[gate]\nstate = "{folder}"\nrun = "{folder}"\n[simulated]\nfolder = "{folder}"\n'
                      f'[[lane]]\nname = "entry"\npart = "simulated"\ndirection = "in"\n{cameras}')  # fmt: skip
    return [sys.executable, "-W", "error", "-m", "kiosk", "focus", *options, "--config", str(config)]


def done(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_once_prints_the_figures_as_one_json_object(tmp_path: Path) -> None:
    ended = done(run(tmp_path, "--once", "--json"))
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(ended.stdout)
    assert figures["lane"] == "entry"
    assert figures["code"]
    assert 0 < figures["sharpness"] <= figures["best"] <= 100


def test_no_camera_and_no_such_lane_are_one_sentence(tmp_path: Path) -> None:
    ended = done(run(tmp_path, "--once", "--lane", "side"))
    assert (ended.returncode, ended.stderr) == (1, "Error: no camera looks at lane side\n")
    ended = done(run(tmp_path, "--once", cameras=""))
    assert (ended.returncode, ended.stderr) == (1, "Error: there is no [[camera]]\n")


def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = done(run(tmp_path, "--port", str(port)))
    said = f"Error: the page cannot listen on 127.0.0.1 port {port}: Address already in use"
    assert ended.returncode == 1
    assert ended.stderr.startswith(said)
    assert ended.stderr.count("\n") == 1


def test_the_page_is_served_on_loopback_until_it_is_interrupted(tmp_path: Path) -> None:
    command = run(tmp_path, "--json", "--port", "0", "--minutes", "5")
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"NO_COLOR": "1"}
    ) as program:
        assert program.stdout and program.stderr
        address = re.search(r"http://127\.0\.0\.1:\d+/enter/\S+", program.stderr.readline())
        assert address
        with requests.Session() as browser:
            assert focus_words.FOCUS["title"][0] in browser.get(address[0], timeout=10).content.decode()
        line = program.stdout.readline()
        program.send_signal(signal.SIGINT)
        rest = program.stdout.read().splitlines()
        assert program.wait(60) == 0
    assert all(json.loads(told)["lane"] == "entry" for told in (line, *rest))


def test_the_command_ends_when_its_minutes_are_over(tmp_path: Path) -> None:
    ended = done(run(tmp_path, "--json", "--port", "0", "--minutes", "0.01"))
    assert ended.returncode == 0 and re.search(r"http://127\.0\.0\.1:\d+/enter/\S+", ended.stderr)
    assert all(json.loads(told)["lane"] == "entry" for told in ended.stdout.splitlines())
