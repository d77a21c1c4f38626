-- Puts back what earlier chunks of a dry run have written about the customers whom this chunk names, before it is judged; it is taken back with the chunk.
create temporary table staging_crm_put_back on commit drop as
select
    known.crm_id,
    known.written
from staging_crm_trial as known
where
    known.crm_id in (
        select same.crm_id
        from staging_crm as staged
        inner join staging_crm_trial as same on staged.crm_id = same.crm_id
        union
        select same.crm_id
        from staging_crm as staged
        inner join staging_crm_trial as same on staged.organization_id = same.organization_id and staged.customer_id = same.customer_id
        union
        select same.crm_id
        from staging_crm as staged
        inner join staging_crm_trial as same on staged.organization_id = same.organization_id and staged.phone = same.phone
    );

insert into crm.customer as desired
select (jsonb_populate_record(null::crm.customer, back.written -> 'row')).*
from staging_crm_put_back as back
order by back.crm_id
on conflict (crm_id) do update
    set
        customer_id = excluded.customer_id,
        phone = excluded.phone,
        name = excluded.name,
        surname = excluded.surname,
        middle_name = excluded.middle_name,
        email = excluded.email,
        birthday = excluded.birthday,
        sex = excluded.sex,
        receives_order_status = excluded.receives_order_status,
        receives_promo = excluded.receives_promo,
        clear = excluded.clear;

insert into crm.customer_category as had (crm_id, category_id, wanted)
select
    each.crm_id,
    each.category_id,
    each.wanted
from staging_crm_put_back as back
cross join lateral jsonb_populate_recordset(null::crm.customer_category, back.written -> 'categories') as each
order by each.crm_id, each.category_id
on conflict (crm_id, category_id) do update set wanted = excluded.wanted;

insert into crm.customer_card as had (crm_id, track, number, wanted)
select
    each.crm_id,
    each.track,
    each.number,
    each.wanted
from staging_crm_put_back as back
cross join lateral jsonb_populate_recordset(null::crm.customer_card, back.written -> 'cards') as each
order by each.crm_id, each.track
on conflict (crm_id, track) do update set number = excluded.number, wanted = excluded.wanted;

insert into crm.customer_program as had (crm_id, program_id)
select
    each.crm_id,
    each.program_id
from staging_crm_put_back as back
cross join lateral jsonb_populate_recordset(null::crm.customer_program, back.written -> 'programs') as each
order by each.crm_id, each.program_id
on conflict do nothing;
