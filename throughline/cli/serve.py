"""The command ``serve``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog

from throughline.core.guards import read_guards
from throughline.core.logs import configure_logs
from throughline.core.settings import Settings, load_settings, open_doors, unknown_variables
from throughline.serve.run import run_serve

_log = structlog.get_logger(__name__)


def serve(overrides: Mapping[str, Any], file: Path | None, as_json: bool) -> None:
    """Serve until stopped; raises ConfigurationError and StartRefused with what to do."""
    settings = load_settings(overrides, os.environ, file)
    configure_logs(settings.log_level, settings.log_format, "supervisor")
    read_guards(settings)  # what is wrong with these files is said before anything starts
    for door in open_doors(settings):
        _log.warning(
            "not_encrypted", door=door, next="set tls_certificate and tls_key, or end TLS in a proxy before it"
        )
    for name in unknown_variables(os.environ):
        _log.warning("unknown_setting", variable=name, next="throughline settings lists those there are")

    def started(addresses: Mapping[str, str]) -> None:
        text = msgspec.json.encode(addresses).decode() if as_json else banner(settings, addresses)
        print(text, flush=True)

    run_serve(settings, started)


def banner(settings: Settings, addresses: Mapping[str, str]) -> str:
    """Return what a person is told once everything runs."""
    scheme = "http" if settings.tls_certificate is None else "https"
    lines = [
        "Throughline is running.",
        f"  CloudEvents   {scheme}://{addresses['http']}/v1/events",
        f"  OTLP/HTTP     {scheme}://{addresses['otlp_http']}",
        f"  OTLP/gRPC     {addresses['otlp_grpc']}",
        f"  queries       {scheme}://{addresses['api']}/api/v1/status",
        f"  data          {settings.data}",
    ]
    if settings.store is not None:
        lines.append(f"  store         {settings.store}")
    if settings.tokens is not None:
        lines.append(f"  tokens        {settings.tokens}")
    if settings.clock != "real":
        lines.append(f"  clock         {settings.clock} (for tests and demos)")
    if sys.stdout is not None and sys.stdout.isatty():  # it is None where it was closed
        lines.append("Stop it with Ctrl-C.")
    return "\n".join(lines)
