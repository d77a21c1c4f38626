-- depends: 0013.wallet-report
-- What analysts work with: the mirror and its history without a name, phone, e-mail address or card number in clear. Who is the same person is told by
-- keyed hashes, which can't be turned back without the key: there are few enough phones to try them all. That makes the views pseudonymous, not
-- anonymous. What is left of a person beside the hashes is coarse on purpose: several customers share each combination.

create table secret.hash_key (
    key bytea not null check (length(key) >= 32),
    is_the_key boolean primary key default true check (is_the_key)
);
comment on table secret.hash_key is
'The key of all hashes of the views; one row, for the owner only. With another key all hashes change.';
comment on column secret.hash_key.key is 'Random bytes.';
comment on column secret.hash_key.is_the_key is 'There is just one.';
insert into secret.hash_key (key)
select sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'));

-- The masks, each in one place: the views of analysts read these. Views, not functions: a role that may call such a function can try all phones with it.

create view secret.customer_masked as
select
    person.organization_id,
    person.customer_id,
    person.phone,
    left(person.phone, 2) || '***' as phone_masked,
    encode(sha256(hash_key.key || sha256(hash_key.key || convert_to(person.phone, 'UTF8'))), 'hex') as phone_hash,
    case when person.email <> '' then '***' end as email_masked,
    encode(sha256(hash_key.key || sha256(hash_key.key || convert_to('email:' || lower(person.email), 'UTF8'))), 'hex') as email_hash,
    case
        when person.birthday is null then null
        -- By years alone: a band that changed on a birthday would show it to a reader who looks each day.
        when extract(year from now()) - extract(year from person.birthday) < 25 then 'under 25'
        when extract(year from now()) - extract(year from person.birthday) < 45 then '25-44'
        when extract(year from now()) - extract(year from person.birthday) < 65 then '45-64'
        else '65 and over'
    end as age_band,
    person.sex,
    person.referrer_id,
    person.program_id,
    person.program_name,
    person.receives_order_status,
    person.receives_promo,
    person.consent_from <= coalesce(person.valid_to, now()) and coalesce(person.consent_to > coalesce(person.valid_to, now()), true) as has_consent,
    person.is_deleted,
    case
        when person.is_deleted and person.is_current
            then
                coalesce(
                    (
                        select max(version.valid_to)
                        from syrve.customer_version as version
                        where
                            version.organization_id = person.organization_id
                            and version.customer_id = person.customer_id
                            and not version.is_deleted
                    ),
                    person.first_seen_at
                )
    end as deleted_at,
    case
        when person.is_deleted and person.is_current
            then
                (
                    select roster.customer_id
                    from sync.roster as roster
                    where
                        roster.organization_id = person.organization_id
                        and (
                            (roster.identity_kind = 'id' and roster.identity_value = person.customer_id::text)
                            or (roster.identity_kind = 'phone' and roster.identity_value = person.phone)
                        )
                        and roster.outcome = 'found'
                        and roster.customer_id <> person.customer_id
                    order by roster.identity_kind
                    limit 1
                )
    end as merged_into,
    case
        when person.is_current
            then
                (
                    select max(roster.confirmed_at)
                    from sync.roster as roster
                    where roster.organization_id = person.organization_id and roster.customer_id = person.customer_id
                )
    end as checked_at,
    person.first_seen_at,
    person.changed_at,
    person.valid_from,
    person.valid_to,
    person.is_current
from (
    select
        organization_id,
        customer_id,
        phone,
        email,
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
        null::timestamptz as first_seen_at,
        null::timestamptz as changed_at,
        valid_from,
        valid_to,
        false as is_current
    from syrve.customer_version
    union all
    select
        organization_id,
        customer_id,
        phone,
        email,
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
        first_seen_at,
        changed_at,
        profile_changed_at as valid_from,
        null::timestamptz as valid_to,
        true as is_current
    from syrve.customer
) as person
cross join secret.hash_key as hash_key;
comment on view secret.customer_masked is 'Every version of every customer, masked: what analytics.customer and analytics.customer_history show.';
comment on column secret.customer_masked.phone is 'The phone in clear, for joins inside of views; no view of analysts shows it.';
comment on column secret.customer_masked.phone_masked is 'Begin of the phone''s country code; null without a phone.';
comment on column secret.customer_masked.phone_hash is 'Keyed hash of the phone (E.164): equal for equal phones, also across organizations.';
comment on column secret.customer_masked.email_masked is 'Three stars if there is an e-mail address, else null.';
comment on column secret.customer_masked.email_hash is 'Keyed hash of the e-mail address in lower case.';
comment on column secret.customer_masked.age_band is 'Age that is reached this year, in bands of twenty years, so that no change tells a birthday; null without one.';
comment on column secret.customer_masked.has_consent is
'Whether the consent to process personal data was in force when the version ended, or is now if the version is current; null if none is known.';
comment on column secret.customer_masked.deleted_at is 'Answer that first showed the customer deleted, after the last one that did not; null while not deleted.';
comment on column secret.customer_masked.merged_into is
'If the customer is deleted and their id or phone now leads to another one: that one. Most likely Syrve merged the two; it does not say so itself.';
comment on column secret.customer_masked.checked_at is 'Last answer that confirmed how the customer is; null if only the history knows them.';
comment on column secret.customer_masked.valid_from is 'Time of the answer that began this version.';
comment on column secret.customer_masked.valid_to is 'Time of the answer that ended it: by other content, or by no longer having it.';
comment on column secret.customer_masked.is_current is 'Whether this is how the mirror has the customer now.';

create view secret.card_masked as
select
    card.organization_id,
    card.customer_id,
    card.card_id,
    encode(sha256(hash_key.key || sha256(hash_key.key || convert_to('card:' || card.track, 'UTF8'))), 'hex') as track_hash,
    case when card.number <> '' then '***' end as number_masked,
    card.card_valid_to,
    card.valid_from,
    card.valid_to
from syrve.card_history as card
cross join secret.hash_key as hash_key;
comment on view secret.card_masked is 'Every version of every card, masked: what analytics.card and analytics.card_history show.';
comment on column secret.card_masked.track_hash is 'Keyed hash of what the card reader reads.';
comment on column secret.card_masked.number_masked is 'Three stars if the card has a number, else null.';

create view analytics.organization as
select
    organization_id,
    name,
    time_zone,
    synced_at as changed_at
from syrve.organization;
comment on view analytics.organization is
'Organizations that the login sees. One row per organization. Key: organization_id.';
comment on column analytics.organization.changed_at is 'When its name or time zone was first seen as they are; not when it was last looked at.';

create view analytics.customer as
select
    organization_id,
    customer_id,
    phone_masked,
    phone_hash,
    email_masked,
    email_hash,
    age_band,
    sex,
    referrer_id,
    program_id,
    program_name,
    receives_order_status,
    receives_promo,
    has_consent,
    is_deleted,
    deleted_at,
    merged_into,
    first_seen_at,
    checked_at,
    changed_at,
    valid_from as profile_changed_at
from secret.customer_masked
where is_current;
comment on view analytics.customer is
'Customers, masked; across organizations the same person has the same phone_hash. One row per customer of an organization. '
'Key: organization_id, customer_id. Joins: organization (organization_id).';
comment on column analytics.customer.has_consent is 'Whether the consent to process personal data is in force now; null if none is known.';
comment on column analytics.customer.profile_changed_at is 'Answer that last changed the profile: wallets, cards and categories do not count.';

create view analytics.customer_history as
select
    organization_id,
    customer_id,
    phone_masked,
    phone_hash,
    email_masked,
    email_hash,
    age_band,
    sex,
    referrer_id,
    program_id,
    program_name,
    receives_order_status,
    receives_promo,
    has_consent,
    is_deleted,
    valid_from,
    valid_to
from secret.customer_masked;
comment on view analytics.customer_history is
'Every version of every customer, masked as in customer. As of a moment: valid_from <= moment and (valid_to > moment or valid_to is null). '
'One row per version of a customer. Key: organization_id, customer_id, valid_from. '
'Joins: organization (organization_id), customer (organization_id, customer_id).';

create view analytics.wallet_balance as
select
    wallet.organization_id,
    wallet.customer_id,
    wallet.wallet_id,
    wallet.name,
    coalesce(known.name, 'unknown') as wallet_type,
    coalesce(known.is_money, false) as is_money,
    wallet.balance,
    wallet.changed_at as balance_changed_at
from syrve.wallet_balance as wallet
left join syrve.wallet_type as known on wallet.type = known.type;
comment on view analytics.wallet_balance is
'Wallets of customers with their balances; those of deleted customers too, as last seen. One row per wallet of a customer. '
'Key: organization_id, customer_id, wallet_id. Joins: organization (organization_id), customer (organization_id, customer_id).';
comment on column analytics.wallet_balance.wallet_type is 'deposit, bonus, product, discount or certificate; unknown for a number without a meaning here.';
comment on column analytics.wallet_balance.is_money is 'Whether the balance is money: deposit, bonus and certificate. Do not add up the others with it.';
comment on column analytics.wallet_balance.balance_changed_at is 'Answer that last showed another balance (or another type of wallet); a new name does not count.';

create view analytics.wallet_balance_history as
select
    wallet.organization_id,
    wallet.customer_id,
    wallet.wallet_id,
    wallet.name,
    coalesce(known.name, 'unknown') as wallet_type,
    coalesce(known.is_money, false) as is_money,
    wallet.balance,
    wallet.valid_from,
    wallet.valid_to
from syrve.wallet_balance_history as wallet
left join syrve.wallet_type as known on wallet.type = known.type;
comment on view analytics.wallet_balance_history is
'Every balance of every wallet; valid_to is null while current. One row per version of a wallet. '
'Key: organization_id, customer_id, wallet_id, valid_from. '
'Joins: organization (organization_id), customer (organization_id, customer_id), wallet_balance (organization_id, customer_id, wallet_id).';

create view analytics.card as
select
    organization_id,
    customer_id,
    card_id,
    track_hash,
    number_masked,
    card_valid_to as valid_to,
    valid_from as changed_at
from secret.card_masked
where valid_to is null;
comment on view analytics.card is
'Loyalty cards of customers, their numbers masked. One row per card of a customer. Key: organization_id, customer_id, card_id. '
'Joins: organization (organization_id), customer (organization_id, customer_id).';

create view analytics.card_history as
select
    organization_id,
    customer_id,
    card_id,
    track_hash,
    number_masked,
    card_valid_to,
    valid_from,
    valid_to
from secret.card_masked;
comment on view analytics.card_history is
'Every version of every card, masked; valid_to is null while current. One row per version of a card. '
'Key: organization_id, customer_id, card_id, valid_from. '
'Joins: organization (organization_id), customer (organization_id, customer_id).';

create view analytics.customer_category as
select
    organization_id,
    customer_id,
    category_id,
    name,
    is_active,
    is_default_for_new_guests,
    changed_at
from syrve.customer_category;
comment on view analytics.customer_category is
'Categories that customers are in; those of deleted customers as last seen. One row per category of a customer. '
'Key: organization_id, customer_id, category_id. Joins: organization (organization_id), customer (organization_id, customer_id).';

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
comment on view analytics.customer_category_history is
'Every membership of every customer; valid_to is null while current. One row per version of a membership. '
'Key: organization_id, customer_id, category_id, valid_from. '
'Joins: organization (organization_id), customer (organization_id, customer_id).';

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
    gone_at is not null as is_deleted,
    gone_at as deleted_at
from syrve.coupon_series;
comment on view analytics.coupon_series is
'Coupon series, vanished ones too. One row per series of an organization. Key: organization_id, series_id. Joins: organization (organization_id).';
comment on column analytics.coupon_series.is_deleted is 'Whether the latest complete listing no longer had the series.';
comment on column analytics.coupon_series.deleted_at is 'First complete listing that no longer had the series; null while it is offered.';

create view analytics.coupon as
select
    coupon.organization_id,
    encode(sha256(hash_key.key || sha256(hash_key.key || convert_to('coupon:' || coupon.number, 'UTF8'))), 'hex') as number_hash,
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
'Watched coupons with their verdicts, without the numbers, which are as good as money, and without who activated them. '
'One row per coupon of an organization. Key: organization_id, number_hash, series_id. '
'Joins: organization (organization_id), coupon_series (organization_id, series_id).';
comment on column analytics.coupon.number_hash is 'Keyed hash of the coupon''s number.';

-- Columns that say nothing yet say what they say in the mirror, or in the view of the mask.
do $$
declare
    described record;
begin
    for described in
        select
            viewed.oid::regclass as relation,
            attribute.attname as column_name,
            coalesce(
                col_description('secret.customer_masked'::regclass, customer.attnum),
                col_description('secret.card_masked'::regclass, card.attnum),
                col_description(mirror.mirrored, mirrored.attnum),
                col_description('analytics.wallet_balance'::regclass, wallet.attnum),
                col_description('syrve.customer'::regclass, person.attnum)
            ) as description
        from pg_class as viewed
        inner join pg_attribute as attribute on viewed.oid = attribute.attrelid and attribute.attnum > 0
        cross join lateral (
            select to_regclass('syrve.' || case viewed.relname
                when 'customer_masked' then 'customer'
                when 'card_masked' then 'card_history'
                else viewed.relname
            end) as mirrored
        ) as mirror
        left join pg_attribute as mirrored on mirror.mirrored = mirrored.attrelid and attribute.attname = mirrored.attname
        left join pg_attribute as customer
            on customer.attrelid = 'secret.customer_masked'::regclass and attribute.attname = customer.attname and viewed.relname ~ '^customer'
        left join pg_attribute as card
            on card.attrelid = 'secret.card_masked'::regclass and attribute.attname = card.attname and viewed.relname ~ '^card'
            and (viewed.relname <> 'card' or attribute.attname <> 'valid_to')
        left join pg_attribute as wallet
            on wallet.attrelid = 'analytics.wallet_balance'::regclass and attribute.attname = wallet.attname
            and viewed.relname = 'wallet_balance_history'
        left join pg_attribute as person on person.attrelid = 'syrve.customer'::regclass and attribute.attname = person.attname
        where
            viewed.relnamespace in ('analytics'::regnamespace, 'secret'::regnamespace)
            and viewed.relkind = 'v'
            and col_description(viewed.oid, attribute.attnum) is null
        order by viewed.relnamespace = 'analytics'::regnamespace, viewed.relname
    loop
        execute format('comment on column %s.%I is %L', described.relation, described.column_name, described.description);
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
comment on view analytics.holds_at_risk is
'Money that reconciliation says is set aside, missing or too much, and no longer should be; ids and amounts only. '
'One row per open finding. Key: finding_id. Joins: organization (organization_id), customer (organization_id, customer_id), open_hold (hold_id).';
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
