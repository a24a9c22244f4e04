"""The commands ``tokens``: a file of tokens, changed by whoever may write it, with what else stands in it kept."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table
from ruamel.yaml import YAML

from throughline.cli.printing import console, print_json
from throughline.core.clock import RealClock
from throughline.core.durable import PRIVATE, replace_file
from throughline.core.errors import ThroughlineError
from throughline.core.instants import MICROSECONDS, format_instant
from throughline.core.settings import load_settings, option_of, variable_of
from throughline.core.token import Kind, digest_of, new_secret
from throughline.core.tokens_file import SecretForm, TokenForm, load_tokens, parse_moment, read_tokens

SCHEMA_LINE = "# Who may send, ask and decide. It holds digests, no secrets; `throughline tokens` changes it.\n"
_WIDTH = 120
_DEFAULT_SCOPES = {"sender": ("ingest",), "person": ("read", "write")}


class TokensRefused(ThroughlineError):
    """The file of tokens cannot be changed so; the message says why and what to do."""


class Rights(NamedTuple):
    """What is asked for a token, as it was written; None and empty: not said."""

    kind: str | None
    scopes: tuple[str, ...]
    sources: tuple[str, ...]
    mappings: tuple[str, ...]
    rate: float | None
    burst: int | None


def new_token(
    name: str, rights: Rights, expires: str | None, file: Path | None, settings: Path | None, as_json: bool
) -> None:
    """Write a token and print its secret; raises TokensRefused or ConfigurationError, and then writes nothing."""
    path = _path(file, settings)
    known = load_tokens(path).tokens.get(name) if path.exists() else None
    if known is not None and _differs(rights, known):
        raise TokensRefused(
            f"{name} is in {path} already, with other rights: for a further secret of it leave these options out; its "
            "rights are changed in the file"
        )
    secret = new_secret().get_secret_value()
    entry = {"id": secrets.token_hex(4), "sha256": digest_of(secret).hex()}
    entry["created"] = format_instant(RealClock().now() // MICROSECONDS * MICROSECONDS)
    if expires is not None:
        entry["expires"] = _moment(expires)
    _change(path, lambda content: _add(content, name, rights, entry))
    if as_json:
        print_json({"name": name, "id": entry["id"], "secret": secret})
        return
    print(secret, flush=True)
    print(f"The secret {entry['id']} of {name} is shown this once: {path} keeps a digest of it.", file=sys.stderr)
    if known is not None and known.secrets:
        print("Once nobody shows the old one, take it away:", file=sys.stderr)
        print(f"  throughline tokens revoke {name} --former", file=sys.stderr)


def list_tokens(file: Path | None, settings: Path | None, as_json: bool) -> None:
    """Print every token of a file; raises ConfigurationError where it cannot be used."""
    form = load_tokens(_path(file, settings))
    if as_json:
        print_json([{"name": name, **_document(token)} for name, token in form.tokens.items()])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("name", "kind", "scopes", "may send", "secrets"):
        table.add_column(title, overflow="fold")
    for name, token in form.tokens.items():
        held = "\n".join(map(_secret_text, token.secrets)) or "none"
        table.add_row(name, token.kind, ", ".join(token.scopes), _limits_text(token), held)
    console().print(table if form.tokens else "There are no tokens: `throughline tokens new NAME` makes one.")


def revoke(name: str, id: str | None, former: bool, file: Path | None, settings: Path | None) -> None:
    """Take a token out of a file, or some of its secrets; raises TokensRefused where there is none such."""
    path = _path(file, settings)
    known = load_tokens(path).tokens
    if name not in known:
        raise TokensRefused(f"{path} has no token {name}: `throughline tokens list` shows those there are")
    ids = [secret.id for secret in known[name].secrets]
    if id is not None and id not in ids:
        raise TokensRefused(f"{name} has no secret {id}, but {', '.join(ids) or 'none'}")
    gone = [id] if id is not None else ids[:-1] if former else None
    _change(path, lambda content: _remove(content, name, gone))
    what = f"{name}, with all its secrets," if gone is None else f"of {name} {', '.join(gone) or 'nothing'}"
    print(f"Revoked {what} in {path}.", file=sys.stderr)


def _path(file: Path | None, settings: Path | None) -> Path:
    """Return the file of tokens; raises TokensRefused where none is named anywhere."""
    found = file or load_settings({}, os.environ, settings).tokens
    if found is None:
        given = f"{option_of('tokens')} FILE, {variable_of('tokens')}=FILE or the setting `tokens`"
        raise TokensRefused(f"no file of tokens is named: give one with {given}")
    return found


def _differs(rights: Rights, known: TokenForm) -> bool:
    """Tell whether rights are asked for that a token which is there does not have."""
    held = Rights(known.kind, known.scopes, known.sources, known.mappings, known.rate, known.burst)
    return any(asked and asked != has for asked, has in zip(rights, held, strict=True))


def _moment(text: str) -> str:
    try:
        parse_moment(text)
    except ValueError as error:
        raise TokensRefused(f"--expires: seen {text[:64]!r}, wanted {error}") from None
    return text


def _add(content: Any, name: str, rights: Rights, entry: dict[str, str]) -> None:
    tokens = content["tokens"]
    if name in tokens:
        tokens[name]["secrets"].append(entry)
        return
    kind = rights.kind or Kind.SENDER.value
    scopes = rights.scopes or _DEFAULT_SCOPES.get(kind, ())
    given = rights._asdict() | {"kind": kind, "scopes": scopes}
    token: dict[str, Any] = {right: value for right, value in given.items() if value}
    lists = {right: list(token[right]) for right in ("scopes", "sources", "mappings") if right in token}
    tokens[name] = {**token, **lists, "secrets": [entry]}


def _remove(content: Any, name: str, ids: list[str] | None) -> None:
    """Remove some secrets of a token, None: the token itself."""
    if ids is None:
        del content["tokens"][name]
        return
    held = content["tokens"][name]["secrets"]
    for place in reversed(range(len(held))):
        if held[place]["id"] in ids:
            del held[place]


def _change(path: Path, change: Callable[[Any], None]) -> None:
    """Change a file of tokens and put it in place at once, if it can be used; comments and order are kept.

    Raises ConfigurationError with the faults that it would have, and OSError.
    """
    target = path.resolve()
    yaml: Any = YAML()
    yaml.width = _WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = target.read_text("utf-8") if target.exists() else f"{SCHEMA_LINE}tokens: {{}}\n"
    content = yaml.load(text)
    if not content["tokens"]:
        content["tokens"] = {}
    change(content)
    out = StringIO()
    yaml.dump(content, out)
    read_tokens(out.getvalue().encode(), str(path))
    mode = target.stat().st_mode & 0o777 if target.exists() else PRIVATE
    replace_file(target, out.getvalue().encode(), mode)


def _document(token: TokenForm) -> dict[str, Any]:
    """Return a token as a document, without digests: nobody needs them who reads it."""
    held = [{"id": each.id, "created": _time(each.created), "expires": _time(each.expires)} for each in token.secrets]
    return {**token.model_dump(mode="json", exclude={"secrets"}), "secrets": held}


def _time(instant: int | None) -> str | None:
    return None if instant is None else format_instant(instant)


def _secret_text(secret: SecretForm) -> str:
    if secret.expires is None:
        return secret.id
    word = "expired" if secret.expires <= RealClock().now() else "expires"
    return f"{secret.id}, {word} {format_instant(secret.expires)}"


def _limits_text(token: TokenForm) -> str:
    parts = [*token.sources, *(f"under {mapping}" for mapping in token.mappings)]
    if token.rate is not None:
        parts.append(f"{token.rate:g} a second")
    return ", ".join(parts)
