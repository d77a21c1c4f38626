-- Keeps for the rest of a dry run what trial_take.sql gave, after its chunk was taken back.
insert into staging_operation_trial as known (operation_id, hold_id, idempotency_key, written)
select
    (each.written -> 'operation' ->> 'operation_id')::uuid as operation_id,
    (each.written -> 'operation' ->> 'hold_id')::uuid as hold_id,
    each.written -> 'operation' ->> 'idempotency_key' as idempotency_key,
    each.written
from jsonb_array_elements(%(operations)s::jsonb) as each (written)
on conflict (operation_id) do update set written = excluded.written;

insert into staging_order_trial as known (organization_id, order_id, written)
select
    (each.written -> 'order' ->> 'organization_id')::uuid as organization_id,
    each.written -> 'order' ->> 'order_id' as order_id,
    each.written
from jsonb_array_elements(%(orders)s::jsonb) as each (written)
on conflict (organization_id, order_id) do update set written = excluded.written;
