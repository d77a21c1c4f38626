-- Two rows about one customer are joined: the one that is agreed with Syrve already, else the one with the lowest crm_id, is pushed for both. It
-- takes over what the other says and it does not, what the other said later, and every no to messages; what is written into the other row
-- afterwards is taken over in the same way. A row that is about another customer again goes its own way again.
insert into staging_join (crm_id, kept_id, fields)
with twin as (
    select
        candidate.crm_id,
        coalesce(
            case
                when desired.customer_id is not null
                    then (
                        select other.crm_id
                        from crm.customer as other
                        left join crm.push_state as known_other on other.crm_id = known_other.crm_id
                        where other.organization_id = desired.organization_id and other.customer_id = desired.customer_id
                        order by known_other.joined_to is not null, coalesce(known_other.agreed, '{}') = '{}', other.crm_id
                        limit 1
                    )
            end,
            case
                when desired.customer_id is null and known.phone is not null
                    then (
                        select min(other.crm_id)
                        from crm.push_state as other
                        where
                            other.organization_id = known.organization_id
                            and other.phone = known.phone
                            and other.crm_id < candidate.crm_id
                            and other.joined_to is null
                            and (other.customer_id is null or other.crm_id = known.joined_to)
                    )
            end
        ) as kept_id
    from staging_candidate as candidate
    inner join crm.customer as desired on candidate.crm_id = desired.crm_id
    inner join crm.push_state as known on candidate.crm_id = known.crm_id
)

select
    twin.crm_id,
    twin.kept_id,
    desired.fields
from twin
inner join crm.desired_state as desired on twin.crm_id = desired.crm_id
where twin.kept_id <> twin.crm_id;

insert into staging_taken (kept_id, fields)
select
    joined.kept_id,
    jsonb_object_agg(
        said.key, said.value
        order by case when said.value = '"false"' then 'infinity' else greatest(desired.edited_at, desired.memberships_edited_at) end
    ) as fields
from staging_join as joined
inner join crm.customer as desired on joined.crm_id = desired.crm_id
inner join crm.push_state as known on joined.crm_id = known.crm_id
inner join crm.customer as kept on joined.kept_id = kept.crm_id
inner join crm.desired_state as kept_desired on joined.kept_id = kept_desired.crm_id
cross join lateral jsonb_each(joined.fields) as said
where
    not (
        known.joined_to is not distinct from joined.kept_id
        and coalesce(known.joined_fields, '{}') @> jsonb_build_object(said.key, said.value)
    )
    and kept_desired.fields -> said.key is distinct from said.value
    and (
        not kept_desired.fields ? said.key
        or case
            when said.key in ('receives_promo', 'receives_order_status') then said.value = '"false"'
            else greatest(desired.edited_at, desired.memberships_edited_at) > greatest(kept.edited_at, kept.memberships_edited_at)
        end
    )
group by joined.kept_id;

-- A row has at most 1,000 memberships, however many rows are joined to it: beyond that it takes over no more.
with crowded as (
    select taken.kept_id
    from staging_taken as taken
    inner join crm.desired_state as kept on taken.kept_id = kept.crm_id
    cross join lateral jsonb_object_keys(kept.fields || taken.fields) as had (key)
    where strpos(had.key, ':') > 0
    group by taken.kept_id
    having count(*) > 1000
)

update staging_taken as taken
set fields = coalesce((select jsonb_object_agg(said.key, said.value) from jsonb_each(taken.fields) as said where strpos(said.key, ':') = 0), '{}')
from crowded
where taken.kept_id = crowded.kept_id;

update crm.push_state as known
set
    joined_to = joined.kept_id,
    joined_fields = joined.fields,
    agreed = '{}',
    agreed_version = known.agreed_version + 1,
    pushed = null
from staging_join as joined
where known.crm_id = joined.crm_id and (known.joined_to, known.joined_fields) is distinct from (joined.kept_id, joined.fields);

update crm.push_state as known
set joined_to = null, joined_fields = null, is_settled = false
from staging_candidate as candidate
where
    known.crm_id = candidate.crm_id
    and known.joined_to is not null
    and not exists (select 1 from staging_join as joined where joined.crm_id = known.crm_id);

with locked as materialized (
    select
        kept.crm_id,
        taken.fields,
        array(
            select cleared.field
            from unnest(kept.clear) as cleared (field)
            where not taken.fields ? cleared.field
            union all
            select said.key
            from jsonb_each_text(taken.fields) as said
            where said.value is null and said.key in ('name', 'surname', 'middle_name', 'email')
        ) as clear
    from crm.customer as kept
    inner join staging_taken as taken on kept.crm_id = taken.kept_id
    order by kept.crm_id
    for no key update of kept
)

update crm.customer as kept
set
    phone = case when locked.fields ? 'phone' then locked.fields ->> 'phone' else kept.phone end,
    name = case when locked.fields ? 'name' then locked.fields ->> 'name' else kept.name end,
    surname = case when locked.fields ? 'surname' then locked.fields ->> 'surname' else kept.surname end,
    middle_name = case when locked.fields ? 'middle_name' then locked.fields ->> 'middle_name' else kept.middle_name end,
    email = case when locked.fields ? 'email' then locked.fields ->> 'email' else kept.email end,
    birthday = coalesce((locked.fields ->> 'birthday')::date, kept.birthday),
    sex = coalesce(locked.fields ->> 'sex', kept.sex),
    receives_order_status = coalesce((locked.fields ->> 'receives_order_status')::boolean, kept.receives_order_status),
    receives_promo = coalesce((locked.fields ->> 'receives_promo')::boolean, kept.receives_promo),
    clear = locked.clear
from locked
where kept.crm_id = locked.crm_id;

insert into crm.customer_category as membership (crm_id, category_id, wanted)
select
    taken.kept_id,
    split_part(said.key, ':', 2)::uuid as category_id,
    said.value::boolean as wanted
from staging_taken as taken
cross join lateral jsonb_each_text(taken.fields) as said
where split_part(said.key, ':', 1) = 'category'
order by taken.kept_id, said.key
on conflict (crm_id, category_id) do update
    set wanted = excluded.wanted;

insert into crm.customer_card as membership (crm_id, track, number, wanted)
select
    taken.kept_id,
    substr(said.key, 6) as track,
    (
        select max(card.number)
        from staging_join as joined
        inner join crm.customer_card as card on joined.crm_id = card.crm_id
        where joined.kept_id = taken.kept_id and card.track = substr(said.key, 6)
    ) as number,
    said.value::boolean as wanted
from staging_taken as taken
cross join lateral jsonb_each_text(taken.fields) as said
where split_part(said.key, ':', 1) = 'card'
order by taken.kept_id, said.key
on conflict (crm_id, track) do update
    set wanted = excluded.wanted;

insert into crm.customer_program as membership (crm_id, program_id)
select
    taken.kept_id,
    split_part(said.key, ':', 2)::uuid as program_id
from staging_taken as taken
cross join lateral jsonb_each_text(taken.fields) as said
where split_part(said.key, ':', 1) = 'program'
order by taken.kept_id, said.key
on conflict do nothing;

insert into staging_candidate (crm_id)
select kept_id
from staging_taken
on conflict do nothing;
