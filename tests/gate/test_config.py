"""The device's configuration: every default in force, every mistake named by its full key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.config import Config, ConfigError, in_force, load, parse

LANE = '[[lane]]\nname = "entry"\ndirection = "in"\nrelay = 17\n'
SIMULATED = '[[lane]]\nname = "entry"\ndirection = "in"\npart = "simulated"\n'
TWO_CAMERAS = (
    SIMULATED
    + SIMULATED.replace("entry", "exit")
    + ('[[camera]]\nlane = "entry"\nport = "{}"\n[[camera]]\nlane = "exit"\nport = "{}"\n')
)
ROOT = Path(__file__).parents[2]


def mistake(text: str) -> str:
    with pytest.raises(ConfigError) as wrong:
        parse(text)
    return str(wrong.value)


def _fields(kind: Any, path: str = "") -> Iterator[str]:
    """Every key a configuration may have, as ``lane.relay``."""
    for field in msgspec.structs.fields(kind):
        inner = field.type
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            yield from _fields(inner, f"{path}{field.encode_name}.")
        elif (
            getattr(inner, "__origin__", None) is tuple
            and isinstance(inner.__args__[0], type)
            and issubclass(inner.__args__[0], msgspec.Struct)
        ):
            yield from _fields(inner.__args__[0], f"{path}{field.encode_name}.")
        else:
            yield f"{path}{field.encode_name}"


def _leaves(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}{name}.")
    elif isinstance(value, (list, tuple)) and value and isinstance(value[0], dict):
        yield from _leaves(value[0], path)
    else:
        yield path.removesuffix(".")


def test_what_is_in_force_has_every_key_with_its_default() -> None:
    config = parse(LANE + '[[camera]]\nlane = "entry"\n')
    assert set(_leaves(in_force(config))) == set(_fields(Config))
    assert in_force(config)["guard"]["port"] == 8080 and in_force(config)["lane"][0]["pulse_ms"] == 500


def test_what_is_in_force_can_be_read_again() -> None:
    config = parse(LANE)
    assert msgspec.convert(in_force(config), Config) == config


def test_the_laptops_configuration_is_ready() -> None:
    config = load(ROOT / "kiosk" / "laptop.toml")
    assert {lane.part for lane in config.lane} == {"simulated"}
    assert len(config.simulated_parts()) == len(config.lane) + len(config.camera)


def test_the_example_is_a_configuration() -> None:
    assert load(ROOT / "systemd" / "kiosk.example.toml").lane


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lane: is missing"),
        ("lane = []", "lane: at least one [[lane]] is needed"),
        ("x = = 1", "not valid TOML"),
        (LANE + "[guard]\nprot = 1", "guard.prot: unknown key"),
        ("colour = 3\n" + LANE, "colour: unknown key"),
        (LANE + "rellay = 4", "lane[0].rellay: unknown key"),
        (LANE + '[[camera]]\nlane = "entry"\nfps = 30', "camera[0].fps: unknown key"),
        (LANE + '[guard]\nport = "8080"', "guard.port: Expected `int`, got `str`"),
        (LANE + "[guard]\nport = 70000", "guard.port: 70000 is not between 0 and 65535"),
        (LANE + '[centre]\nurl = 7', "centre.url: Expected `str`, got `int`"),
        (LANE + "relay = 18", "not valid TOML"),
        ('[[lane]]\ndirection = "in"\nrelay = 17', "lane[0].name: is missing"),
        ('[[lane]]\nname = "entry"\nrelay = 17', "lane[0].direction: is missing"),
        ('[[lane]]\nname = "entry"\ndirection = "up"\nrelay = 17', "lane[0].direction: Invalid enum value 'up'"),
        ('[[lane]]\nname = "Entry 1"\ndirection = "in"\nrelay = 17', "lane.name: 'Entry 1' must be small letters"),
        ('[[lane]]\nname = "entry"\ndirection = "in"', "lane[0].relay: is missing"),
        (LANE + LANE.replace("17", "18"), "lane.name: 'entry' is used 2 times"),
        (LANE + "fire = 3", "lane[0].fire: GPIO 3 cannot be used (9-27 without 14 and 15)"),
        (LANE + "fire = 14", "lane[0].fire: GPIO 14 cannot be used"),
        (LANE + "fire = 28", "lane[0].fire: GPIO 28 cannot be used"),
        (LANE + "illumination = 17", "lane[0].illumination: GPIO 17 is already lane[0].relay"),
        (LANE + "fire = 17", "lane[0].fire: GPIO 17 is already lane[0].relay"),
        (LANE + LANE.replace("entry", "side"), "lane[1].relay: GPIO 17 is already lane[0].relay"),
        (LANE + 'mode = "hold"', "lane[0].mode: hold needs a passage input"),
        (LANE + 'active_high = ["fires"]', "lane[0].active_high: 'fires' is not one of passage"),
        (LANE + "debounce_ms = 401", "lane[0].debounce_ms: 401 is not between 0 and 400"),
        (LANE + "input_debounce_ms = { fire = -1 }", "lane[0].input_debounce_ms.fire: -1 is not between 0 and 400"),
        (LANE + "input_debounce_ms = { fires = 9 }", "lane[0].input_debounce_ms.fires: unknown key"),
        (LANE + "pulse_ms = 49", "lane[0].pulse_ms: 49 is not between 50 and 5000"),
        (LANE + "pulse_ms = 5001", "lane[0].pulse_ms: 5001 is not between 50 and 5000"),
        (LANE + "passage_timeout_s = nan", "lane[0].passage_timeout_s: nan is not between 1 and 120"),
        (LANE + "settle_s = -1", "lane[0].settle_s: -1.0 is not between 0 and 30"),
        (LANE + "[screen]\ngrant_s = -1", "screen.grant_s: -1.0 is not between"),
        (LANE + "[screen]\nother_s = inf", "screen.other_s: inf is not between"),
        (LANE + "[simulated]\npassage_after_s = -1", "simulated.passage_after_s: -1.0 is not between"),
        (LANE + '[[camera]]\nlane = "exit"', "camera[0].lane: no lane is named 'exit'"),
        (LANE + '[[camera]]\nlane = "entry"\nwidth = 100', "camera[0].width: 100 is not between 320 and 4608"),
        (LANE + '[[camera]]\nlane = "entry"\nlens_mm = 0.0', "camera[0].lens_mm: 0.0 is not between 1 and 100"),
        (TWO_CAMERAS.format("cam1", "cam1"), "camera[1].port: 'cam1' is another camera's already"),
        (LANE + '[[camera]]\nlane = "entry"\npart = "webcam"', "camera[0].part: Invalid enum value 'webcam'"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_its_full_key(text: str, said: str) -> None:
    assert mistake(text).startswith(said)


def test_ports_are_kept_and_real_cameras_counted() -> None:
    config = parse(TWO_CAMERAS.format("cam0", "i2c@80000"))
    assert ([camera.port for camera in config.camera], config.real_cameras) == (["cam0", "i2c@80000"], 2)
    assert parse(SIMULATED + '[[camera]]\nlane = "entry"\npart = "simulated"').real_cameras == 0


def test_simulated_lanes_need_no_pins_and_may_hold() -> None:
    config = parse(SIMULATED + 'mode = "hold"\n')
    assert config.simulated_parts() == ["barrier entry"]


def test_a_file_is_named_with_what_is_wrong_in_it(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    for content, said in ((None, "No such file"), (b"\xff", "not UTF-8"), (b"[guard]\nx = 1", "guard.x: unknown key")):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigError) as wrong:
            load(path)
        assert str(wrong.value).startswith(f"{path}: ") and said in str(wrong.value)


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_a_configuration_or_a_mistake_in_words(text: str) -> None:
    for whole in (text, LANE + text):
        try:
            parse(whole)
        except ConfigError as wrong:
            assert str(wrong)


# --- titles -----------------------------------------------------------------------------------------------------------


def lanes(*tables: str) -> str:
    return "".join(f'[[lane]]\npart = "simulated"\n{table}\n' for table in tables)


@pytest.mark.parametrize(
    ("direction", "title"),
    [("in", ("入口", "Entry")), ("out", ("出口", "Exit")), ("both", ("出入口", "Entry and exit"))],
)
def test_a_lane_without_a_title_is_called_by_its_direction(direction: str, title: tuple[str, str]) -> None:
    config = parse(lanes(f'name = "a"\ndirection = "{direction}"'))
    assert config.title(config.lane[0]) == title


def test_lanes_of_one_direction_are_told_apart_by_their_names() -> None:
    config = parse(lanes('name = "north"\ndirection = "in"', 'name = "south"\ndirection = "in"\ntitle_zh = "南门"'))
    assert [config.title(lane) for lane in config.lane] == [("入口 north", "Entry north"), ("南门", "Entry south")]


def test_two_lanes_of_one_title_are_a_mistake() -> None:
    same = ['name = "a"\ndirection = "in"\ntitle_en = "Gate"', 'name = "b"\ndirection = "out"\ntitle_en = "Gate"']
    assert mistake(lanes(*same)) == "lane[1].title_en: 'Gate' is the title of lane[0] too"


def test_a_title_that_fits_no_button_is_a_mistake() -> None:
    long = f'name = "a"\ndirection = "in"\ntitle_zh = "{"门" * 31}"'
    assert mistake(lanes(long)) == "lane[0].title_zh: longer than 30 characters"


# --- HTTPS ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "missing"), [("cert", "key"), ("key", "cert")])
def test_a_certificate_and_its_key_come_together(given: str, missing: str) -> None:
    wrong = mistake(SIMULATED + f'[guard]\ntls_{given} = "/etc/page.pem"\n')
    assert wrong == f"guard.tls_{missing}: is missing, where guard.tls_{given} is set"


@pytest.mark.parametrize("host", ["http://gate.example", "gate.example:8080", "", "two names", "门"])
def test_a_name_of_the_page_is_a_name_and_nothing_else(host: str) -> None:
    told = mistake(f'[guard]\nhosts = ["gate", "10.0.0.7", "fd00::7", "{host}"]\n' + LANE)
    assert told == f"guard.hosts[3]: {host!r} is no name or address, without http:// and without a port"


def test_the_laptops_lanes_have_titles_people_use() -> None:
    config = load(ROOT / "kiosk" / "laptop.toml")
    assert [config.title(lane)[0] for lane in config.lane] == ["东门入口", "东门出口"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[screen]\nlane = "exit"\n', "screen.lane: no lane is named 'exit'"),
        ('[screen]\ndisplay = "hdmi"\n[guard]\nhost = "192.168.1.5"\n', "screen.display: the page answers on"),
        (
            '[screen]\ndisplay = "hdmi"\n[guard]\ntls_cert = "c"\ntls_key = "k"\n',
            "screen.tls_name: is missing, where guard.tls_cert and screen.display are set",
        ),
        ("[screen]\nrotate = 45\n", "screen.rotate: "),
        ("[screen]\nvolume = 101\n", "screen.volume: 101 is not between"),
        ("[screen]\nnight_volume = -1\n", "screen.night_volume: -1 is not between"),
        ('[screen]\nnight = "22-7"\n', "screen.night: '22-7' is not like 22:00-07:00"),
        ('[screen]\nnight = "22:00-24:00"\n', "screen.night: "),
        ('[screen]\ndisplay = "vga"\n', "screen.display: "),
    ],
)
def test_a_display_that_cannot_show_the_lane_is_a_mistake(text: str, said: str) -> None:
    assert mistake(text + LANE).startswith(said)


def test_the_display_shows_the_first_lane_unless_another_is_named() -> None:
    both = SIMULATED + SIMULATED.replace("entry", "exit")
    assert parse(both).screen_lane == "entry"
    assert parse('[screen]\nlane = "exit"\n' + both).screen_lane == "exit"
