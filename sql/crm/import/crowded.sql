-- Takes the lines out that would give a customer more memberships than a row of the CRM may have, with what it has by now.
with known as (
    select
        crm_id,
        'category:' || category_id as key
    from staging_crm
    where category_id is not null
    union
    select
        crm_id,
        'card:' || card_track as key
    from staging_crm
    where card_track is not null
    union
    select
        crm_id,
        'program:' || program_id as key
    from staging_crm
    where program_id is not null
    union
    select
        had.crm_id,
        'category:' || had.category_id as key
    from crm.customer_category as had
    where had.crm_id in (select staged.crm_id from staging_crm as staged)
    union
    select
        had.crm_id,
        'card:' || had.track as key
    from crm.customer_card as had
    where had.crm_id in (select staged.crm_id from staging_crm as staged)
    union
    select
        had.crm_id,
        'program:' || had.program_id as key
    from crm.customer_program as had
    where had.crm_id in (select staged.crm_id from staging_crm as staged)
),

crowded as (
    select crm_id
    from known
    group by crm_id
    having count(*) > 1000
)

delete from staging_crm as staged
using crowded
where
    staged.crm_id = crowded.crm_id
    and (staged.category_id is not null or staged.card_track is not null or staged.program_id is not null)
returning staged.line, 'the customer would have more than 1,000 categories, cards and programmes' as reason;
