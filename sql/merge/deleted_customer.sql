-- A customer who was once found by id and is no longer known by it counts as deleted, also where the id now leads to another customer (a merged
-- pair). No other absence deletes anything, nor does one that is not newer than the last answer about the customer, under any identity.
-- The digest goes, so that the customer is written again should they return.
with gone as materialized (
    select
        mirrored.organization_id,
        mirrored.customer_id,
        looked.checked_at
    from staging_lookup as looked
    inner join sync.roster as known
        on
            looked.organization_id = known.organization_id
            and looked.identity_kind = known.identity_kind
            and looked.identity_value = known.identity_value
    inner join syrve.customer as mirrored
        on known.organization_id = mirrored.organization_id and known.customer_id = mirrored.customer_id
    where
        looked.identity_kind = 'id'
        and known.identity_value = known.customer_id::text
        and (looked.outcome = 'not_found' or looked.customer_id <> known.customer_id)
        and not mirrored.is_deleted
        and mirrored.fetched_at < looked.checked_at
        and not exists (
            select 1
            from sync.roster as other
            where
                other.organization_id = mirrored.organization_id
                and other.customer_id = mirrored.customer_id
                and other.confirmed_at >= looked.checked_at
        )
        and not exists (
            select 1
            from staging_digest as staged
            where
                staged.organization_id = mirrored.organization_id
                and staged.customer_id = mirrored.customer_id
                and staged.fetched_at >= looked.checked_at
        )
    order by mirrored.organization_id, mirrored.customer_id
    for no key update of mirrored
),

superseded as (
    insert into syrve.customer_version (
        organization_id, customer_id, phone, phone_raw, email, name, surname, middle_name, birthday, sex, referrer_id,
        program_id, program_name, receives_order_status, receives_promo, consent_from, consent_to, is_deleted, extra,
        valid_from, valid_to
    )
    select
        mirrored.organization_id,
        mirrored.customer_id,
        mirrored.phone,
        mirrored.phone_raw,
        mirrored.email,
        mirrored.name,
        mirrored.surname,
        mirrored.middle_name,
        mirrored.birthday,
        mirrored.sex,
        mirrored.referrer_id,
        mirrored.program_id,
        mirrored.program_name,
        mirrored.receives_order_status,
        mirrored.receives_promo,
        mirrored.consent_from,
        mirrored.consent_to,
        mirrored.is_deleted,
        syrve.lasting_fields(mirrored.extra) as extra,
        mirrored.profile_changed_at as valid_from,
        gone.checked_at as valid_to
    from gone
    inner join syrve.customer as mirrored
        on gone.organization_id = mirrored.organization_id and gone.customer_id = mirrored.customer_id
    returning organization_id
),

deleted as (
    update syrve.customer as mirrored
    set
        is_deleted = true,
        digest = null,
        profile_changed_at = gone.checked_at,
        changed_at = gone.checked_at,
        fetched_at = gone.checked_at
    from gone
    where mirrored.organization_id = gone.organization_id and mirrored.customer_id = gone.customer_id
    returning mirrored.customer_id
)

select count(*) from deleted;
