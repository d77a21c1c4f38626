-- Pins one hold of a question as it is shown.
with pinned as (
    insert into wallet.release (
        request_id,
        run_id,
        place,
        hold_id,
        transaction_id,
        organization_id,
        customer_id,
        wallet_id,
        amount,
        hold_state,
        opened_at,
        order_id,
        order_state,
        rules,
        severity,
        findings,
        answer_until
    )
    values (
        %(request_id)s,
        %(run_id)s,
        %(place)s,
        %(hold_id)s,
        %(transaction_id)s,
        %(organization_id)s,
        %(customer_id)s,
        %(wallet_id)s,
        %(amount)s,
        %(hold_state)s,
        %(opened_at)s,
        %(order_id)s,
        %(order_state)s,
        %(rules)s::text[],
        %(severity)s,
        %(findings)s::jsonb,
        clock_timestamp() + make_interval(secs => %(answer_seconds)s)
    )
    returning release_id, run_id
)

insert into wallet.release_event (release_id, sequence, state, run_id)
select
    pinned.release_id,
    1 as sequence,
    'asked' as state,
    pinned.run_id
from pinned;
