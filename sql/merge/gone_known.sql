-- What is known of these already: a customer who was let through is not held back again under any identity until the look-up by id has told what became
-- of them, and who is found again is held back no longer. A breaker of which nothing is left was recovered from. What is held under a breaker that is
-- decided (a task held it while a person decided) is a new question. Returns how many customers are newly gone; who is doubted (doubted.sql) was counted
-- when the first run got that answer.
with let_through as (
    delete from staging_gone as gone
    using sync.held_back as held
    where
        held.organization_id = gone.organization_id
        and held.customer_id = gone.customer_id
        and held.let_through_at is not null
    returning gone.organization_id, gone.identity_kind, gone.identity_value
),

over as (
    delete from sync.held_back as held
    using staging_lookup as looked
    where
        looked.organization_id = held.organization_id
        and looked.identity_kind = held.identity_kind
        and looked.identity_value = held.identity_value
        and looked.outcome in ('found', 'not_found')
        and (
            (held.let_through_at is not null and held.identity_kind = 'id')
            or not exists (
                select 1
                from staging_gone as again
                where
                    again.organization_id = held.organization_id
                    and again.identity_kind = held.identity_kind
                    and again.identity_value = held.identity_value
                    and again.customer_id = held.customer_id
            )
        )
    returning held.breaker_id, held.organization_id, held.identity_kind, held.identity_value
),

told_by_id as (
    delete from sync.held_back as held
    using staging_lookup as looked
    where
        looked.organization_id = held.organization_id
        and looked.identity_kind = 'id'
        and looked.outcome in ('found', 'not_found')
        and held.customer_id = case when looked.identity_kind = 'id' then looked.identity_value::uuid end
        and held.identity_kind <> 'id'
        and held.let_through_at is not null
),

-- The id may never be asked for, since another identity that found the customer covers it.
told_by_another as (
    delete from sync.held_back as held
    using staging_lookup as looked, sync.roster as known
    where
        looked.organization_id = held.organization_id
        and looked.customer_id = held.customer_id
        and looked.outcome = 'found'
        and held.let_through_at is not null
        and known.organization_id = held.organization_id
        and known.identity_kind = held.identity_kind
        and known.identity_value = held.identity_value
        and (known.customer_id <> held.customer_id or known.outcome = 'not_found')
        and not exists (
            select 1
            from staging_gone as again
            where again.organization_id = held.organization_id and again.customer_id = held.customer_id
        )
),

recovered as (
    update sync.breaker as known
    set decision = 'recovered', decided_at = now()
    where
        known.decision is null
        and known.kind = 'customers_gone'
        and known.organization_id in (select looked.organization_id from staging_lookup as looked)
        and not exists (
            select 1
            from sync.held_back as held
            where
                held.breaker_id = known.breaker_id
                and not exists (
                    select 1
                    from over
                    where
                        over.organization_id = held.organization_id
                        and over.identity_kind = held.identity_kind
                        and over.identity_value = held.identity_value
                )
        )
)

select count(distinct gone.customer_id)
from staging_gone as gone
where
    not exists (
        select 1
        from let_through
        where
            let_through.organization_id = gone.organization_id
            and let_through.identity_kind = gone.identity_kind
            and let_through.identity_value = gone.identity_value
    )
    and not exists (
        select 1
        from sync.held_back as held
        inner join sync.breaker as known on held.breaker_id = known.breaker_id
        where
            held.organization_id = gone.organization_id
            and held.customer_id = gone.customer_id
            and known.decision is null
    )
    and not exists (
        select 1
        from sync.reject as doubted
        where
            gone.answer in ('emptied', 'damaged')
            and doubted.entity = 'customer'
            and doubted.organization_id = gone.organization_id
            and doubted.identity = gone.identity_kind || ' ' || gone.identity_value
            and doubted.stage = 'look_up'
            and doubted.reason = any(%(doubt_reasons)s)
            and doubted.resolved_at is null
    );
