-- Makes identities due that are covered while no other identity of the customer is looked up (cover.sql never leaves that, but where it passed over a row
-- that another transaction had locked), and tells how many.
with lost as (
    select
        covered.organization_id,
        covered.identity_kind,
        covered.identity_value
    from sync.roster as covered
    where
        covered.due_at = 'infinity'
        and not exists (
            select
            from sync.roster as other
            where
                other.organization_id = covered.organization_id
                and other.customer_id = covered.customer_id
                and other.due_at < 'infinity'
        )
    order by covered.organization_id, covered.identity_kind, covered.identity_value
    for no key update skip locked
),

made_due as (
    update sync.roster as roster
    set due_at = now()
    from lost
    where
        roster.organization_id = lost.organization_id
        and roster.identity_kind = lost.identity_kind
        and roster.identity_value = lost.identity_value
    returning 1
)

select count(*) as made_due
from made_due;
