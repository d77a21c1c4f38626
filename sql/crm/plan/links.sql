-- Who are the rows about that name no customer, or one who is deleted, or one whom the mirror gave them by a phone that it no longer shows?
-- standing  link       the mirror has one customer under the row's phone whom no other row has, or a look-up under it has named one
--           unlink     no customer is known under the phone: a new customer
--           look_up    the mirror knows the phone and cannot tell: its customer is deleted, another row's, or one of several
--           gone       the mirror knows the phone, and the look-up under it found no customer, or only a deleted one: never created over
--           elsewhere  the look-up under the phone named a customer who has another phone: whose it is, it does not say
--           stranger   the row's customer was deleted, and the customer who has the phone now is another person: by birthday, or by name if neither
--                      birthday nor e-mail address says that they are the same; unless Syrve answers with them under the id of the deleted one
-- An answer counts if it is newer than the row and than the deletion. Rows of crm.push_state first, then rows of crm.customer.
insert into staging_standing (crm_id, standing, target_id, phone, is_by_mirror)
with unknown as (
    select
        candidate.crm_id,
        desired.organization_id,
        desired.edited_at,
        coalesce(known.phone, own.phone) as phone,
        own.customer_id as deleted_id,
        own.fetched_at as deleted_at,
        coalesce(own.birthday, desired.birthday) as birthday,
        lower(coalesce(own.email, crm.written_text(desired.email))) as email,
        translate(lower(coalesce(own.name, crm.written_text(desired.name))), 'ё', 'е') as name,
        translate(lower(coalesce(own.surname, crm.written_text(desired.surname))), 'ё', 'е') as surname,
        desired.customer_id is not null as is_linked
    from staging_candidate as candidate
    inner join crm.customer as desired on candidate.crm_id = desired.crm_id
    inner join crm.push_state as known on candidate.crm_id = known.crm_id
    left join syrve.customer as linked
        on desired.organization_id = linked.organization_id and desired.customer_id = linked.customer_id
    left join syrve.customer as own
        on linked.organization_id = own.organization_id and linked.customer_id = own.customer_id and own.is_deleted
    where
        (
            desired.customer_id is null
            or linked.is_deleted
            or (known.link_phone is not null and linked.phone is distinct from known.link_phone)
        )
        and coalesce(known.phone, own.phone) is not null
        and known.joined_to is null
),

mirrored as (
    select
        unknown.crm_id,
        count(*) filter (where not found.is_deleted) as live,
        (array_agg(found.customer_id) filter (where not found.is_deleted))[1] as live_id,
        max(found.fetched_at) filter (where found.is_deleted) as deleted_at,
        bool_or(
            exists (
                select 1
                from crm.customer as other
                where
                    other.organization_id = found.organization_id
                    and other.customer_id = found.customer_id
                    and other.crm_id <> unknown.crm_id
            )
        ) as is_taken
    from unknown
    inner join syrve.customer as found on unknown.organization_id = found.organization_id and unknown.phone = found.phone
    group by unknown.crm_id
),

answered as (
    select
        unknown.crm_id,
        answer.outcome,
        answer.customer_id,
        coalesce(named.is_deleted, false) as is_deleted,
        (named.phone is distinct from unknown.phone) as has_another_phone
    from unknown
    left join mirrored on unknown.crm_id = mirrored.crm_id
    inner join sync.roster as answer
        on
            unknown.organization_id = answer.organization_id
            and answer.identity_kind = 'phone'
            and unknown.phone = answer.identity_value
    left join syrve.customer as named
        on answer.organization_id = named.organization_id and answer.customer_id = named.customer_id
    where
        answer.outcome in ('found', 'not_found')
        and answer.checked_at > greatest(unknown.edited_at, unknown.deleted_at, mirrored.deleted_at)
),

judged as (
    select
        unknown.crm_id,
        unknown.phone,
        unknown.is_linked,
        case
            when answered.outcome = 'found' and not answered.is_deleted and not answered.has_another_phone then 'answer'
            when mirrored.live = 1 and not mirrored.is_taken then 'mirror'
            when answered.outcome = 'found' and not answered.is_deleted then 'elsewhere'
            when mirrored.crm_id is null and unknown.deleted_id is null then 'unlink'
            when (answered.outcome = 'not_found' or answered.is_deleted) and coalesce(mirrored.live, 0) = 0 then 'gone'
            else 'look_up'
        end as verdict,
        mirrored.live_id,
        answered.customer_id as answered_id
    from unknown
    left join mirrored on unknown.crm_id = mirrored.crm_id
    left join answered on unknown.crm_id = answered.crm_id
),

aimed as (
    select
        crm_id,
        phone,
        is_linked,
        verdict,
        case verdict when 'answer' then answered_id when 'mirror' then live_id end as target_id
    from judged
    where verdict <> 'unlink' or is_linked
),

strangers as (
    select unknown.crm_id
    from aimed
    inner join unknown on aimed.crm_id = unknown.crm_id
    inner join syrve.customer as found on unknown.organization_id = found.organization_id and aimed.target_id = found.customer_id
    where
        unknown.deleted_id is not null
        and lower(found.email) = unknown.email is not true
        and (
            found.birthday <> unknown.birthday
            or (
                found.birthday = unknown.birthday is not true
                and (translate(lower(found.name), 'ё', 'е') <> unknown.name or translate(lower(found.surname), 'ё', 'е') <> unknown.surname)
            )
        )
        and not exists (
            select 1
            from sync.roster as answer
            where
                answer.organization_id = unknown.organization_id
                and answer.identity_kind = 'id'
                and answer.identity_value = unknown.deleted_id::text
                and answer.outcome = 'found'
                and answer.customer_id = aimed.target_id
        )
)

select
    aimed.crm_id,
    case
        when strangers.crm_id is not null then 'stranger'
        when aimed.verdict in ('answer', 'mirror') then 'link'
        else aimed.verdict
    end as standing,
    case when strangers.crm_id is null then aimed.target_id end as target_id,
    aimed.phone,
    aimed.verdict = 'mirror' as is_by_mirror
from aimed
left join strangers on aimed.crm_id = strangers.crm_id;

-- Of several rows that would get one customer by this, the first gets it: the others are looked at again by the next plan.
update staging_standing as later
set standing = 'look_up', target_id = null
from staging_standing as sooner
where later.standing = 'link' and sooner.standing = 'link' and later.target_id = sooner.target_id and sooner.crm_id < later.crm_id;

update crm.push_state as known
set
    customer_id = staged.target_id,
    link_phone = case when staged.is_by_mirror then staged.phone end,
    agreed = '{}',
    agreed_version = known.agreed_version + 1,
    pushed = null,
    is_settled = false
from staging_standing as staged
where staged.standing in ('link', 'unlink') and known.crm_id = staged.crm_id;

with locked as materialized (
    select
        desired.crm_id,
        staged.target_id
    from crm.customer as desired
    inner join staging_standing as staged on desired.crm_id = staged.crm_id
    where staged.standing in ('link', 'unlink')
    order by desired.crm_id
    for no key update of desired
)

update crm.customer as desired
set customer_id = locked.target_id
from locked
where desired.crm_id = locked.crm_id;
