-- depends: 0013.wallet-report
-- What analysts work with: the mirror and its history without a name, phone, e-mail address or card number in clear. Who is the same person is told by
-- keyed hashes, which can't be turned back without the key: there are few enough phones to try them all. That makes the views pseudonymous, not
-- anonymous. What is left of a person beside the hashes is coarse on purpose: several customers share each combination.

create table secret.hash_key (
    key bytea not null check (length(key) >= 32),
    is_the_key boolean primary key default true check (is_the_key)
);
comment on table secret.hash_key is
'The key of all hashes of the views; one row, for the owner only. Another key gives everybody other hashes.';
comment on column secret.hash_key.key is 'Random bytes.';
comment on column secret.hash_key.is_the_key is 'There is just one.';
insert into secret.hash_key (key)
select sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'));

-- Written out in each view, not a function: whoever may call such a function can try all phones with it.

create view analytics.organization as
select
    organization_id,
    name,
    time_zone,
    synced_at
from syrve.organization;
comment on view analytics.organization is 'Organizations that the login sees.';

create view analytics.customer as
select
    person.organization_id,
    person.customer_id,
    left(person.phone, 2) || '***' as phone_masked,
    encode(sha256(hash_key.key || sha256(hash_key.key || convert_to(person.phone, 'UTF8'))), 'hex') as phone_hash,
    case when person.email <> '' then '***' end as email_masked,
    encode(sha256(hash_key.key || sha256(hash_key.key || convert_to(lower(person.email), 'UTF8'))), 'hex') as email_hash,
    case
        when person.birthday is null then null
        when extract(year from age(person.birthday)) < 25 then 'under 25'
        when extract(year from age(person.birthday)) < 45 then '25-44'
        when extract(year from age(person.birthday)) < 65 then '45-64'
        else '65 and over'
    end as age_band,
    person.sex,
    person.referrer_id,
    person.program_id,
    person.program_name,
    person.receives_order_status,
    person.receives_promo,
    person.consent_from <= now() and coalesce(person.consent_to > now(), true) as has_consent,
    person.is_deleted,
    person.first_seen_at,
    person.changed_at,
    person.fetched_at
from syrve.customer as person
cross join secret.hash_key as hash_key;
comment on view analytics.customer is 'Customers, masked: join on customer_id within an organization, on phone_hash or email_hash across them.';
comment on column analytics.customer.phone_masked is 'Begin of the phone''s country code; null without a phone.';
comment on column analytics.customer.phone_hash is 'Keyed hash of the phone (E.164): equal for equal phones, also across organizations.';
comment on column analytics.customer.email_masked is 'Three stars where there is an e-mail address, else null.';
comment on column analytics.customer.email_hash is 'Keyed hash of the e-mail address in lower case.';
comment on column analytics.customer.age_band is 'Age today, in bands of twenty years; null without a birthday.';
comment on column analytics.customer.has_consent is 'Whether the consent to process personal data is in force now; null where none is known.';

create view analytics.customer_history as
select
    person.organization_id,
    person.customer_id,
    left(person.phone, 2) || '***' as phone_masked,
    encode(sha256(hash_key.key || sha256(hash_key.key || convert_to(person.phone, 'UTF8'))), 'hex') as phone_hash,
    case when person.email <> '' then '***' end as email_masked,
    encode(sha256(hash_key.key || sha256(hash_key.key || convert_to(lower(person.email), 'UTF8'))), 'hex') as email_hash,
    case
        when person.birthday is null then null
        when extract(year from age(person.birthday)) < 25 then 'under 25'
        when extract(year from age(person.birthday)) < 45 then '25-44'
        when extract(year from age(person.birthday)) < 65 then '45-64'
        else '65 and over'
    end as age_band,
    person.sex,
    person.referrer_id,
    person.program_id,
    person.program_name,
    person.receives_order_status,
    person.receives_promo,
    person.consent_from <= now() and coalesce(person.consent_to > now(), true) as has_consent,
    person.is_deleted,
    person.valid_from,
    person.valid_to
from syrve.customer_history as person
cross join secret.hash_key as hash_key;
comment on view analytics.customer_history is
'Every version of every customer, masked as in analytics.customer. As of a moment: valid_from <= moment and (valid_to > moment or valid_to is null).';

create view analytics.wallet_balance as
select
    organization_id,
    customer_id,
    wallet_id,
    name,
    type,
    balance,
    changed_at,
    fetched_at
from syrve.wallet_balance;
comment on view analytics.wallet_balance is 'Wallets of customers with their balances.';

create view analytics.wallet_balance_history as
select
    organization_id,
    customer_id,
    wallet_id,
    name,
    type,
    balance,
    valid_from,
    valid_to
from syrve.wallet_balance_history;
comment on view analytics.wallet_balance_history is 'Every balance of every wallet; valid_to is null while current.';

create view analytics.card as
select
    card.organization_id,
    card.customer_id,
    card.card_id,
    encode(sha256(hash_key.key || sha256(hash_key.key || convert_to(card.track, 'UTF8'))), 'hex') as track_hash,
    case when card.number <> '' then '***' end as number_masked,
    card.valid_to
from syrve.card as card
cross join secret.hash_key as hash_key;
comment on view analytics.card is 'Loyalty cards of customers, their numbers masked.';
comment on column analytics.card.track_hash is 'Keyed hash of what the card reader reads.';
comment on column analytics.card.number_masked is 'Three stars where the card has a number, else null.';

create view analytics.customer_category as
select
    organization_id,
    customer_id,
    category_id,
    name,
    is_active,
    is_default_for_new_guests
from syrve.customer_category;
comment on view analytics.customer_category is 'Categories that customers are in.';

create view analytics.customer_category_history as
select
    organization_id,
    customer_id,
    category_id,
    name,
    is_active,
    is_default_for_new_guests,
    valid_from,
    valid_to
from syrve.customer_category_history;
comment on view analytics.customer_category_history is 'Every membership of every customer; valid_to is null while current.';

create view analytics.coupon_series as
select
    organization_id,
    series_id,
    name,
    is_activated,
    discount_type,
    discount_value,
    first_seen_at,
    changed_at,
    last_seen_at,
    gone_at
from syrve.coupon_series;
comment on view analytics.coupon_series is 'Coupon series; gone_at says when one vanished.';

create view analytics.coupon as
select
    coupon.organization_id,
    encode(sha256(hash_key.key || sha256(hash_key.key || convert_to(coupon.number, 'UTF8'))), 'hex') as number_hash,
    coupon.series_id,
    coupon.coupon_id,
    coupon.series_name,
    coupon.is_used,
    coupon.activated_at,
    coupon.not_after,
    coupon.verdict,
    coupon.checked_at
from syrve.coupon as coupon
cross join secret.hash_key as hash_key;
comment on view analytics.coupon is
'Watched coupons with their verdicts, without the numbers, which are as good as money, and without who activated them.';
comment on column analytics.coupon.number_hash is 'Keyed hash of the coupon''s number.';

-- Columns that say nothing yet say what they say in the mirror.
do $$
declare
    described record;
begin
    for described in
        select
            viewed.relname as relation_name,
            attribute.attname as column_name,
            coalesce(
                col_description(format('syrve.%I', viewed.relname)::regclass, mirrored.attnum),
                col_description('analytics.customer'::regclass, masked.attnum)
            ) as description
        from pg_class as viewed
        inner join pg_attribute as attribute on viewed.oid = attribute.attrelid and attribute.attnum > 0
        left join pg_attribute as mirrored
            on mirrored.attrelid = format('syrve.%I', viewed.relname)::regclass and attribute.attname = mirrored.attname
        left join pg_attribute as masked
            on masked.attrelid = 'analytics.customer'::regclass and attribute.attname = masked.attname
        where
            viewed.relnamespace = 'analytics'::regnamespace
            and viewed.relname in (
                'organization', 'customer', 'customer_history', 'wallet_balance', 'wallet_balance_history', 'card',
                'customer_category', 'customer_category_history', 'coupon_series', 'coupon'
            )
            and col_description(viewed.oid, attribute.attnum) is null
    loop
        execute format('comment on column analytics.%I.%I is %L', described.relation_name, described.column_name, described.description);
    end loop;
end
$$;

create view analytics.holds_at_risk as
select
    finding_id,
    rule,
    severity,
    organization_id,
    customer_id,
    wallet_id,
    hold_id,
    amount_at_risk,
    first_seen_at,
    last_seen_at,
    status
from wallet.finding
where resolved_at is null;
comment on view analytics.holds_at_risk is 'Money that reconciliation says is set aside, missing or too much, and no longer should be; ids and amounts only.';
comment on column analytics.holds_at_risk.finding_id is 'Id of the finding.';
comment on column analytics.holds_at_risk.rule is 'Rule that found it.';
comment on column analytics.holds_at_risk.severity is 'low, medium, high or critical.';
comment on column analytics.holds_at_risk.organization_id is 'Organization concerned.';
comment on column analytics.holds_at_risk.customer_id is 'Customer concerned.';
comment on column analytics.holds_at_risk.wallet_id is 'Wallet concerned.';
comment on column analytics.holds_at_risk.hold_id is 'Hold concerned; one hold may have several findings.';
comment on column analytics.holds_at_risk.amount_at_risk is 'Money at risk, in the wallet''s currency.';
comment on column analytics.holds_at_risk.first_seen_at is 'Earliest moment as of which it held.';
comment on column analytics.holds_at_risk.last_seen_at is 'Latest moment as of which it held.';
comment on column analytics.holds_at_risk.status is 'open, or acknowledged: a person knows.';
