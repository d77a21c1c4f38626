-- depends: 0002.mirror
-- Every version of what the mirror holds. The tables keep superseded versions only; the views add the current ones from the mirror, so that
-- what never changed costs nothing. Partitioned by the year in which a version ended: old years stay out of the way of present questions,
-- and can be dropped whole.

create table syrve.customer_version (
    organization_id uuid not null,
    customer_id uuid not null,
    phone text,
    phone_raw text,
    email text,
    name text,
    surname text,
    middle_name text,
    birthday date,
    sex text,
    referrer_id uuid,
    program_id uuid,
    program_name text,
    receives_order_status boolean,
    receives_promo boolean,
    consent_from timestamptz,
    consent_to timestamptz,
    is_deleted boolean not null,
    extra jsonb not null,
    valid_from timestamptz not null,
    valid_to timestamptz not null check (valid_from < valid_to),
    primary key (organization_id, customer_id, valid_from, valid_to)
) partition by range (valid_to);
comment on table syrve.customer_version is 'Superseded versions of customers; read syrve.customer_history, which has the current ones too.';

create table syrve.wallet_balance_version (
    organization_id uuid not null,
    customer_id uuid not null,
    wallet_id uuid not null,
    name text,
    type integer,
    balance numeric not null,
    balance_after numeric,
    valid_from timestamptz not null,
    valid_to timestamptz not null check (valid_from < valid_to),
    primary key (organization_id, customer_id, wallet_id, valid_from, valid_to)
) partition by range (valid_to);
comment on table syrve.wallet_balance_version is 'Superseded wallet balances; read syrve.wallet_balance_history, which has the current ones too.';

create table syrve.card_version (
    organization_id uuid not null,
    customer_id uuid not null,
    card_id uuid not null,
    track text,
    number text,
    card_valid_to timestamptz,
    valid_from timestamptz not null,
    valid_to timestamptz not null check (valid_from < valid_to),
    primary key (organization_id, customer_id, card_id, valid_from, valid_to)
) partition by range (valid_to);
comment on table syrve.card_version is 'Superseded versions of cards; read syrve.card_history, which has the current ones too.';

create table syrve.customer_category_version (
    organization_id uuid not null,
    customer_id uuid not null,
    category_id uuid not null,
    name text,
    is_active boolean,
    is_default_for_new_guests boolean,
    valid_from timestamptz not null,
    valid_to timestamptz not null check (valid_from < valid_to),
    primary key (organization_id, customer_id, category_id, valid_from, valid_to)
) partition by range (valid_to);
comment on table syrve.customer_category_version is
'Superseded category memberships; read syrve.customer_category_history, which has the current ones too.';

-- Versions are added in the order in which they ended, so that an index of a few pages finds those that ended since yesterday.
create index customer_version_referrer on syrve.customer_version (organization_id, referrer_id) where referrer_id is not null;
create index customer_version_ended on syrve.customer_version using brin (valid_to);
create index wallet_balance_version_ended on syrve.wallet_balance_version using brin (valid_to) with (pages_per_range = 32);
create index card_version_ended on syrve.card_version using brin (valid_to);
create index customer_category_version_ended on syrve.customer_category_version using brin (valid_to);

-- A partition a year, well ahead; what falls outside lands in the default partition and stays correct.
do $$
declare
    versions text;
    ended_in integer;
begin
    foreach versions in array array['customer_version', 'wallet_balance_version', 'card_version', 'customer_category_version'] loop
        for ended_in in 2026..2037 loop
            execute format(
                'create table syrve.%I partition of syrve.%I for values from (%L) to (%L)',
                versions || '_' || ended_in, versions, make_timestamptz(ended_in, 1, 1, 0, 0, 0, 'UTC'),
                make_timestamptz(ended_in + 1, 1, 1, 0, 0, 0, 'UTC')
            );
            execute format('comment on table syrve.%I is %L', versions || '_' || ended_in, 'Versions that ended in ' || ended_in || ' (UTC).');
        end loop;
        execute format('create table syrve.%I partition of syrve.%I default', versions || '_other', versions);
        execute format('comment on table syrve.%I is %L', versions || '_other', 'Versions that ended in a year without a partition.');
    end loop;
end
$$;

-- An exclusion constraint can't span partitions before Postgres 17, so this stands in for it: no two versions of one thing overlap. Merges hold
-- the customer's row while they write, so two of them never add versions of one customer at once.
create function syrve.refuse_overlapping_versions() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    is_double boolean;
begin
    execute format(
        'select exists (
            select from added inner join %I.%I as known using (%s)
            where
                known.valid_to > added.valid_from
                and known.valid_from < added.valid_to
                and (known.valid_from, known.valid_to) is distinct from (added.valid_from, added.valid_to)
        )',
        tg_table_schema, tg_table_name, tg_argv[0]
    ) into is_double;
    if is_double then
        raise exclusion_violation using
            message = 'a version overlaps another one of the same thing',
            table = tg_table_name,
            schema = tg_table_schema;
    end if;
    return null;
end
$$;
comment on function syrve.refuse_overlapping_versions() is 'Keeps versions of one thing from overlapping in time.';

create trigger no_overlap after insert on syrve.customer_version
referencing new table as added
for each statement execute function syrve.refuse_overlapping_versions('organization_id, customer_id');

create trigger no_overlap after insert on syrve.wallet_balance_version
referencing new table as added
for each statement execute function syrve.refuse_overlapping_versions('organization_id, customer_id, wallet_id');

create trigger no_overlap after insert on syrve.card_version
referencing new table as added
for each statement execute function syrve.refuse_overlapping_versions('organization_id, customer_id, card_id');

create trigger no_overlap after insert on syrve.customer_category_version
referencing new table as added
for each statement execute function syrve.refuse_overlapping_versions('organization_id, customer_id, category_id');

create view syrve.customer_history as
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
    valid_from,
    valid_to
from syrve.customer_version
union all
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
    syrve.lasting_fields(extra) as extra,
    profile_changed_at as valid_from,
    null::timestamptz as valid_to
from syrve.customer;
comment on view syrve.customer_history is
'Every version of every customer; valid_to is null while current. As of a moment: valid_from <= moment and (valid_to > moment or valid_to is null).';

create view syrve.wallet_balance_history as
select
    organization_id,
    customer_id,
    wallet_id,
    name,
    type,
    balance,
    valid_from,
    valid_to
from syrve.wallet_balance_version
union all
select
    organization_id,
    customer_id,
    wallet_id,
    name,
    type,
    balance,
    changed_at as valid_from,
    null::timestamptz as valid_to
from syrve.wallet_balance;
comment on view syrve.wallet_balance_history is
'Every balance of every wallet; valid_to is null while current, and the time of the answer without the wallet once it is gone.';

create view syrve.card_history as
select
    organization_id,
    customer_id,
    card_id,
    track,
    number,
    card_valid_to,
    valid_from,
    valid_to
from syrve.card_version
union all
select
    organization_id,
    customer_id,
    card_id,
    track,
    number,
    valid_to as card_valid_to,
    changed_at as valid_from,
    null::timestamptz as valid_to
from syrve.card;
comment on view syrve.card_history is
'Every version of every card; valid_to is null while current, and the time of the answer without the card once it is gone.';

create view syrve.customer_category_history as
select
    organization_id,
    customer_id,
    category_id,
    name,
    is_active,
    is_default_for_new_guests,
    valid_from,
    valid_to
from syrve.customer_category_version
union all
select
    organization_id,
    customer_id,
    category_id,
    name,
    is_active,
    is_default_for_new_guests,
    changed_at as valid_from,
    null::timestamptz as valid_to
from syrve.customer_category;
comment on view syrve.customer_category_history is
'Every membership of every customer; valid_to is null while current, and the time of the answer without it once it is over.';

-- Columns say what they say in the mirror.
do $$
declare
    thing text;
    described record;
begin
    foreach thing in array array['customer', 'wallet_balance', 'card', 'customer_category'] loop
        for described in
            select
                history.relname as relation_name,
                attribute.attname as column_name,
                case attribute.attname
                    when 'valid_from' then 'Time of the answer that began this version.'
                    when 'valid_to' then 'Time of the answer that ended it: by other content, or by no longer having it.'
                    when 'balance_after' then 'Balance of the answer that ended this version; null where that answer no longer had the wallet.'
                    when 'card_valid_to' then 'Last moment of validity of the card itself, as valid_to of card.'
                    else col_description(format('syrve.%I', thing)::regclass, mirrored.attnum)
                end as description
            from pg_class as history
            inner join pg_attribute as attribute on history.oid = attribute.attrelid and attribute.attnum > 0
            left join pg_attribute as mirrored
                on mirrored.attrelid = format('syrve.%I', thing)::regclass and attribute.attname = mirrored.attname
            where
                history.relnamespace = 'syrve'::regnamespace
                and history.relname in (thing || '_version', thing || '_history')
        loop
            execute format(
                'comment on column syrve.%I.%I is %L', described.relation_name, described.column_name, described.description
            );
        end loop;
    end loop;
end
$$;
