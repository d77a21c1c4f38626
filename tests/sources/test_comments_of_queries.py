"""Comments that a database obeys are refused in a query, and a query elsewhere is read by its own dialect."""

import pytest
import sqlalchemy

from fixtures.queries import phones
from syrve.sources.errors import UnusableSource
from syrve.sources.query_text import one_select


@pytest.mark.parametrize(
    "query",
    [
        "select /*+ MAX_EXECUTION_TIME(0) */ phone from guest",
        "/*+ Set(statement_timeout 0) */ select phone from guest",
        "select /*!50000 sleep(99) */ as phone",
        "select /*M! sleep(99) */ as phone",
        "select /* /* */ /*+ SET_VAR(max_execution_time=0) */ */ phone from guest",
    ],
)
def test_comment_that_the_database_obeys_is_refused(query: str) -> None:
    with pytest.raises(UnusableSource, match="comment that the database obeys"):
        one_select(query, "mysql")


def test_hash_is_a_comment_on_mysql_only() -> None:
    hidden = "select 1 as phone # '\n; drop table guest -- '"

    assert one_select("select data #> '{a}' as phone") == "select data #> '{a}' as phone"
    assert one_select("select '/*+ # */' as phone", "mysql") == "select '/*+ # */' as phone"
    with pytest.raises(UnusableSource, match="has a #"):
        one_select(hidden, "mysql")


def test_query_elsewhere_may_type_whom_it_names() -> None:
    elsewhere = sqlalchemy.create_engine("sqlite://")

    assert phones(elsewhere, "select '+79750000001' as phone", listed_only=True) == ["+79750000001"]
