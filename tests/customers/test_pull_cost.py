"""What a merge reads grows with its batch, and not with what was found before."""

from fixtures.chains import NOT_FOUND, ORGANIZATION, START, Chain, by_phone, customer, merge, phone_of, result
from syrve.warehouse.database import fetch_one, transaction
from syrve.warehouse.staging import prepare_staging

IDENTITIES, BATCH = 6000, 250
FILL = """
insert into sync.roster (organization_id, identity_kind, identity_value, source)
select %s, 'phone', '+7975' || lpad(number::text, 7, '0'), 'test' from generate_series(1, %s) as number
"""
FOUND = "update sync.roster set outcome = 'found', checked_at = now(), confirmed_at = now(), customer_id = gen_random_uuid()"
READ = "select seq_tup_read from pg_stat_xact_all_tables where relname = 'staging_lookup' and relid = 'staging_lookup'::regclass"


def test_first_load_of_a_roster_whose_statistics_know_of_no_customer_reads_in_proportion(chain: Chain) -> None:
    """Imported, analyzed by autovacuum, then pulled: the usual first day. It read every customer found so far for every look-up."""
    assert phone_of(1) == "+79750000001"
    chain.execute(FILL, ORGANIZATION, IDENTITIES)
    chain.execute("analyze sync.roster")
    chain.execute(FOUND + f" where identity_value <= '{phone_of(IDENTITIES - BATCH)}'")
    answers = [
        result(by_phone(number), customer(number) if number % 2 else NOT_FOUND, START)
        for number in range(IDENTITIES - BATCH + 1, IDENTITIES + 1)
    ]

    with chain.warehouse.connect() as connection:
        prepare_staging(connection)
        with transaction(connection, "merge") as cursor:
            assert merge(cursor, answers).changed == BATCH / 2
            cursor.execute(READ)
            assert fetch_one(cursor)[0] < 50 * BATCH
