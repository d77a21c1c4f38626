-- Puts back what earlier chunks of a dry run have written about the orders of this chunk.
insert into wallet.payment_order_version (organization_id, order_id, state_at, state, amount, source)
select
    version.organization_id,
    version.order_id,
    version.state_at,
    version.state,
    version.amount,
    version.source
from unnest(%(organization_ids)s::uuid[], %(order_ids)s::text[]) as named (organization_id, order_id)
inner join staging_order_trial as known on named.organization_id = known.organization_id and named.order_id = known.order_id
cross join lateral jsonb_populate_recordset(null::wallet.payment_order_version, known.written -> 'versions') as version
on conflict do nothing;

insert into wallet.payment_order (organization_id, order_id, state, amount, state_at, source)
select distinct on (latest.organization_id, latest.order_id)
    latest.organization_id,
    latest.order_id,
    latest.state,
    latest.amount,
    latest.state_at,
    latest.source
from unnest(%(organization_ids)s::uuid[], %(order_ids)s::text[]) as named (organization_id, order_id)
inner join staging_order_trial as known on named.organization_id = known.organization_id and named.order_id = known.order_id
cross join lateral jsonb_populate_record(null::wallet.payment_order, known.written -> 'order') as latest
order by latest.organization_id, latest.order_id
on conflict (organization_id, order_id) do update
    set
        state = excluded.state,
        amount = excluded.amount,
        state_at = excluded.state_at,
        source = excluded.source;
