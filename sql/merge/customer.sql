-- Writes the changed customers of a batch and notes which were written in staging_merged: their children follow.
-- In key order, so that two batches that share customers wait for each other instead of deadlocking.
with merged as (
    insert into syrve.customer as mirrored (
        organization_id, customer_id, phone, phone_raw, email, name, surname, middle_name, birthday, sex, referrer_id,
        program_id, program_name, receives_order_status, receives_promo, consent_from, consent_to, is_deleted, extra,
        digest, first_seen_at, changed_at, fetched_at
    )
    select
        organization_id,
        customer_id,
        phone,
        phone_raw,
        email,
        name,
        surname,
        middle_name,
        birthday,
        sex,
        referrer_id,
        program_id,
        program_name,
        receives_order_status,
        receives_promo,
        consent_from,
        consent_to,
        is_deleted,
        extra,
        digest,
        fetched_at as first_seen_at,
        fetched_at as changed_at,
        fetched_at
    from staging_customer
    order by organization_id, customer_id
    on conflict (organization_id, customer_id) do update
        set
            phone = excluded.phone,
            phone_raw = excluded.phone_raw,
            email = excluded.email,
            name = excluded.name,
            surname = excluded.surname,
            middle_name = excluded.middle_name,
            birthday = excluded.birthday,
            sex = excluded.sex,
            referrer_id = excluded.referrer_id,
            program_id = excluded.program_id,
            program_name = excluded.program_name,
            receives_order_status = excluded.receives_order_status,
            receives_promo = excluded.receives_promo,
            consent_from = excluded.consent_from,
            consent_to = excluded.consent_to,
            is_deleted = excluded.is_deleted,
            extra = excluded.extra,
            digest = excluded.digest,
            changed_at = excluded.changed_at,
            fetched_at = excluded.fetched_at
        where excluded.fetched_at > mirrored.fetched_at
    returning mirrored.organization_id, mirrored.customer_id, mirrored.fetched_at
)

insert into staging_merged (organization_id, customer_id, fetched_at)
select
    organization_id,
    customer_id,
    fetched_at
from merged;
