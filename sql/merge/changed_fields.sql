-- How many of the known customers of the batch that differ have another value in each field (the names are those of syrve.customer), or lost their last card.
with compared as (
    select
        (staged.phone_raw is distinct from mirrored.phone_raw) as phone,
        (staged.email is distinct from mirrored.email) as email,
        (staged.name is distinct from mirrored.name) as name,
        (staged.surname is distinct from mirrored.surname) as surname,
        (staged.middle_name is distinct from mirrored.middle_name) as middle_name,
        (staged.birthday is distinct from mirrored.birthday) as birthday,
        (staged.sex is distinct from mirrored.sex) as sex,
        (staged.program_id is distinct from mirrored.program_id) as program_id,
        (staged.receives_order_status is distinct from mirrored.receives_order_status) as receives_order_status,
        (staged.receives_promo is distinct from mirrored.receives_promo) as receives_promo,
        (staged.consent_from is distinct from mirrored.consent_from) as consent_from,
        (staged.consent_to is distinct from mirrored.consent_to) as consent_to,
        (
            not exists (
                select
                from staging_card as kept
                where kept.organization_id = staged.organization_id and kept.customer_id = staged.customer_id
            )
            and not exists (
                select
                from staging_absent as absent
                where absent.organization_id = staged.organization_id and absent.customer_id = staged.customer_id and absent.list = 'cards'
            )
            and exists (
                select
                from syrve.card as card
                where card.organization_id = staged.organization_id and card.customer_id = staged.customer_id
            )
        ) as cards
    from staging_customer as staged
    inner join syrve.customer as mirrored
        on staged.organization_id = mirrored.organization_id and staged.customer_id = mirrored.customer_id
)

select
    changed.key as field,
    count(*) as customers
from compared
cross join lateral jsonb_each(to_jsonb(compared)) as changed (key, value)
where changed.value = 'true'::jsonb
group by changed.key
order by changed.key;
