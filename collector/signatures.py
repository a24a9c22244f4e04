"""Signatures of webhooks: HMAC over the body as it was sent, compared in constant time."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from pydantic import SecretStr

from collector.reading import Refusal, Refused
from throughline.core.errors import ConfigurationError, Fault
from throughline.core.mappings.folder import Mappings
from throughline.core.mappings.mapping import InputMapping, Signature

SHORTEST_SECRET: Final = 8
_ALGORITHMS: Final = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}


class Signatures:
    """Checks signatures with the secrets that the environment holds."""

    def __init__(self, secrets: Mapping[str, SecretStr]) -> None:
        """``secrets`` by name of mapping, as ``read_secrets`` returns them."""
        self._secrets = secrets

    def check(self, mapping: InputMapping, headers: Mapping[str, str], body: bytes) -> None:
        """Raise Refused where a body is not signed as its mapping says; ``headers`` by lower-case name."""
        signature = mapping.signature
        if signature is None:
            return
        given = self.given(signature, headers)
        secret = self._secrets[mapping.name].get_secret_value().encode()
        digest = hmac.new(secret, body, _ALGORITHMS[signature.algorithm]).digest()
        wanted = digest.hex() if signature.encoding == "hex" else base64.b64encode(digest).decode()
        if signature.encoding == "hex":
            given = given.lower()
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            raise Refused(
                Refusal.UNAUTHENTICATED,
                f"the signature in the header {signature.header} is not that of this body with the secret known here",
            )

    def given(self, signature: Signature, headers: Mapping[str, str]) -> str:
        """Return the signature that came, without its prefix; raise Refused where none did."""
        value = headers.get(signature.header.lower(), "").strip()
        if not value or not value.startswith(signature.prefix):
            form = f"{signature.prefix}SIGNATURE, HMAC-{signature.algorithm.upper()} in {signature.encoding}"
            raise Refused(Refusal.UNAUTHENTICATED, f"wanted a header {signature.header}: {form}")
        return value.removeprefix(signature.prefix)


def read_secrets(mappings: Mappings, environment: Mapping[str, str]) -> dict[str, SecretStr]:
    """Return the secrets of all mappings that have a signature; raise ConfigurationError where one is not there."""
    secrets: dict[str, SecretStr] = {}
    faults: list[Fault] = []
    for name, mapping in mappings.by_name.items():
        if mapping.signature is None:
            continue
        variable = mapping.signature.secret_env
        secret = environment.get(variable, "").strip()
        if len(secret) < SHORTEST_SECRET:
            seen = f"no variable {variable}" if not secret else f"a secret of {len(secret)} characters in {variable}"
            wanted = f"the secret of mapping {name} in it, of at least {SHORTEST_SECRET} characters"
            faults.append(Fault(mapping.file, None, "signature.secret_env", seen, wanted))
        secrets[name] = SecretStr(secret)
    if faults:
        raise ConfigurationError(faults)
    return secrets
