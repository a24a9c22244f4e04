"""The URL of a store: which is taken, which is refused, and that no secret of it is ever shown."""

from __future__ import annotations

import pytest

from throughline.core.store_url import StoreUrl

BEGINS = "postgresql+psycopg://"


@pytest.mark.parametrize("name", ["password", "sslpassword", "scram_client_key", "oauth_client_secret", "pass%77ord"])
def test_a_secret_is_shown_neither_before_the_host_nor_among_the_parameters(name: str) -> None:
    url = StoreUrl.parse(f"{BEGINS}ana:hush-1@db/firm?{name}=hush-2&sslmode=require")
    for text in (str(url), repr(url)):
        assert "hush" not in text
    assert str(url).startswith(f"{BEGINS}ana:(hidden)@db/firm?")
    assert "sslmode=require" in str(url)
    assert "hush-1" in url.libpq
    assert "hush-2" in url.libpq


@pytest.mark.parametrize("password", ["pa/geheim", "12/geheim", "pa?geheim", "pa#geheim", "pa@geheim", "pa%geheim"])
def test_a_password_that_is_not_written_in_codes_is_refused_and_not_shown(password: str) -> None:
    with pytest.raises(ValueError, match="wanted") as refused:
        StoreUrl.parse(f"{BEGINS}ana:{password}@db/firm")
    assert "geheim" not in str(refused.value)


def test_of_several_hosts_the_primary_is_asked_for() -> None:
    url = StoreUrl.parse(f"{BEGINS}ana@one:5432,[::1]:5433,two/firm")
    assert url.libpq == "postgresql://ana@one:5432,[::1]:5433,two/firm?target_session_attrs=primary"
    given = "postgresql://one,two/firm?sslmode=require&target_session_attrs=any"
    assert StoreUrl.parse(given).libpq == given
    assert StoreUrl.parse("postgresql://one,two/firm?a=b").libpq.endswith("?a=b&target_session_attrs=primary")
    with pytest.raises(ValueError, match="a port or host that is none"):
        StoreUrl.parse(f"{BEGINS}one:5432,two:port/firm")
