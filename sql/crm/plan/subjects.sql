-- What each candidate is: to create, to update, joined to another row, waiting for a look-up, or refused with the reason. What Syrve had when the
-- customer was first looked up has no known age, so field_changed_at has no time of a field until a change of it was seen.
insert into staging_subject (
    crm_id, organization_id, customer_id, phone, kind, reason, edited_at, memberships_edited_at, fetched_at, field_changed_at,
    look_up_phone, agreed, agreed_version, pushed
)
with judged as (
    select
        desired.crm_id,
        desired.organization_id,
        desired.customer_id,
        known.phone,
        desired.edited_at,
        desired.memberships_edited_at,
        mirrored.fetched_at,
        mirrored.field_changed_at,
        known.joined_to is not null as is_joined,
        case when standing.standing = 'look_up' then standing.phone end as look_up_phone,
        known.agreed,
        known.agreed_version,
        known.pushed,
        case
            when desired.customer_id is null and known.phone is null then 'has neither an id nor a usable phone'
            when known.phone_read is not null and known.phone is null then 'phone is not a possible number in region ' || %(region)s
            when standing.standing = 'elsewhere'
                then 'the answer under a phone is about a customer with another phone: name the customer by id'
            when standing.standing = 'stranger'
                then 'the customer is deleted in Syrve, and their phone is another person''s now: name the customer by id'
            when standing.standing = 'gone' and not coalesce(mirrored.is_deleted, false)
                then 'the mirror has a deleted customer with this phone, and Syrve finds no other customer under it'
            when mirrored.is_deleted and coalesce(standing.standing, '') <> 'look_up' then 'the customer is deleted in Syrve'
            when
                desired.customer_id is not null
                and mirrored.customer_id is null
                and known.pushed is null
                and exists (
                    select 1
                    from sync.roster as roster
                    where
                        roster.organization_id = desired.organization_id
                        and roster.identity_kind = 'id'
                        and roster.identity_value = desired.customer_id::text
                        and roster.outcome = 'not_found'
                )
                then 'Syrve knows no customer with this id'
            when not desired.birthday between date '1900-01-02' and current_date then 'birthday is not a possible one'
            when greatest(length(desired.name), length(desired.surname), length(desired.middle_name), length(desired.email)) > 1000
                then 'a text is longer than 1,000 characters'
            when
                ('name' = any(desired.clear) and crm.written_text(desired.name) is not null)
                or ('surname' = any(desired.clear) and crm.written_text(desired.surname) is not null)
                or ('middle_name' = any(desired.clear) and crm.written_text(desired.middle_name) is not null)
                or ('email' = any(desired.clear) and crm.written_text(desired.email) is not null)
                then 'a field is both set and to be emptied'
        end as reason,
        mirrored.customer_id is not null as is_mirrored
    from staging_candidate as candidate
    inner join crm.customer as desired on candidate.crm_id = desired.crm_id
    inner join crm.push_state as known on candidate.crm_id = known.crm_id
    left join staging_standing as standing on candidate.crm_id = standing.crm_id
    left join syrve.customer as mirrored
        on desired.organization_id = mirrored.organization_id and desired.customer_id = mirrored.customer_id
)

select
    crm_id,
    organization_id,
    customer_id,
    phone,
    case
        when is_joined then 'joined'
        when reason is not null then 'refused'
        when look_up_phone is not null then 'waits'
        when customer_id is null then 'create'
        when is_mirrored then 'update'
        else 'waits'
    end as kind,
    reason,
    edited_at,
    memberships_edited_at,
    fetched_at,
    field_changed_at,
    case when not is_joined and reason is null then look_up_phone end as look_up_phone,
    agreed,
    agreed_version,
    pushed
from judged;
