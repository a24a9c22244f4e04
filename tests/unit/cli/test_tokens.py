"""The commands ``tokens`` make, list and revoke tokens in a file, and keep what else stands in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.test_commands import command
from throughline.cli.tokens import TokensRefused
from throughline.core.errors import ConfigurationError
from throughline.core.token import Principal, Scope, SignInFault
from throughline.core.tokens_file import keyring_of, load_tokens


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.yaml"


def new(file: Path, *arguments: str) -> str:
    """Make a token; return its secret."""
    code, text = command("tokens", "new", *arguments, "--tokens", str(file), "--json")
    assert code == 0
    return json.loads(text)["secret"]


def who(file: Path, secret: str) -> str | SignInFault:
    found = keyring_of(load_tokens(file)).find(f"Bearer {secret}", 0)
    return found.name if isinstance(found, Principal) else found


def test_a_new_token_is_printed_once_and_only_its_digest_kept(file: Path) -> None:
    secret = new(file, "psa-sync")
    assert who(file, secret) == "psa-sync"
    assert secret not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert secret not in command("tokens", "list", "--tokens", str(file), "--json")[1]


def test_a_sender_sends_and_a_person_asks_and_decides_unless_it_is_said_otherwise(file: Path) -> None:
    new(file, "psa", "--source", "/psa/*", "--source", "/erp", "--mapping", "desk", "--rate", "50", "--burst", "60")
    new(file, "ana", "--kind", "person")
    new(file, "grafana", "--scope", "read")
    tokens = load_tokens(file).tokens
    assert [token.scopes for token in tokens.values()] == [
        (Scope.INGEST,),
        (Scope.READ, Scope.WRITE),
        (Scope.READ,),
    ]
    psa = tokens["psa"]
    assert (psa.sources, psa.mappings, psa.rate, psa.burst) == (("/psa/*", "/erp"), ("desk",), 50, 60)


def test_a_further_secret_of_a_name_is_taken_beside_the_old_one_until_that_is_revoked(file: Path) -> None:
    old = new(file, "psa", "--rate", "50")
    young = new(file, "psa")
    assert (who(file, old), who(file, young)) == ("psa", "psa")
    assert command("tokens", "revoke", "psa", "--former", "--tokens", str(file))[0] == 0
    assert (who(file, old), who(file, young)) == (SignInFault.UNKNOWN_TOKEN, "psa")
    assert load_tokens(file).tokens["psa"].rate == 50


def test_one_secret_or_the_whole_token_can_be_revoked(file: Path) -> None:
    old, young = new(file, "psa"), new(file, "psa")
    (first, _) = load_tokens(file).tokens["psa"].secrets
    command("tokens", "revoke", "psa", "--id", first.id, "--tokens", str(file))
    assert (who(file, old), who(file, young)) == (SignInFault.UNKNOWN_TOKEN, "psa")
    command("tokens", "revoke", "psa", "--tokens", str(file))
    assert load_tokens(file).tokens == {}
    assert "`throughline tokens new NAME` makes one" in command("tokens", "list", "--tokens", str(file))[1]


def test_what_a_person_wrote_into_the_file_stays(file: Path) -> None:
    new(file, "psa")
    text = file.read_text().replace("psa:", "psa: # asked for by ana")
    file.write_text(text)
    file.chmod(0o640)
    new(file, "erp")
    command("tokens", "revoke", "erp", "--tokens", str(file))
    assert file.read_text() == text
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("psa", "--kind", "program"), "wanted 'sender' or 'person'"),
        (("psa", "--scope", "all"), "wanted 'ingest', 'read' or 'write'"),
        (("psa", "--scope", "write"), "kind: person"),
        (("p s a",), "wanted a text that matches"),
        (("psa", "--burst", "5"), "rate: records a second"),
    ],
)
def test_what_no_token_can_be_is_refused_and_nothing_written(
    file: Path, arguments: tuple[str, ...], wanted: str
) -> None:
    with pytest.raises(ConfigurationError, match=wanted):
        new(file, *arguments)
    assert not file.exists()


def test_what_cannot_be_done_says_what_to_do(file: Path) -> None:
    with pytest.raises(TokensRefused, match="THROUGHLINE_TOKENS=FILE"):
        command("tokens", "list")
    new(file, "psa")
    for arguments, wanted in (
        (("new", "psa", "--scope", "read"), "its rights are changed in the file"),
        (("new", "erp", "--expires", "soon"), "wanted a date such as 2027-01-31"),
        (("revoke", "erp"), "`throughline tokens list` shows those there are"),
        (("revoke", "psa", "--id", "none"), "has no secret none, but "),
    ):
        with pytest.raises(TokensRefused, match=wanted):
            command("tokens", *arguments, "--tokens", str(file))


def test_the_settings_name_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THROUGHLINE_TOKENS", str(file))
    assert command("tokens", "new", "psa")[0] == 0
    assert "psa" in command("tokens", "list")[1]
