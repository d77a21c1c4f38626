-- Brings the cards of the customers that differ into step: what an answer's list no longer has is removed (an answer
-- without the list removes nothing), what is new or different is written, and every version that this ends goes to the history.
with gone as (
    delete from syrve.card as mirrored
    using staging_merged as merged
    where
        not merged.is_new
        and mirrored.organization_id = merged.organization_id
        and mirrored.customer_id = merged.customer_id
        and not exists (
            select 1
            from staging_card as staged
            where
                staged.organization_id = mirrored.organization_id
                and staged.customer_id = mirrored.customer_id
                and staged.card_id = mirrored.card_id
        )
        and not exists (
            select 1
            from staging_absent as absent
            where
                absent.organization_id = mirrored.organization_id
                and absent.customer_id = mirrored.customer_id
                and absent.list = 'cards'
        )
    returning
        mirrored.organization_id,
        mirrored.customer_id,
        mirrored.card_id,
        mirrored.track,
        mirrored.number,
        mirrored.valid_to as card_valid_to,
        mirrored.changed_at as valid_from,
        merged.fetched_at as valid_to
),

different as (
    select
        mirrored.organization_id,
        mirrored.customer_id,
        mirrored.card_id,
        mirrored.track,
        mirrored.number,
        mirrored.valid_to as card_valid_to,
        mirrored.changed_at as valid_from,
        merged.fetched_at as valid_to
    from staging_card as staged
    inner join staging_merged as merged
        on staged.organization_id = merged.organization_id and staged.customer_id = merged.customer_id
    inner join syrve.card as mirrored
        on
            staged.organization_id = mirrored.organization_id
            and staged.customer_id = mirrored.customer_id
            and staged.card_id = mirrored.card_id
    where
        not merged.is_new
        and (mirrored.track, mirrored.number, mirrored.valid_to)
        is distinct from (staged.track, staged.number, staged.valid_to)
),

kept as (
    insert into syrve.card_version (
        organization_id, customer_id, card_id, track, number, card_valid_to, valid_from, valid_to
    )
    select * from gone
    union all
    select * from different
    returning organization_id, customer_id
),

written as (
    insert into syrve.card as mirrored (
        organization_id, customer_id, card_id, track, number, valid_to, changed_at
    )
    select
        staged.organization_id,
        staged.customer_id,
        staged.card_id,
        staged.track,
        staged.number,
        staged.valid_to,
        merged.fetched_at as changed_at
    from staging_card as staged
    inner join staging_merged as merged
        on staged.organization_id = merged.organization_id and staged.customer_id = merged.customer_id
    where not merged.is_new
    on conflict (organization_id, customer_id, card_id) do update
        set
            track = excluded.track,
            number = excluded.number,
            valid_to = excluded.valid_to,
            changed_at = excluded.changed_at
        where
        (mirrored.track, mirrored.number, mirrored.valid_to)
        is distinct from (excluded.track, excluded.number, excluded.valid_to)
    returning mirrored.organization_id, mirrored.customer_id
)

select (select count(*) from kept) + (select count(*) from written) as touched;
