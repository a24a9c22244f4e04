"""Files of tokens whose secrets a test knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from throughline.core.clock import RealClock
from throughline.core.sign_in import SignIns
from throughline.core.tokens_file import keyring_of, read_tokens

Token = Mapping[str, Any]


def secret(text: str, **more: Any) -> dict[str, Any]:
    """Return what a file keeps of a secret."""
    digest = sha256(text.encode()).hexdigest()
    return {"id": digest[:8], "sha256": digest, **more}


def sender(*secrets: str | Token, scopes: tuple[str, ...] = ("ingest",), **more: Any) -> Token:
    """Return the token of a program."""
    return _token("sender", secrets, scopes, more)


def person(*secrets: str | Token, scopes: tuple[str, ...] = ("read", "write"), **more: Any) -> Token:
    """Return the token of a person."""
    return _token("person", secrets, scopes, more)


def _token(kind: str, secrets: tuple[str | Token, ...], scopes: tuple[str, ...], more: Mapping[str, Any]) -> Token:
    held = [secret(each) if isinstance(each, str) else each for each in secrets]
    return {"kind": kind, "scopes": list(scopes), **more, "secrets": held}


def tokens_text(tokens: Mapping[str, Token]) -> str:
    """Return the file of these tokens; JSON is YAML."""
    return json.dumps({"tokens": dict(tokens)}, indent=1)


def write_tokens(path: Path, **tokens: Token) -> Path:
    """Write the file of these tokens; ``_`` in a name stands for ``-``."""
    path.write_text(tokens_text({name.replace("_", "-"): token for name, token in tokens.items()}))
    return path


def sign_ins(**tokens: Token) -> SignIns:
    """Return what says who shows one of these tokens."""
    ring = keyring_of(read_tokens(tokens_text(tokens).encode(), "tokens.yaml"))
    return SignIns(lambda: ring, RealClock().now)
