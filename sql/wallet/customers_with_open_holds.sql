-- The customers with open holds whose transactions were read longest ago, and the revision to read on from: before the oldest open hold, because
-- rows may be committed late, below a revision that was read already.
select
    open_hold.organization_id::text,
    open_hold.customer_id::text,
    (
        select max(known.revision)
        from wallet.transaction as known
        where
            known.organization_id = open_hold.organization_id
            and known.customer_id = open_hold.customer_id
            and known.created_at < min(open_hold.opened_at) - make_interval(secs => %(skew_seconds)s)
    ) as revision
from wallet.open_hold as open_hold
left join wallet.transaction_bookmark as bookmark
    on open_hold.organization_id = bookmark.organization_id and open_hold.customer_id = bookmark.customer_id
where
    open_hold.organization_id = any(%(organization_ids)s::uuid[])
    and (%(customer_id)s::uuid is null or open_hold.customer_id = %(customer_id)s::uuid)
group by open_hold.organization_id, open_hold.customer_id
order by min(bookmark.read_at) asc nulls first, min(open_hold.opened_at) asc
limit %(customers)s;
