-- Brings the known customers of the batch that differ into step; the superseded version of a profile goes to the history.
-- The rows are locked first, in key order, so that two batches that share customers follow one another; what a newer answer has written
-- since is left alone.
select count(*)
from (
    select 1
    from syrve.customer as mirrored
    inner join staging_customer as staged
        on mirrored.organization_id = staged.organization_id and mirrored.customer_id = staged.customer_id
    order by mirrored.organization_id, mirrored.customer_id
    for no key update of mirrored
) as locked;

delete from staging_merged as merged
using syrve.customer as mirrored
where
    not merged.is_new
    and mirrored.organization_id = merged.organization_id
    and mirrored.customer_id = merged.customer_id
    and mirrored.fetched_at >= merged.fetched_at;

update staging_merged as merged
set
    profile_changed
    = (
        mirrored.phone, mirrored.phone_raw, mirrored.email, mirrored.name, mirrored.surname, mirrored.middle_name, mirrored.birthday,
        mirrored.sex, mirrored.referrer_id, mirrored.program_id, mirrored.program_name, mirrored.receives_order_status,
        mirrored.receives_promo, mirrored.consent_from, mirrored.consent_to, mirrored.is_deleted, syrve.lasting_fields(mirrored.extra)
    )
    is distinct from (
        staged.phone, staged.phone_raw, staged.email, staged.name, staged.surname, staged.middle_name, staged.birthday, staged.sex,
        staged.referrer_id, staged.program_id, staged.program_name, staged.receives_order_status, staged.receives_promo,
        staged.consent_from, staged.consent_to, staged.is_deleted, syrve.lasting_fields(staged.extra)
    )
from staging_customer as staged
inner join syrve.customer as mirrored
    on staged.organization_id = mirrored.organization_id and staged.customer_id = mirrored.customer_id
where
    not merged.is_new
    and staged.organization_id = merged.organization_id
    and staged.customer_id = merged.customer_id;

insert into syrve.customer_version (
    organization_id, customer_id, phone, phone_raw, email, name, surname, middle_name, birthday, sex, referrer_id, program_id,
    program_name, receives_order_status, receives_promo, consent_from, consent_to, is_deleted, extra, valid_from, valid_to
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
    merged.fetched_at as valid_to
from staging_merged as merged
inner join syrve.customer as mirrored
    on merged.organization_id = mirrored.organization_id and merged.customer_id = mirrored.customer_id
where merged.profile_changed;

update syrve.customer as mirrored
set
    phone = staged.phone,
    phone_raw = staged.phone_raw,
    email = staged.email,
    name = staged.name,
    surname = staged.surname,
    middle_name = staged.middle_name,
    birthday = staged.birthday,
    sex = staged.sex,
    referrer_id = staged.referrer_id,
    program_id = staged.program_id,
    program_name = staged.program_name,
    receives_order_status = staged.receives_order_status,
    receives_promo = staged.receives_promo,
    consent_from = staged.consent_from,
    consent_to = staged.consent_to,
    is_deleted = staged.is_deleted,
    extra = staged.extra,
    digest = staged.digest,
    field_changed_at = mirrored.field_changed_at
    || jsonb_strip_nulls(
        jsonb_build_object(
            'phone', case when (mirrored.phone, mirrored.phone_raw) is distinct from (staged.phone, staged.phone_raw) then staged.fetched_at end,
            'name', case when mirrored.name is distinct from staged.name then staged.fetched_at end,
            'surname', case when mirrored.surname is distinct from staged.surname then staged.fetched_at end,
            'middle_name', case when mirrored.middle_name is distinct from staged.middle_name then staged.fetched_at end,
            'email', case when mirrored.email is distinct from staged.email then staged.fetched_at end,
            'birthday', case when mirrored.birthday is distinct from staged.birthday then staged.fetched_at end,
            'sex', case when mirrored.sex is distinct from staged.sex then staged.fetched_at end,
            'receives_order_status', case when mirrored.receives_order_status is distinct from staged.receives_order_status then staged.fetched_at end,
            'receives_promo', case when mirrored.receives_promo is distinct from staged.receives_promo then staged.fetched_at end
        )
    ),
    profile_changed_at = case when merged.profile_changed then staged.fetched_at else mirrored.profile_changed_at end,
    changed_at = staged.fetched_at,
    fetched_at = staged.fetched_at
from staging_customer as staged
inner join staging_merged as merged
    on staged.organization_id = merged.organization_id and staged.customer_id = merged.customer_id
where
    not merged.is_new
    and mirrored.organization_id = staged.organization_id
    and mirrored.customer_id = staged.customer_id;
