-- What each candidate is: to create, to update, waiting for a look-up, or refused with the reason. What Syrve had when the customer was first
-- looked up has no known age, so changed_at is null until a change was seen.
insert into staging_subject (
    crm_id, organization_id, customer_id, phone, kind, reason, edited_at, memberships_edited_at, fetched_at, changed_at, agreed,
    agreed_version, pushed
)
with judged as (
    select
        wished.crm_id,
        wished.organization_id,
        wished.customer_id,
        known.phone,
        wished.edited_at,
        wished.memberships_edited_at,
        mirrored.fetched_at,
        case when mirrored.profile_changed_at > mirrored.first_seen_at then mirrored.profile_changed_at end as changed_at,
        known.agreed,
        known.agreed_version,
        known.pushed,
        case
            when wished.customer_id is null and known.phone is null then 'has neither an id nor a usable phone'
            when known.phone_read is not null and known.phone is null then 'phone is no possible number in region ' || %(region)s
            when
                exists (
                    select 1
                    from crm.customer as other
                    where
                        wished.customer_id is not null
                        and other.organization_id = wished.organization_id
                        and other.customer_id = wished.customer_id
                        and other.crm_id < wished.crm_id
                )
                or exists (
                    select 1
                    from crm.push_state as other
                    where
                        wished.customer_id is null
                        and other.organization_id = wished.organization_id
                        and other.phone = known.phone
                        and other.customer_id is null
                        and other.crm_id < wished.crm_id
                )
                then 'a row with a lower crm_id is about the same customer'
            when
                wished.customer_id is null
                and exists (
                    select 1
                    from syrve.customer as other
                    where other.organization_id = wished.organization_id and other.phone = known.phone and not other.is_deleted
                )
                then 'the customer with this phone is another row''s, or there are several'
            when mirrored.is_deleted then 'the customer is deleted in Syrve'
            when
                wished.customer_id is not null
                and mirrored.customer_id is null
                and known.pushed is null
                and exists (
                    select 1
                    from sync.roster as roster
                    where
                        roster.organization_id = wished.organization_id
                        and roster.identity_kind = 'id'
                        and roster.identity_value = wished.customer_id::text
                        and roster.outcome = 'not_found'
                )
                then 'Syrve knows no customer with this id'
            when not wished.birthday between date '1900-01-01' and current_date then 'birthday is not a possible one'
            when greatest(length(wished.name), length(wished.surname), length(wished.middle_name), length(wished.email)) > 1000
                then 'a text is longer than 1,000 characters'
            when
                ('name' = any(wished.clear) and btrim(wished.name) <> '')
                or ('surname' = any(wished.clear) and btrim(wished.surname) <> '')
                or ('middle_name' = any(wished.clear) and btrim(wished.middle_name) <> '')
                or ('email' = any(wished.clear) and btrim(wished.email) <> '')
                then 'a field is both set and to be emptied'
        end as reason,
        mirrored.customer_id is not null as is_mirrored
    from staging_candidate as candidate
    inner join crm.customer as wished on candidate.crm_id = wished.crm_id
    inner join crm.push_state as known on candidate.crm_id = known.crm_id
    left join syrve.customer as mirrored
        on wished.organization_id = mirrored.organization_id and wished.customer_id = mirrored.customer_id
)

select
    crm_id,
    organization_id,
    customer_id,
    phone,
    case
        when reason is not null then 'refused'
        when customer_id is null then 'create'
        when is_mirrored then 'update'
        else 'waits'
    end as kind,
    reason,
    edited_at,
    memberships_edited_at,
    fetched_at,
    changed_at,
    agreed,
    agreed_version,
    pushed
from judged;
