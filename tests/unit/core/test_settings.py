"""Settings come from four sources in order, and every fault says where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from throughline.core.address import Address
from throughline.core.errors import ConfigurationError
from throughline.core.settings import (
    Settings,
    decode_settings,
    describe,
    encode_settings,
    load_settings,
    open_doors,
    unknown_variables,
    variable_of,
)

SECRET = "s3cret-s3cret-s3cret"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.yaml"


def faults_of(overrides: Mapping[str, Any], environment: Mapping[str, str], file: Path | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(overrides, environment, file)
    return [str(fault) for fault in caught.value.faults]


def test_with_nothing_given_all_doors_are_on_this_machine_only() -> None:
    settings = load_settings({}, {})
    doors = (settings.http, settings.api, settings.otlp_http, settings.otlp_grpc)
    assert [str(door) for door in doors] == ["127.0.0.1:4380", "127.0.0.1:4381", "127.0.0.1:4318", "127.0.0.1:4317"]
    assert settings.body_bytes == 16 * 1024 * 1024


def test_a_source_gives_way_to_those_before_it(file: Path) -> None:
    file.write_text("http: 127.0.0.1:1\napi: 127.0.0.1:2\notlp_http: 127.0.0.1:3\n")
    environment = {"THROUGHLINE_HTTP": "127.0.0.1:11", "THROUGHLINE_API": "127.0.0.1:12"}
    settings = load_settings({"http": "127.0.0.1:21", "api": None}, environment, file)
    assert (settings.http.port, settings.api.port, settings.otlp_http.port) == (21, 12, 3)
    assert settings.origin_of("http") == "command line"
    assert settings.origin_of("api") == "THROUGHLINE_API"
    assert settings.origin_of("otlp_http") == f"{file}:3"
    assert settings.origin_of("otlp_grpc") == "default"


def test_every_setting_can_come_from_the_environment() -> None:
    texts = {
        "http": "127.0.0.1:0",
        "body_bytes": "1 MiB",
        "orphan_hours": "1.5",
        "log_level": "debug",
        "bulk_limit": "7",
    }
    settings = load_settings({}, {variable_of(name): text for name, text in texts.items()})
    assert settings.http == Address("127.0.0.1", 0)
    assert (settings.body_bytes, settings.orphan_hours, settings.log_level, settings.bulk_limit) == (
        1 << 20,
        1.5,
        "debug",
        7,
    )


def test_the_environment_may_name_the_settings_file(file: Path) -> None:
    file.write_text("connections: 5\n")
    assert load_settings({}, {"THROUGHLINE_SETTINGS": str(file)}).connections == 5


def test_paths_in_a_settings_file_are_relative_to_it(file: Path) -> None:
    (file.parent / "ours").mkdir()
    file.write_text("data: var\ndefinitions: ours\n")
    settings = load_settings({}, {}, file)
    assert (settings.data, settings.definitions) == (file.parent / "var", file.parent / "ours")


def test_all_faults_of_all_sources_come_at_once_with_their_places(file: Path) -> None:
    file.write_text("nesting: deep\nconections: 5\n\nlog_level: loud\n")
    faults = faults_of({"http": "nowhere"}, {"THROUGHLINE_ORPHAN_HOURS": "-1"}, file)
    assert faults == [
        f"{file}:2:1: conections: seen an unknown setting, wanted connections, perhaps",
        "command line: --http: seen 'nowhere', wanted HOST:PORT, such as 127.0.0.1:8080; port 0 takes a free one",
        f"{file}:1: nesting: seen 'deep', wanted a whole number",
        "environment: THROUGHLINE_ORPHAN_HOURS: seen '-1', wanted more than 0",
        f"{file}:4: log_level: seen 'loud', wanted 'debug', 'info', 'warning' or 'error'",
    ]


def test_a_settings_file_that_is_no_mapping_is_a_fault(file: Path) -> None:
    file.write_text("- http\n")
    assert faults_of({}, {}, file) == [f'{file}:1:1: seen ["http"], wanted a mapping (setting: value)']


@pytest.mark.parametrize("name", ["http", "api", "otlp_http", "otlp_grpc"])
def test_a_door_that_others_can_reach_needs_tokens_and_says_how_to_make_them(name: str) -> None:
    (fault,) = faults_of({name: "0.0.0.0:0"}, {})
    assert "0.0.0.0:0 without tokens" in fault
    assert "`throughline tokens new NAME --tokens FILE`" in fault
    assert "set THROUGHLINE_TOKENS=FILE" in fault


def test_with_a_file_of_tokens_doors_may_be_open_to_others(file: Path) -> None:
    file.write_text("tokens: ours.yaml\n")
    settings = load_settings({"http": "0.0.0.0:0", "api": "0.0.0.0:0"}, {}, file)
    assert settings.tokens == file.parent / "ours.yaml"
    assert open_doors(settings) == ["http", "api"]


@pytest.mark.parametrize("name", ["ingest_tokens", "ingest_tokens_file", "api_tokens", "api_tokens_file"])
def test_a_setting_that_was_replaced_leaves_no_door_open_unnoticed(name: str, file: Path) -> None:
    (fault,) = faults_of({}, {variable_of(name): f"psa:{SECRET}"})
    assert "wanted THROUGHLINE_TOKENS=FILE" in fault
    file.write_text(f"{name}: psa:{SECRET}\n")
    (known,) = faults_of({}, {}, file)
    assert "an unknown setting" in known
    assert SECRET not in fault + known


@pytest.mark.parametrize(("given", "missing"), [("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")])
def test_a_certificate_and_its_key_come_together(given: str, missing: str) -> None:
    (fault,) = faults_of({given: "x.pem"}, {})
    assert f"{given} without {missing}" in fault


def test_settings_show_no_secret_of_a_url_not_even_in_a_fault() -> None:
    url = f"postgresql+psycopg://ana:{SECRET}@db.example/x"
    settings = load_settings({"clock": url}, {})
    assert SECRET not in str(describe(settings))
    assert SECRET not in "".join(faults_of({"http": url, "nesting": url}, {}))


def test_every_setting_is_described_with_what_it_means() -> None:
    lines = describe(load_settings({}, {}))
    assert [line.name for line in lines] == list(Settings.model_fields)
    assert all(line.meaning.endswith(".") for line in lines)
    assert {line.name: line.value for line in lines}["body_bytes"] == "16.0 MiB"


def test_doors_do_not_share_an_address_but_may_all_take_free_ports() -> None:
    assert "for both http and api" in faults_of({"http": "127.0.0.1:4381"}, {})[0]
    free = dict.fromkeys(("http", "api", "otlp_http", "otlp_grpc"), "127.0.0.1:0")
    assert load_settings(free, {}).api.port == 0


def test_what_contradicts_itself_or_is_not_there_is_a_fault(tmp_path: Path) -> None:
    overrides = {"definitions": tmp_path / "absent", "inflated_bytes": "1KiB"}
    faults = faults_of(overrides, {})
    assert [fault.split(": ")[1] for fault in faults] == ["--definitions", "--inflated-bytes"]


def test_variables_that_look_like_settings_are_told_and_no_fault() -> None:
    environment = {"THROUGHLINE_PORT": "tcp://10.0.0.1:80", "THROUGHLINE_HTTP": "127.0.0.1:0", "PATH": "/bin"}
    assert load_settings({}, environment).http.port == 0
    assert unknown_variables(environment) == ["THROUGHLINE_PORT"]


def test_another_process_gets_the_same_settings_origins_included(tmp_path: Path) -> None:
    overrides = {"data": tmp_path, "http": "[::1]:0", "orphan_hours": 1.5, "definitions": tmp_path}
    settings = load_settings(overrides, {"THROUGHLINE_TOKENS": "tokens.yaml"})
    there = decode_settings(encode_settings(settings))
    assert there == settings
    assert describe(there) == describe(settings)


def test_settings_are_frozen() -> None:
    settings = load_settings({}, {})
    with pytest.raises(ValidationError, match="frozen"):
        settings.nesting = 3
