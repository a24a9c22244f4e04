"""Tokens say who somebody is and what they may do; only a digest of the secret is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tokens import Token, person, secret, sender, tokens_text
from throughline.core.errors import ConfigurationError
from throughline.core.instants import parse_instant
from throughline.core.token import PREFIX, Keyring, Kind, Limit, Principal, Scope, SignInFault, digest_of, new_secret
from throughline.core.tokens_file import keyring_of, load_tokens, parse_moment, read_tokens

SECRET = "tlt_a-secret-of-somebody-s"
OTHER = "tlt_another-secret-of-theirs"
NOW = parse_instant("2026-11-29T02:00:00Z")


def ring(**tokens: Token) -> Keyring:
    return keyring_of(read_tokens(tokens_text(tokens).encode(), "tokens.yaml"))


def faults_of(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read_tokens(text.encode(), "tokens.yaml")
    return [str(fault) for fault in caught.value.faults]


def test_who_shows_a_secret_is_known_by_name_with_their_rights() -> None:
    known = ring(psa=sender(SECRET, sources="/psa/*", mappings=["erp"], rate=50), ana=person(OTHER))
    psa = Principal(
        "psa", Kind.SENDER, frozenset({Scope.INGEST}), ("/psa/*",), frozenset({"erp"}), Limit(rate=50, burst=500)
    )
    assert known.find(f"Bearer {SECRET}", NOW) == psa
    assert known.find(f"bearer  {OTHER} ", NOW) == Principal("ana", Kind.PERSON, frozenset({Scope.READ, Scope.WRITE}))


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer ", f"Basic {SECRET}", SECRET])
def test_who_shows_no_token_is_told_so(shown: str) -> None:
    assert ring(psa=sender(SECRET)).find(shown, NOW) is SignInFault.NO_TOKEN


@pytest.mark.parametrize("shown", [SECRET[:-1], SECRET + "x", "psa", digest_of(SECRET).hex(), "s3crét-\udcff"])
def test_anything_but_the_secret_is_nobody_s(shown: str) -> None:
    assert ring(psa=sender(SECRET)).find(f"Bearer {shown}", NOW) is SignInFault.UNKNOWN_TOKEN


def test_a_secret_is_taken_until_it_expires() -> None:
    known = ring(psa=sender(secret(SECRET, expires="2026-11-29T02:00:00Z"), secret(OTHER, expires="2026-11-30")))
    assert isinstance(known.find(f"Bearer {SECRET}", NOW - 1), Principal)
    assert known.find(f"Bearer {SECRET}", NOW) is SignInFault.EXPIRED_TOKEN
    assert isinstance(known.find(f"Bearer {OTHER}", NOW), Principal)


def test_two_secrets_of_one_token_are_both_taken() -> None:
    known = ring(psa=sender(SECRET, OTHER))
    assert known.find(f"Bearer {SECRET}", NOW) == known.find(f"Bearer {OTHER}", NOW)


def test_a_source_may_stand_for_all_that_begin_like_it() -> None:
    limited = Principal("psa", Kind.SENDER, frozenset(), ("/psa/*", "/erp"))
    assert [limited.may_speak_for(each) for each in ("/psa/emea", "/psa/", "/psa", "/erp", "/erp/x")] == [
        True,
        True,
        False,
        True,
        False,
    ]
    assert Principal("any", Kind.SENDER, frozenset()).may_speak_for("/anything")


def test_every_secret_is_another_one_that_scanners_know() -> None:
    made = {new_secret().get_secret_value() for _ in range(100)}
    assert len(made) == 100
    assert all(each.startswith(PREFIX) and len(each) > 40 for each in made)
    assert new_secret().get_secret_value() not in f"{new_secret()}"


def test_every_fault_of_a_file_comes_at_once_and_shows_no_secret() -> None:
    text = f"""tokens:
  psa sync: {{kind: sender, scopes: ingest, secrets: []}}
  psa: {SECRET}
  erp: {{kind: sender, scopes: [ingest, write], secret: {OTHER}, secrets: [{{id: a, sha256: {SECRET}}}]}}
  crm: {{kind: program, scopes: [ingst], rate: -1, secrets: [{{id: a, sha256: "00", note: {OTHER}}}]}}
  bi: {{kind: sender, scopes: read, rate: 5, secrets: []}}
  fpna: {{kind: sender, scopes: ingest, burst: 5, sources: ["/a*b"], secrets: []}}
  {SECRET}: {{kind: sender, scopes: ingest, secrets: []}}
"""
    found = faults_of(text)
    said = "\n".join(found)
    assert SECRET not in said
    assert OTHER not in said
    for part in (
        "tokens.yaml:2:3: tokens.psa sync",
        "tokens.yaml:3:3: tokens.psa: seen something else, wanted a mapping",
        "tokens.erp.secret: seen something else, wanted no such entry: its name is unknown here; perhaps secrets",
        "tokens.erp.secrets[0].sha256: seen something else",
        "tokens.erp.scopes: seen write for a sender, wanted kind: person",
        "tokens.crm.kind: seen 'program', wanted 'sender' or 'person'",
        "tokens.crm.scopes[0]: seen 'ingst', wanted 'ingest', 'read' or 'write'",
        "tokens.crm.rate: seen -1, wanted more than 0",
        "tokens.bi.rate: seen rate without the scope ingest",
        "tokens.fpna.sources[0]: seen '/a*b', wanted a source, or the beginning of one with *",
        "seen a secret in the place of a name",
    ):
        assert part in said, said


def test_a_secret_that_two_have_is_a_fault_as_is_an_id_twice() -> None:
    twice = tokens_text({"psa": sender(SECRET), "erp": sender(secret(OTHER, id="a"), secret(SECRET, id="a"))})
    assert [fault.partition(": ")[2] for fault in faults_of(twice)] == [
        "tokens.erp.secrets: seen an id twice, wanted each id once",
        "tokens.erp.secrets: seen the secret a, which psa has too, wanted each secret once",
    ]


@pytest.mark.parametrize("text", ["", "tokens:\n", "- psa\n", "tokens: {psa: [\n"])
def test_what_is_no_file_of_tokens_is_a_fault(text: str) -> None:
    assert faults_of(text)


def test_a_file_that_everybody_may_write_is_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "tokens.yaml"
    file.write_text(tokens_text({"psa": sender(SECRET)}))
    file.chmod(0o666)
    with pytest.raises(ConfigurationError, match="chmod o-w"):
        load_tokens(file)
    file.chmod(0o664)
    assert list(load_tokens(file).tokens) == ["psa"]


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="`throughline tokens new` makes one"):
        load_tokens(tmp_path / "none.yaml")
    with pytest.raises(ConfigurationError) as caught:
        load_tokens(Path(SECRET))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("text", ["soon", "2027-02-30", "2027-01-01T00:00:00", 20270101, None])
def test_a_moment_is_a_date_or_a_time_with_zone(text: object) -> None:
    with pytest.raises(ValueError, match="a date such as"):
        parse_moment(text)
    assert parse_moment("2027-01-31") == parse_moment("2027-01-31T01:00:00+01:00")
