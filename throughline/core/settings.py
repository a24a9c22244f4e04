"""Settings of ``serve``: from the command line, the environment, a settings file and defaults, in this order.

Each source gives raw values by name, so that every fault, of all sources at once, is said with where it came from.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self, cast

from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, PrivateAttr, ValidationError

from throughline.core.address import Address
from throughline.core.errors import ConfigurationError, Fault
from throughline.core.faults import show, wanted_by
from throughline.core.masking import masked
from throughline.core.store_url import WANTED_URL, StoreUrl
from throughline.core.yaml_file import YamlDocument, load_yaml

PREFIX = "THROUGHLINE_"
SETTINGS_FILE_VARIABLE = "THROUGHLINE_SETTINGS"
TOKEN_VARIABLE = "THROUGHLINE_TOKEN"  # the secret that commands show
CA_FILE_VARIABLE = "THROUGHLINE_CA_FILE"  # the authorities that commands trust where they ask by https

COMMAND_LINE = "command line"
ENVIRONMENT = "environment"
DEFAULT = "default"

# Settings that were replaced; who still gives one means to close a door, which must not stand open unnoticed.
_REPLACED = ("ingest_tokens", "ingest_tokens_file", "api_tokens", "api_tokens_file")


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    AUTO = "auto"  # console where a person watches (a terminal), else json
    CONSOLE = "console"
    JSON = "json"


def _address(value: object) -> object:
    return Address.parse(value) if isinstance(value, str) else value


def _store(value: object) -> object:
    return StoreUrl.parse(value) if isinstance(value, str) else value


def _bytes(value: object) -> object:
    return value.replace(" ", "") if isinstance(value, str) else value


Door = Annotated[Address, BeforeValidator(_address)]
Store = Annotated[StoreUrl, BeforeValidator(_store)]
Bytes = Annotated[ByteSize, BeforeValidator(_bytes)]

KIB = 1024
MIB = 1024 * KIB


class Settings(BaseModel):
    """What ``serve`` and its parts are told; frozen. Made by ``load_settings``."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    data: Path = Field(Path("throughline-data"), description="Folder of the databases; it is made if need be.")
    definitions: Path | None = Field(
        None, description="Folder of your own processes, estate.yaml and more, on top of the shipped pack."
    )
    store: Store | None = Field(
        None,
        description="URL of a PostgreSQL database that holds the store; none: store.db in the data folder.",
    )
    http: Door = Field(
        Address("127.0.0.1", 4380),
        description="Where CloudEvents come in, and the collector's health. Port 0 takes a free one.",
    )
    api: Door = Field(Address("127.0.0.1", 4381), description="Where queries are answered, and health and metrics.")
    otlp_http: Door = Field(Address("127.0.0.1", 4318), description="Where OTLP over HTTP comes in.")
    otlp_grpc: Door = Field(Address("127.0.0.1", 4317), description="Where OTLP over gRPC comes in.")
    tokens: Path | None = Field(
        None, description="A file of who may send, ask and decide; none: doors on this machine take everybody."
    )
    tls_certificate: Path | None = Field(
        None, description="A certificate with its chain (PEM), with which every door speaks TLS; needs tls_key."
    )
    tls_key: Path | None = Field(None, description="The private key of tls_certificate (PEM), without a passphrase.")
    clock: str = Field(
        "real", min_length=1, description="real; for tests and demos scale=N, scale=N,from=TIME or a file with a time."
    )
    body_bytes: Bytes = Field(ByteSize(16 * MIB), ge=KIB, description="The largest body of a request, as sent.")
    inflated_bytes: Bytes = Field(ByteSize(16 * MIB), ge=KIB, description="The largest body once decompressed.")
    nesting: int = Field(64, ge=4, le=1000, description="The deepest nesting of a JSON body.")
    header_bytes: Bytes = Field(ByteSize(32 * KIB), ge=KIB, description="The largest headers of a request together.")
    connections: int = Field(1_000, ge=1, description="The most connections to one door at a time.")
    request_seconds: float = Field(30.0, gt=0, le=3600, description="The longest that a request may take to arrive.")
    queue_bytes: Bytes = Field(
        ByteSize(64 * MIB), ge=MIB, description="The most bytes waiting for the journal; beyond it doors refuse."
    )
    free_bytes: Bytes = Field(
        ByteSize(128 * MIB),
        ge=0,
        description="Space that is kept free on the data folder's disk; below it doors refuse.",
    )
    unfolded_hours: float = Field(
        168.0, gt=0, description="How long what came in may wait for the engine; beyond it doors refuse."
    )
    orphan_hours: float = Field(72.0, gt=0, description="How long an event waits for its case before it is an orphan.")
    bulk_limit: int = Field(
        50_000, ge=1, description="The most cases that may hold one carrier before its events are shown with it only."
    )
    fan_out_limit: int = Field(1_000, ge=1, description="An event that reaches more cases is derived in later batches.")
    keep_days: float = Field(
        396.0,
        gt=0,
        description="Days that a case and its events are kept once it is closed, from the receipt of the last on.",
    )
    journal_days: float = Field(
        30.0, gt=0, description="Days that the journal keeps what came in as it came, once it is folded."
    )
    journal_bytes: Bytes = Field(
        ByteSize(20 * 1024 * MIB),
        ge=MIB,
        description="The most that the journal keeps; beyond it the oldest goes first.",
    )
    log_level: LogLevel = Field(LogLevel.INFO, description="The least level of log lines: debug to error.")
    log_format: LogFormat = Field(LogFormat.AUTO, description="auto, console or json; auto is json off a terminal.")

    _origins: dict[str, str] = PrivateAttr(default_factory=dict[str, str])

    def origin_of(self, name: str) -> str:
        """Return where a value came from: command line, a variable, FILE:LINE, or default."""
        return self._origins.get(name, DEFAULT)

    def with_origins(self, origins: Mapping[str, str]) -> Self:
        """Return the same settings, knowing where their values came from."""
        same = self.model_copy()
        same._origins = dict(origins)
        return same


class SettingLine(NamedTuple):
    """One setting as ``throughline settings`` shows it."""

    name: str
    value: str
    origin: str
    meaning: str


class _Given(NamedTuple):
    """A raw value of one source; ``origin`` says where it stands, and a fault in it is made of the other three."""

    value: Any
    origin: str
    file: str
    line: int | None
    path: str


def option_of(name: str) -> str:
    """Return the command-line option of a setting."""
    return "--" + name.replace("_", "-")


def variable_of(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def load_settings(overrides: Mapping[str, Any], environment: Mapping[str, str], file: Path | None = None) -> Settings:
    """Return the settings of all sources; a source gives way to those before it.

    ``overrides`` are command-line options by setting name; None stands for an option not given. ``file`` may also be
    named by THROUGHLINE_SETTINGS. Raises ConfigurationError with every fault of every source.
    """
    faults: list[Fault] = []
    given: dict[str, _Given] = {}
    path = file or (Path(environment[SETTINGS_FILE_VARIABLE]) if environment.get(SETTINGS_FILE_VARIABLE) else None)
    if path is not None:
        given |= _from_file(path, faults)
    given |= _from_environment(environment)
    given |= _from_command_line(overrides)
    faults += _replaced(environment)
    settings = _validate(given, faults)
    if settings is not None:
        faults += _contradictions(settings, given)
    if faults or settings is None:
        raise ConfigurationError(faults)
    return settings.with_origins({name: value.origin for name, value in given.items()})


def open_doors(settings: Settings) -> list[str]:
    """Return the doors that others can reach without TLS."""
    return _reachable(settings) if settings.tls_certificate is None else []


def _reachable(settings: Settings) -> list[str]:
    return [name for name in _DOORS if not getattr(settings, name).is_loopback]


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that look like settings and are none, for a warning.

    No fault: platforms make up such names too (Kubernetes sets THROUGHLINE_PORT for a service named throughline).
    """
    known = {variable_of(name) for name in Settings.model_fields} | {
        SETTINGS_FILE_VARIABLE,
        TOKEN_VARIABLE,
        CA_FILE_VARIABLE,
    }
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def describe(settings: Settings) -> list[SettingLine]:
    """Return every setting with its value, secrets masked, where it came from, and what it means."""
    return [
        SettingLine(name, masked(_shown(getattr(settings, name))), settings.origin_of(name), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def encode_settings(settings: Settings) -> bytes:
    """Return settings as JSON for another process of ours, as they are: never for a log, a file or a person."""
    content = {name: _plain(getattr(settings, name)) for name in Settings.model_fields}
    origins = {name: settings.origin_of(name) for name in Settings.model_fields if settings.origin_of(name) != DEFAULT}
    return json.dumps({"settings": content, "origins": origins}).encode()


def decode_settings(content: bytes) -> Settings:
    """Read what ``encode_settings`` wrote."""
    document = json.loads(content)
    return Settings.model_validate(document["settings"]).with_origins(document["origins"])


def _from_file(path: Path, faults: list[Fault]) -> dict[str, _Given]:
    try:
        document = load_yaml(path)
    except ConfigurationError as error:
        faults += error.faults
        return {}
    if document.content is None:
        return {}
    if not isinstance(document.content, dict):
        faults.append(document.fault((), show(document.content), "a mapping (setting: value)"))
        return {}
    content = cast("dict[str, Any]", document.content)
    faults += [_unknown(document, name) for name in content if name not in Settings.model_fields]
    return {name: _of_file(document, name, value) for name, value in content.items() if name in Settings.model_fields}


def _of_file(document: YamlDocument, name: str, value: Any) -> _Given:
    line = document.line_of((name,))
    if name in _PATHS and isinstance(value, str):
        value = Path(document.file).parent / value
    return _Given(value, f"{document.file}:{line}", document.file, line, name)


def _unknown(document: YamlDocument, name: str) -> Fault:
    near = difflib.get_close_matches(name, Settings.model_fields, n=1)
    wanted = f"{near[0]}, perhaps" if near else "a setting; `throughline settings` lists them"
    return document.fault((name,), "an unknown setting", wanted)


def _from_environment(environment: Mapping[str, str]) -> dict[str, _Given]:
    names = {name: variable_of(name) for name in Settings.model_fields}
    return {
        name: _Given(environment[variable], variable, ENVIRONMENT, None, variable)
        for name, variable in names.items()
        if environment.get(variable)
    }


def _from_command_line(overrides: Mapping[str, Any]) -> dict[str, _Given]:
    return {
        name: _Given(value, COMMAND_LINE, COMMAND_LINE, None, option_of(name))
        for name, value in overrides.items()
        if value is not None
    }


def _replaced(environment: Mapping[str, str]) -> list[Fault]:
    """Refuse the variables of settings that were replaced; in a file their names are unknown anyway."""
    names = [variable_of(name) for name in _REPLACED if environment.get(variable_of(name))]
    wanted = f"{variable_of('tokens')}=FILE; `throughline tokens new NAME --tokens FILE` makes its tokens"
    return [Fault(ENVIRONMENT, None, name, "a setting that is no more", wanted) for name in names]


def _validate(given: Mapping[str, _Given], faults: list[Fault]) -> Settings | None:
    try:
        return Settings.model_validate({name: value.value for name, value in given.items()})
    except ValidationError as error:
        for found in error.errors(include_url=False):
            name = str(found["loc"][0])
            seen, wanted = wanted_by(found)
            if name == "store":
                seen = seen or "something else"
            faults.append(_fault(given[name], masked(seen or show(found["input"])), wanted))
        return None


def _contradictions(settings: Settings, given: Mapping[str, _Given]) -> list[Fault]:
    return [
        *_open_doors(settings, given),
        *_shared_doors(settings, given),
        *_missing_folder(settings, given),
        *_small_inflation(settings, given),
        *_half_a_pair(settings, given),
        *_unusable_store(settings, given),
    ]


_DOORS = ("http", "api", "otlp_http", "otlp_grpc")


def _open_doors(settings: Settings, given: Mapping[str, _Given]) -> list[Fault]:
    """A door that others can reach needs tokens: what came in would be believed, what went out would be read."""
    faults: list[Fault] = []
    if settings.tokens is None:
        for name in _reachable(settings):
            address: Address = getattr(settings, name)
            wanted = (
                "tokens for it, as others can reach it: make them with `throughline tokens new NAME --tokens FILE` and "
                f"set {variable_of('tokens')}=FILE; or an address of this machine only, such as "
                f"127.0.0.1:{address.port}"
            )
            faults.append(_fault(given[name], f"{address} without tokens", wanted))
    return faults


def _shared_doors(settings: Settings, given: Mapping[str, _Given]) -> list[Fault]:
    taken: dict[Address, str] = {}
    faults: list[Fault] = []
    for name in _DOORS:
        address: Address = getattr(settings, name)
        other = taken.setdefault(address, name)
        if address.port and other != name:
            at = given.get(name) or given[other]
            faults.append(_fault(at, f"{address} for both {other} and {name}", "an address of its own for each"))
    return faults


def _missing_folder(settings: Settings, given: Mapping[str, _Given]) -> list[Fault]:
    folder = settings.definitions
    if folder is None or folder.is_dir():
        return []
    return [_fault(given["definitions"], f"{str(folder)!r}, which is no folder", "a folder of definitions")]


def _small_inflation(settings: Settings, given: Mapping[str, _Given]) -> list[Fault]:
    if settings.inflated_bytes >= settings.body_bytes:
        return []
    at = given.get("inflated_bytes") or given["body_bytes"]
    seen = f"inflated_bytes {settings.inflated_bytes} below body_bytes {settings.body_bytes}"
    return [_fault(at, seen, "inflated_bytes at least as large as body_bytes")]


def _half_a_pair(settings: Settings, given: Mapping[str, _Given]) -> list[Fault]:
    names = [name for name in ("tls_certificate", "tls_key") if getattr(settings, name) is not None]
    if len(names) != 1:
        return []
    other = "tls_key" if names == ["tls_certificate"] else "tls_certificate"
    return [_fault(given[names[0]], f"{names[0]} without {other}", "both, or neither")]


def _unusable_store(settings: Settings, given: Mapping[str, _Given]) -> list[Fault]:
    if settings.store is None:
        return []
    if find_spec("psycopg") is None:
        wanted = "its driver installed beside Throughline: pip install 'psycopg[binary]>=3.3'"
        return [_fault(given["store"], f"{settings.store} without a driver for PostgreSQL", wanted)]
    from throughline.core.postgresql import fault_in  # only here: it loads the driver

    seen = fault_in(settings.store)
    return [] if seen is None else [_fault(given["store"], seen, WANTED_URL)]


def _fault(given: _Given, seen: str, wanted: str) -> Fault:
    return Fault(given.file, given.line, given.path, seen, wanted)


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, ByteSize):
        return value.human_readable(decimal=False, separator=" ") if value % KIB == 0 else f"{value} bytes"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, StoreUrl):
        return value.libpq
    return str(value) if isinstance(value, Address | Path) else value


_PATHS: tuple[str, ...] = ("data", "definitions", "tokens", "tls_certificate", "tls_key")
