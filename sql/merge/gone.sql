-- Which look-ups of the batch say that a customer whom the mirror has is gone: an identity that last led to a customer and is not known any more
-- or leads to another customer, a customer who has become deleted, or one whose answer is doubted (customers/doubts.py). Healthy answers are told apart
-- without reading anything else.
insert into staging_gone (organization_id, identity_kind, identity_value, customer_id, answer)
select
    looked.organization_id,
    looked.identity_kind,
    looked.identity_value,
    known.customer_id,
    case when looked.outcome = 'not_found' then 'not_found' else 'other_customer' end as answer
from staging_lookup as looked
inner join lateral (
    select
        roster.customer_id,
        roster.outcome,
        roster.confirmed_at
    from sync.roster as roster
    where
        roster.organization_id = looked.organization_id
        and roster.identity_kind = looked.identity_kind
        and roster.identity_value = looked.identity_value
    offset 0  -- noqa: AM09
) as known on true
where
    (
        looked.outcome = 'not_found'
        or (looked.outcome = 'found' and looked.customer_id <> known.customer_id)
    )
    and known.customer_id is not null
    and known.outcome is distinct from 'not_found'
    and (known.confirmed_at is null or known.confirmed_at < looked.checked_at)
    and (looked.outcome = 'not_found' or looked.identity_kind <> 'id' or looked.identity_value = known.customer_id::text)
    and not exists ( -- who is deleted already can't be lost once more
        select
        from syrve.customer as deleted
        where
            deleted.organization_id = looked.organization_id
            and deleted.customer_id = known.customer_id
            and deleted.is_deleted
    )
union all
select
    looked.organization_id,
    looked.identity_kind,
    looked.identity_value,
    mirrored.customer_id,
    'deleted' as answer
from staging_lookup as looked
inner join syrve.customer as mirrored
    on looked.organization_id = mirrored.organization_id and looked.customer_id = mirrored.customer_id
where
    looked.outcome = 'found'
    and looked.customer_id = any(%(deleted_ids)s::uuid[])
    and not mirrored.is_deleted
    and mirrored.fetched_at < looked.checked_at
union all
select
    looked.organization_id,
    looked.identity_kind,
    looked.identity_value,
    looked.customer_id,
    doubted.answer
from
    unnest(%(doubted_organization_ids)s::uuid[], %(doubted_ids)s::uuid[], %(doubted_answers)s::text[]) as doubted (
        organization_id, customer_id, answer
    )
inner join staging_lookup as looked
    on doubted.organization_id = looked.organization_id and doubted.customer_id = looked.customer_id
where looked.outcome = 'found';
