"""Tokens say who somebody is, and never show their secret."""

from __future__ import annotations

import pytest

from throughline.core.token import bearer_of, parse_token, parse_tokens

SECRET = "s3cret-s3cret-s3cret"
OTHER = "another-secret-1234567"


def test_tokens_are_read_from_lines_and_commas() -> None:
    tokens = parse_tokens(f"# senders\npsa-sync:{SECRET}\n\n erp:{OTHER},")
    assert [token.name for token in tokens] == ["psa-sync", "erp"]
    assert tokens[1].secret.get_secret_value() == OTHER


def test_the_bearer_of_a_secret_is_known_by_name() -> None:
    tokens = parse_tokens(f"psa:{SECRET},erp:{OTHER}")
    assert bearer_of(tokens, OTHER) == "erp"
    assert bearer_of(tokens, SECRET) == "psa"


@pytest.mark.parametrize("presented", ["", "psa", SECRET[:-1], SECRET + "x", "s3crét-\udcff"])
def test_anything_but_the_secret_is_nobody(presented: str) -> None:
    assert bearer_of(parse_tokens(f"psa:{SECRET}"), presented) is None


def test_without_tokens_everybody_is_nobody() -> None:
    assert bearer_of((), "") is None


@pytest.mark.parametrize(
    "text",
    ["no-colon-but-long-enough", f":{SECRET}", f"a b:{SECRET}", "psa:", "psa:short", "psa:has a blank in its middle"],
)
def test_a_token_without_name_or_with_a_weak_secret_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="wanted"):
        parse_token(text)


def test_a_name_stands_for_one_secret() -> None:
    with pytest.raises(ValueError, match="the name psa twice"):
        parse_tokens(f"psa:{SECRET},psa:{OTHER}")


def test_a_secret_is_never_printed() -> None:
    token = parse_token(f"psa:{SECRET}")
    assert SECRET not in f"{token} {token!r} {[token]}"


@pytest.mark.parametrize("text", [SECRET, f"psa {SECRET}", f"p:{SECRET} {SECRET}"])
def test_a_refusal_does_not_show_the_secret(text: str) -> None:
    with pytest.raises(ValueError, match="wanted") as caught:
        parse_tokens(text)
    assert SECRET not in str(caught.value)
