"""A database that can never hold the store is refused at the start, with what to do; on a real PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from lineage.places import open_writing
from tests.postgresql_server import Postgresql
from throughline.core.errors import StartRefused
from throughline.core.store_url import Schema, StoreUrl

pytestmark = pytest.mark.needs("postgresql")


def refused(url: StoreUrl) -> str:
    from throughline.core.postgresql import check

    with pytest.raises(StartRefused) as found:
        check(Schema(url, "throughline"))
    return str(found.value)


def named(server: Postgresql, database: str, user: str = "postgres") -> StoreUrl:
    return StoreUrl.parse(f"postgresql://{user}@{server.address}{database}")


def test_a_server_that_is_too_old_is_refused() -> None:
    from throughline.core.postgresql import fault_of_server

    assert fault_of_server(150_000, "15.0", "UTF8") is None
    assert "seen PostgreSQL 14.9, wanted 15 or later: upgrade the server" in str(
        fault_of_server(140_009, "14.9", "UTF8")
    )


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_does_not_hold_every_text_is_refused(postgresql: Postgresql, encoding: str) -> None:
    name = f"in_{encoding.lower()}"
    postgresql.run(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0")
    assert f"seen a database in {encoding}, wanted UTF8: make one" in refused(named(postgresql, name))


def test_a_user_who_may_not_make_a_schema_is_refused_with_the_grant_that_lets_him(postgresql: Postgresql) -> None:
    from throughline.core.postgresql import check

    postgresql.run("CREATE ROLE poor LOGIN; CREATE DATABASE of_another")
    url = named(postgresql, "of_another", "poor")
    (grant,) = re.findall("GRANT .*", refused(url))
    postgresql.run(grant)
    check(Schema(url, "throughline"))


def test_a_user_who_may_not_write_is_refused(postgresql: Postgresql) -> None:
    postgresql.run(
        "CREATE ROLE reader LOGIN; CREATE DATABASE of_reader OWNER reader;"
        " ALTER ROLE reader SET default_transaction_read_only TO on"
    )
    assert "seen default_transaction_read_only on" in refused(named(postgresql, "of_reader", "reader"))


def test_tables_that_another_user_has_restored_are_refused(postgresql: Postgresql) -> None:
    from throughline.core.postgresql import check

    postgresql.run("CREATE ROLE owner_of_all LOGIN; CREATE DATABASE restored OWNER owner_of_all")
    theirs, ours = named(postgresql, "restored"), named(postgresql, "restored", "owner_of_all")
    open_writing(Schema(theirs, "throughline")).close()
    assert "throughline, or tables in it, of postgres, wanted owner_of_all's own" in refused(ours)
    with closing(open_writing(Schema(theirs, "throughline"))) as connection:
        connection.execute("ALTER SCHEMA throughline OWNER TO owner_of_all")
        check(Schema(ours, "throughline"))
        connection.execute("CREATE TABLE meta (name text)")
    assert "pg_restore --no-owner --role=owner_of_all" in refused(ours)


@pytest.fixture
def standby(postgresql: Postgresql) -> Iterator[Postgresql]:
    with closing(Postgresql(postgresql)) as server:
        yield server


def test_a_standby_is_refused_and_of_several_hosts_the_primary_is_used(
    postgresql: Postgresql, standby: Postgresql
) -> None:
    from throughline.core.postgresql import check

    assert "seen a standby, which takes no writes, wanted the primary" in refused(named(standby, "postgres"))
    hosts = f"{standby.address.removesuffix('/')},{postgresql.address}"
    check(Schema(StoreUrl.parse(f"postgresql://postgres@{hosts}postgres"), "throughline"))


def test_who_works_on_a_store_is_told_whatever_is_done_in_other_databases(postgresql: Postgresql) -> None:
    from throughline.core.postgresql import PostgresConnection

    urls = [postgresql.fresh() for _ in range(2)]
    with ExitStack() as stack, ThreadPoolExecutor(len(urls)) as both:
        pids: list[int] = []
        for url in urls:
            connection = stack.enter_context(closing(PostgresConnection(Schema(url, "throughline"), writes=True)))
            connection.claim()
            pids += connection.execute("SELECT pg_backend_pid()").fetchone()
        for pid, said in zip(pids, both.map(refused, urls), strict=True):
            assert f"(process {pid} of the server" in said
