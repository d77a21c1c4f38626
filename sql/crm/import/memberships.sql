-- Writes the memberships of a chunk, and tells how many it changed; lines about one membership agree with each other (contradicting.sql).
with category as (
    insert into crm.customer_category as membership (crm_id, category_id, wanted)
    select distinct on (crm_id, category_id)
        crm_id,
        category_id,
        wanted
    from staging_crm
    where category_id is not null
    order by crm_id asc, category_id asc, line desc
    on conflict (crm_id, category_id) do update
        set wanted = excluded.wanted
        where membership.wanted <> excluded.wanted
    returning membership.crm_id
),

card as (
    insert into crm.customer_card as membership (crm_id, track, number, wanted)
    select distinct on (crm_id, card_track)
        crm_id,
        card_track,
        card_number,
        wanted
    from staging_crm
    where card_track is not null
    order by crm_id asc, card_track asc, line desc
    on conflict (crm_id, track) do update
        set wanted = excluded.wanted, number = coalesce(excluded.number, membership.number)
        where membership.wanted <> excluded.wanted or membership.number is distinct from coalesce(excluded.number, membership.number)
    returning membership.crm_id
),

program as (
    insert into crm.customer_program as membership (crm_id, program_id)
    select distinct
        crm_id,
        program_id
    from staging_crm
    where program_id is not null
    on conflict do nothing
    returning membership.crm_id
)

select count(*) as changed
from (
    select category.crm_id from category
    union all
    select card.crm_id from card
    union all
    select program.crm_id from program
) as written;
