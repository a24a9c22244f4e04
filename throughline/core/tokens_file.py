"""The file of tokens: who may send, ask and decide. It holds digests, from which no secret can be found.

Its JSON Schema is published beside the others (lineage/schemas).
"""

from __future__ import annotations

import re
import stat
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from throughline.core.errors import ConfigurationError, Fault
from throughline.core.forms import Form, OneOrMore, examine
from throughline.core.instants import parse_instant
from throughline.core.mappings.form import MAPPING
from throughline.core.masking import masked
from throughline.core.token import ANY, PREFIX, Held, Keyring, Kind, Limit, Principal, Scope
from throughline.core.yaml_file import further, read_yaml_text

NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$"
BURST_SECONDS: Final = 10  # of the rate, where no burst is given

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INPUT = re.compile(r"[\[{'\"0-9]")  # how faults begin that show what was written
_SHOWN = re.compile(r"\.(kind|scopes|sources|mappings|rate|burst|created|expires)(\[\d+\])?$")


def parse_moment(value: Any) -> int:
    """Read an RFC 3339 time, or a date as its first moment in UTC; raise ValueError otherwise."""
    text = value if isinstance(value, str) else ""
    try:
        return parse_instant(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)
    except ValueError:
        raise ValueError("a date such as 2027-01-31, or an RFC 3339 time") from None


def _source(pattern: str) -> str:
    if ANY in pattern[:-1]:
        raise ValueError(f"a source, or the beginning of one with {ANY} as its last character, such as /psa/{ANY}")
    return pattern


Moment = Annotated[
    int,
    PlainValidator(parse_moment),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}),
]
SourcePattern = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_source)]


class SecretForm(Form):
    """One secret of a token. Two may stand side by side: the new one, and the old one until nobody shows it."""

    id: str = Field(pattern=r"^[a-z0-9]{1,32}$", description="what it is revoked by")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="the SHA-256 digest of the secret, in hex")
    created: Moment | None = None
    expires: Moment | None = Field(default=None, description="from then on it is not taken; a date is its first moment")


class TokenForm(Form):
    """Who shows one of the secrets, and what for."""

    kind: Kind = Field(description="a sender is a program; only a person may have the scope write")
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1), OneOrMore()]
    sources: Annotated[tuple[SourcePattern, ...], OneOrMore()] = Field(
        default=(), description="the sources of the events that it may send, * at the end for any rest; none given: any"
    )
    mappings: Annotated[tuple[Annotated[str, Field(pattern=MAPPING)], ...], OneOrMore()] = Field(
        default=(), description="the mappings under which it may send to /v1/json/; none given: any"
    )
    rate: float | None = Field(
        default=None, gt=0, le=1_000_000, description="events, spans and log records a second, on average"
    )
    burst: int | None = Field(
        default=None, ge=1, description=f"how many may come at once; by default {BURST_SECONDS} seconds of the rate"
    )
    secrets: tuple[SecretForm, ...]


class TokensFile(Form):
    """All tokens by the name of who shows them."""

    tokens: dict[Annotated[str, Field(pattern=NAME)], TokenForm]


def load_tokens(path: Path) -> TokensFile:
    """Read a file of tokens; raises ConfigurationError with every fault, and shows nothing that may be a secret."""
    try:
        mode, content = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        wanted = "a file of tokens that can be read: `throughline tokens new` makes one"
        named = masked(str(path))  # somebody may give the secret itself, where the file of tokens is asked for
        raise ConfigurationError([Fault(named, None, "", error.strerror or "no file", wanted)]) from None
    found = [_open_to_all(path)] if mode & stat.S_IWOTH else []
    try:
        form = read_tokens(content, str(path))
    except ConfigurationError as error:
        raise ConfigurationError([*found, *error.faults]) from error.__cause__
    if found:
        raise ConfigurationError(found)
    return form


def read_tokens(content: bytes, file: str) -> TokensFile:
    """Read the bytes of a file of tokens; as ``load_tokens``."""
    document, faults = read_yaml_text(content, file)
    form = None
    if document is not None:
        examined = examine(document, TokensFile)
        form = examined.form
        crossed = [] if form is None else _contradictions(form)
        more = [document.fault(("tokens", *at), seen, wanted) for at, seen, wanted in crossed]
        faults = [*faults, *further([*examined.faults, *more], faults)]
    if faults or form is None:
        raise ConfigurationError([_without_secret(fault) for fault in faults])
    return form


def keyring_of(form: TokensFile) -> Keyring:
    """Return the tokens of a file as doors look them up."""
    return Keyring(
        {
            bytes.fromhex(secret.sha256): Held(principal, secret.expires)
            for name, token in form.tokens.items()
            for principal in [principal_of(name, token)]
            for secret in token.secrets
        }
    )


def principal_of(name: str, token: TokenForm) -> Principal:
    """Return who shows a secret of this token."""
    limit = None
    if token.rate is not None:
        limit = Limit(token.rate, float(token.burst or max(1.0, token.rate * BURST_SECONDS)))
    return Principal(name, token.kind, frozenset(token.scopes), token.sources, frozenset(token.mappings), limit)


def _contradictions(form: TokensFile) -> list[tuple[tuple[str, ...], str, str]]:
    """Return what no token means, as place below ``tokens``, seen, wanted."""
    found: list[tuple[tuple[str, ...], str, str]] = []
    owners: dict[str, str] = {}
    for name, token in form.tokens.items():
        if name.startswith(PREFIX):
            found.append(((name,), "a secret in the place of a name", "who shows it, such as psa-sync"))
        if Scope.WRITE in token.scopes and token.kind is not Kind.PERSON:
            found.append(((name, "scopes"), "write for a sender", "kind: person, as what people decide has a name"))
        if Scope.INGEST not in token.scopes:
            given = [entry for entry in ("sources", "mappings", "rate", "burst") if getattr(token, entry)]
            wanted = "the scope, or no such entry"
            found += [((name, entry), f"{entry} without the scope ingest", wanted) for entry in given]
        elif token.burst is not None and token.rate is None:
            found.append(((name, "burst"), "a burst without a rate", "rate: records a second"))
        ids = [secret.id for secret in token.secrets]
        if len(set(ids)) < len(ids):
            found.append(((name, "secrets"), "an id twice", "each id once"))
        for secret in token.secrets:
            owner = owners.setdefault(secret.sha256, name)
            if owner != name or [other.sha256 for other in token.secrets].count(secret.sha256) > 1:
                found.append(((name, "secrets"), f"the secret {secret.id}, which {owner} has too", "each secret once"))
    return found


def _open_to_all(path: Path) -> Fault:
    wanted = f"one that only its owner may: chmod o-w {path}"
    return Fault(str(path), None, "", "a file that everybody may write", wanted)


def _without_secret(fault: Fault) -> Fault:
    """Return a fault that shows what was written only where nobody writes a secret."""
    shown = _SHOWN.search(fault.path) or not _INPUT.match(fault.seen)
    return replace(fault, path=masked(fault.path), seen=masked(fault.seen) if shown else "something else")
