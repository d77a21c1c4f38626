-- The customers with open holds whose transactions were read longest ago, and the revision to read on from: before the oldest open hold, because
-- rows may be committed late, below a revision that was read already. While the fence is closed also those whose money may have moved unknown to the
-- ledger, from a day before it knew of anything last.
with wanted as (
    select
        open_hold.organization_id,
        open_hold.customer_id,
        open_hold.opened_at as since
    from wallet.open_hold as open_hold
    union all
    select
        suspect.organization_id,
        suspect.customer_id,
        coalesce((select max(known.begun_at) - interval '1 day' from wallet.epoch as known), '-infinity') as since
    from wallet.restore_suspect as suspect
    where suspect.customer_id is not null and exists (select from wallet.closed_fence)
)

select
    wanted.organization_id::text,
    wanted.customer_id::text,
    (
        select max(known.revision)
        from wallet.transaction as known
        where
            known.organization_id = wanted.organization_id
            and known.customer_id = wanted.customer_id
            and known.created_at < min(wanted.since) - make_interval(secs => %(skew_seconds)s)
    ) as revision
from wanted
left join wallet.transaction_bookmark as bookmark
    on wanted.organization_id = bookmark.organization_id and wanted.customer_id = bookmark.customer_id
where
    wanted.organization_id = any(%(organization_ids)s::uuid[])
    and (%(customer_id)s::uuid is null or wanted.customer_id = %(customer_id)s::uuid)
group by wanted.organization_id, wanted.customer_id
order by min(bookmark.read_at) asc nulls first, min(wanted.since) asc
limit %(customers)s;
