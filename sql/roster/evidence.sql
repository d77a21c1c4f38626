-- Takes the evidence of the batches since the last fit, added up by organization and band. Changes that were found without a signal may mean that signals
-- have stopped, or that the order feed keeps orders to itself (signals/stopped.sql).
with taken as materialized (
    delete from sync.refresh_evidence
    where organization_id = any(%(organization_ids)s::uuid[])
    returning organization_id, observed, expected, signal_evidence
),

banded as (
    select
        taken.organization_id,
        each.band,
        sum(each.observed::double precision) as observed,
        sum(each.expected::double precision) as expected
    from taken
    cross join lateral unnest(taken.observed, taken.expected) with ordinality as each (observed, expected, band)
    group by taken.organization_id, each.band
),

signalled as (
    select
        taken.organization_id,
        each.place,
        sum(each.amount::double precision) as amount
    from taken
    cross join lateral unnest(taken.signal_evidence) with ordinality as each (amount, place)
    group by taken.organization_id, each.place
),

unreported as (
    update sync.signal_flow as flow
    set unreported = flow.unreported + signalled.amount
    from signalled
    where flow.organization_id = signalled.organization_id and flow.sort in ('balance', 'feed') and signalled.place = 3 and signalled.amount > 0
    returning 1
)

select
    organization_id::text,
    array_agg(observed order by band) as observed,
    array_agg(expected order by band) as expected,
    (
        select array_agg(signalled.amount order by signalled.place)
        from signalled
        where signalled.organization_id = banded.organization_id
    ) as signal_evidence
from banded
group by organization_id;
