-- depends: 0001.schemas
-- The mirror: what Syrve knows of customers, their children and coupons, as last seen.

create table syrve.organization (
    organization_id uuid primary key,
    name text,
    time_zone text not null,
    synced_at timestamptz not null,
    account text
);
comment on table syrve.organization is 'Organizations that the api login sees.';
comment on column syrve.organization.organization_id is 'Syrve''s id of the organization.';
comment on column syrve.organization.name is 'Name as Syrve has it.';
comment on column syrve.organization.time_zone is 'IANA time zone in which naive times of its answers are read.';
comment on column syrve.organization.synced_at is 'When this row was last written: it first appeared, or its name or time zone changed.';
comment on column syrve.organization.account is 'Account (sync.call_budget) whose api login lists the organization.';

create table syrve.customer (
    organization_id uuid not null,
    customer_id uuid not null,
    phone text,
    phone_raw text,
    email text,
    name text,
    surname text,
    middle_name text,
    birthday date,
    sex text check (sex in ('male', 'female', 'not_specified')),
    referrer_id uuid,
    program_id uuid,
    program_name text,
    receives_order_status boolean,
    receives_promo boolean,
    consent_from timestamptz,
    consent_to timestamptz,
    is_deleted boolean not null,
    extra jsonb not null,
    digest bytea,
    first_seen_at timestamptz not null,
    changed_at timestamptz not null,
    fetched_at timestamptz not null,
    profile_changed_at timestamptz not null,
    field_changed_at jsonb not null default '{}',
    primary key (organization_id, customer_id)
);
create index customer_phone on syrve.customer (phone);
create index customer_referrer on syrve.customer (organization_id, referrer_id) where referrer_id is not null;
create index customer_changed_at on syrve.customer (changed_at);  -- what changed since yesterday
comment on table syrve.customer is 'Customers as each organization knows them, one row each; written only when something changed.';
comment on column syrve.customer.organization_id is 'Organization that knows the customer.';
comment on column syrve.customer.customer_id is 'Syrve''s id of the customer.';
comment on column syrve.customer.phone is 'Phone as E.164; null where what Syrve has is no phone number.';
comment on column syrve.customer.phone_raw is 'Phone exactly as Syrve has it.';
comment on column syrve.customer.email is 'E-mail address as Syrve has it.';
comment on column syrve.customer.name is 'First name.';
comment on column syrve.customer.surname is 'Family name.';
comment on column syrve.customer.middle_name is 'Middle name or patronymic.';
comment on column syrve.customer.birthday is 'Birthday; null where unknown or impossible.';
comment on column syrve.customer.sex is 'male, female or not_specified; null where Syrve does not say.';
comment on column syrve.customer.referrer_id is 'Customer who brought this one.';
comment on column syrve.customer.program_id is 'Loyalty programme of the customer (reference dialect only).';
comment on column syrve.customer.program_name is 'Name of that programme (reference dialect only).';
comment on column syrve.customer.receives_order_status is 'Whether the customer agreed to messages about orders; null is unknown.';
comment on column syrve.customer.receives_promo is 'Whether the customer agreed to promotional messages; null is unknown.';
comment on column syrve.customer.consent_from is 'Start of the consent to process personal data.';
comment on column syrve.customer.consent_to is 'End of that consent; null is open-ended.';
comment on column syrve.customer.is_deleted is 'Syrve says deleted, or no longer knows the id although it once did.';
comment on column syrve.customer.extra is 'Every field of the answer that has no column, by its name there; syrve.lasting_fields() are those whose change is a version of the profile.';
comment on column syrve.customer.digest is 'Digest of the normalised record with its wallets, cards and categories; null forces the next pull to write.';
comment on column syrve.customer.first_seen_at is 'Answer that first showed the customer.';
comment on column syrve.customer.changed_at is 'Answer that last changed anything about the customer, children included.';
comment on column syrve.customer.fetched_at is 'Time of the answer that made this version; when it was last confirmed is sync.roster.checked_at.';
comment on column syrve.customer.profile_changed_at is
'Answer that last changed a column of this row: start of the current version in syrve.customer_history.';
comment on column syrve.customer.field_changed_at is
'When look-ups last showed a change of each field that a CRM may manage: {field: time}. A field that is not there never changed while known.';

create function syrve.lasting_fields(extra jsonb) returns jsonb
language sql
immutable
parallel safe
return extra - array['lastProcessedOrderDate', 'lastVisitedOrganizationId'];
comment on function syrve.lasting_fields(jsonb) is
'Fields without a column, without those that move with each visit: those say nothing about the profile, and the history does not keep them.';

create table syrve.wallet_balance (
    organization_id uuid not null,
    customer_id uuid not null,
    wallet_id uuid not null,
    name text,
    type integer,
    balance numeric not null,
    changed_at timestamptz not null,
    fetched_at timestamptz not null,
    primary key (organization_id, customer_id, wallet_id)
);
create index wallet_balance_changed_at on syrve.wallet_balance (changed_at);
comment on table syrve.wallet_balance is 'Wallet balances; a wallet that an answer no longer has is removed.';
comment on column syrve.wallet_balance.organization_id is 'Organization that knows the customer.';
comment on column syrve.wallet_balance.customer_id is 'Owner of the wallet.';
comment on column syrve.wallet_balance.wallet_id is 'Syrve''s id of the wallet; unique only together with the customer.';
comment on column syrve.wallet_balance.name is 'Name of the wallet.';
comment on column syrve.wallet_balance.type is '0 deposit or corporate nutrition, 1 bonus, 2 products, 3 discount, 4 certificate.';
comment on column syrve.wallet_balance.balance is 'Balance exactly as Syrve wrote it, in the wallet''s own unit.';
comment on column syrve.wallet_balance.changed_at is 'Answer that last changed this wallet.';
comment on column syrve.wallet_balance.fetched_at is 'Time of the answer that made this version.';

create table syrve.wallet_type (
    type integer primary key,
    name text not null unique,
    is_money boolean not null
);
comment on table syrve.wallet_type is 'What the numbers of syrve.wallet_balance.type mean; a number that is not here is unknown.';
comment on column syrve.wallet_type.type is 'Number that Syrve gives.';
comment on column syrve.wallet_type.name is 'The type in one word.';
comment on column syrve.wallet_type.is_money is 'Whether balances of this type are money: products are pieces and discounts percent, not to be added up with it.';
insert into syrve.wallet_type (type, name, is_money)
values (0, 'deposit', true), (1, 'bonus', true), (2, 'product', false), (3, 'discount', false), (4, 'certificate', true);

create table syrve.card (
    organization_id uuid not null,
    customer_id uuid not null,
    card_id uuid not null,
    track text,
    number text,
    valid_to timestamptz,
    changed_at timestamptz not null,
    primary key (organization_id, customer_id, card_id)
);
create index card_track on syrve.card (organization_id, track);
comment on table syrve.card is 'Loyalty cards of customers.';
comment on column syrve.card.organization_id is 'Organization that knows the customer.';
comment on column syrve.card.customer_id is 'Holder of the card.';
comment on column syrve.card.card_id is 'Syrve''s id of the card.';
comment on column syrve.card.track is 'Magnetic track.';
comment on column syrve.card.number is 'Number printed on the card.';
comment on column syrve.card.valid_to is 'Last moment of validity; null is open-ended.';
comment on column syrve.card.changed_at is 'Answer that last changed this card.';

create table syrve.customer_category (
    organization_id uuid not null,
    customer_id uuid not null,
    category_id uuid not null,
    name text,
    is_active boolean,
    is_default_for_new_guests boolean,
    changed_at timestamptz not null,
    primary key (organization_id, customer_id, category_id)
);
comment on table syrve.customer_category is 'Guest categories that customers are in.';
comment on column syrve.customer_category.organization_id is 'Organization that knows the customer.';
comment on column syrve.customer_category.customer_id is 'Member of the category.';
comment on column syrve.customer_category.category_id is 'Syrve''s id of the category.';
comment on column syrve.customer_category.name is 'Name of the category.';
comment on column syrve.customer_category.is_active is 'Whether the category is in use.';
comment on column syrve.customer_category.is_default_for_new_guests is 'Whether new guests are put into it.';
comment on column syrve.customer_category.changed_at is 'Answer that last changed this membership.';

create table syrve.coupon_series (
    organization_id uuid not null,
    series_id uuid not null,
    name text,
    is_activated boolean,
    discount_type text,
    discount_value numeric,
    first_seen_at timestamptz not null,
    changed_at timestamptz not null,
    last_seen_at timestamptz not null,
    gone_at timestamptz,
    primary key (organization_id, series_id)
);
comment on table syrve.coupon_series is 'Coupon series of each organization.';
comment on column syrve.coupon_series.organization_id is 'Organization that offers the series.';
comment on column syrve.coupon_series.series_id is 'Syrve''s id of the series.';
comment on column syrve.coupon_series.name is 'Name of the series.';
comment on column syrve.coupon_series.is_activated is 'Whether the series is in use; null under the live service, which does not say.';
comment on column syrve.coupon_series.discount_type is 'Kind of discount, such as Percent; null where Syrve does not say.';
comment on column syrve.coupon_series.discount_value is 'Size of the discount in units of its kind.';
comment on column syrve.coupon_series.first_seen_at is 'First complete listing that had the series.';
comment on column syrve.coupon_series.changed_at is 'Listing that last changed the series, or showed it gone or back.';
comment on column syrve.coupon_series.last_seen_at is
'A complete listing that had the series: moved on once a day while nothing changes, so that an unchanged pull writes no row.';
comment on column syrve.coupon_series.gone_at is 'First complete listing that no longer had the series; null while it is offered.';

create table syrve.coupon (
    organization_id uuid not null,
    number text not null,
    series_id uuid not null,
    coupon_id uuid,
    series_name text,
    is_used boolean,
    activated_at timestamptz,
    activated_by text,
    not_after timestamptz,
    verdict text not null check (verdict in ('valid', 'used', 'expired', 'deleted', 'unknown')),
    checked_at timestamptz not null,
    primary key (organization_id, number, series_id)
);
comment on table syrve.coupon is 'Coupons on the watch list (sync.coupon_watch), as last looked up.';
comment on column syrve.coupon.organization_id is 'Organization that was asked.';
comment on column syrve.coupon.number is 'Number on the coupon.';
comment on column syrve.coupon.series_id is 'Series of the coupon; the zero uuid where no such coupon is known.';
comment on column syrve.coupon.coupon_id is 'Syrve''s id of the coupon.';
comment on column syrve.coupon.series_name is 'Name of the series.';
comment on column syrve.coupon.is_used is 'Whether the coupon has been used.';
comment on column syrve.coupon.activated_at is 'When it was used.';
comment on column syrve.coupon.activated_by is 'Who used it, as Syrve has it.';
comment on column syrve.coupon.not_after is 'Last moment at which it can be used; null is open-ended, or unknown under the live service.';
comment on column syrve.coupon.verdict is 'valid, used, expired, deleted or unknown, as of checked_at.';
comment on column syrve.coupon.checked_at is 'Time of the answer.';
