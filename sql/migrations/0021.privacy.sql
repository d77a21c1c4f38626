-- depends: 0020.analytics-questions
-- Forgetting a person: what was asked and done, and keyed hashes that keep the person from coming back. What is kept holds no names.

create schema privacy;
comment on schema privacy is 'Erasures: which were asked for and done, and hashes of the keys of erased customers.';

create table secret.erasure_key (
    key bytea not null default sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')),
    is_the_key boolean primary key default true check (is_the_key)
);
comment on table secret.erasure_key is
'One row: the key of privacy.erased_key. Never change it: no erased person would be recognised any more. Keep it with the backups.';
comment on column secret.erasure_key.key is 'Random bytes, made when the warehouse is made.';
comment on column secret.erasure_key.is_the_key is 'Always true: keeps the table at one row.';
insert into secret.erasure_key default values;

create table privacy.erasure (
    erasure_id uuid primary key default gen_random_uuid(),
    dag_id text not null,
    run_id text not null,
    organization_id uuid not null,
    customer_id uuid,
    phone text,
    pseudonym uuid not null default gen_random_uuid(),
    requested_by text not null,
    asked_at timestamptz not null default clock_timestamp(),
    erased_at timestamptz,
    removed jsonb,
    is_search_due boolean not null default false,
    constraint erasure_names_a_person_until_it_is_done check (
        (erased_at is null) = (customer_id is not null or phone is not null)
    )
);
create index erasure_run on privacy.erasure (run_id, dag_id);
comment on table privacy.erasure is
'An erasure: whom it is about until it is done, and afterwards the receipt, which holds no names. Append-only but for privacy.erase.';
comment on column privacy.erasure.erasure_id is 'Id of the erasure; what a person approves is the digest of the ids of one run.';
comment on column privacy.erasure.dag_id is 'DAG that asked for it; empty where a receipt brought the person back.';
comment on column privacy.erasure.run_id is 'Airflow''s run that asked for it.';
comment on column privacy.erasure.organization_id is 'Organization whose customer is erased.';
comment on column privacy.erasure.customer_id is 'Customer to erase; null once that is done, or if only a phone is known.';
comment on column privacy.erasure.phone is 'Phone of a person without a customer in the mirror, in the form +79750000001; null once that is done.';
comment on column privacy.erasure.pseudonym is 'Stands for the customer in what is kept of their money.';
comment on column privacy.erasure.requested_by is 'Airflow''s user who started the run.';
comment on column privacy.erasure.asked_at is 'When it was asked for.';
comment on column privacy.erasure.erased_at is 'When it was done; null while it waits for approval, or was not approved.';
comment on column privacy.erasure.removed is 'Receipt: rows by table that were deleted or put under the pseudonym.';

comment on column privacy.erasure.is_search_due is
'Whether a receipt brought it back, and no text has been searched for the person since (privacy.forget_returned_texts).';

create table privacy.erased_key (
    key_hash bytea primary key check (octet_length(key_hash) = 32),
    erasure_id uuid not null references privacy.erasure (erasure_id),
    is_original boolean not null default true,
    allowed_at timestamptz
);
comment on table privacy.erased_key is
'Hashes of the identities of erased customers (organization, kind and value, with secret.erasure_key): none of them is imported again, unless allowed.';
comment on column privacy.erased_key.key_hash is 'Keyed SHA-256 of organization, kind and value of an identity.';
comment on column privacy.erased_key.erasure_id is 'Erasure that it comes from.';
comment on column privacy.erased_key.is_original is
'Whether the person had it when they were erased. Only by such a one is a returned person erased again; one that a later look-up found keeps '
'its identity away, and no more.';
comment on column privacy.erased_key.allowed_at is
'When the owner allowed it again: it counts no more. Kept, so that no receipt brings it back; only another erasure does.';

-- With a body of standard SQL, so that it is put into the statements that call it: a search hashes each word of a text.
create function privacy.hash_with(key bytea, organization_id uuid, identity_kind text, identity_value text) returns bytea
language sql stable parallel safe
return sha256(key || sha256(key || convert_to(concat_ws(' ', organization_id, identity_kind, identity_value), 'UTF8')));
comment on function privacy.hash_with(bytea, uuid, text, text) is
'Hash of an identity with a key.';

create function privacy.key_hash(organization_id uuid, identity_kind text, identity_value text) returns bytea
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select privacy.hash_with(secret.key, $1, $2, $3)
    from secret.erasure_key as secret
$$;
comment on function privacy.key_hash(uuid, text, text) is
'Keyed hash of an identity.';

-- As the owner, because the DAGs read no hashes. Here and below the hash is looked up by a scalar subquery: that is a probe of the index for each identity,
-- however many people were erased; a join would be planned as a scan of all hashes, and a call of key_hash plans its query again each time.
create function privacy.is_erased(organization_id uuid, identity_kind text, identity_value text) returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        coalesce(
            (
                select erased.allowed_at is null
                from privacy.erased_key as erased
                where erased.key_hash = (select privacy.hash_with(secret.key, $1, $2, $3) from secret.erasure_key as secret)
            ), false
        )
$$;
comment on function privacy.is_erased(uuid, text, text) is
'Whether an identity (kind id, phone, card, card_number or email) is of an erased customer.';

-- With a body of standard SQL, so that it is put into the statements that call it.
create function privacy.with_plain_digits(written text) returns text
language sql immutable parallel safe
return translate(normalize($1, nfkc), '٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹०१२३४५६७८९', '012345678901234567890123456789');
comment on function privacy.with_plain_digits(text) is 'A text with the digits of other scripts as 0 to 9: full-width, Arabic, Persian, Devanagari.';

-- Phones are looked for as people write them: any signs that are no letters between the digits, full-width digits, with or without a country code, and
-- beside other numbers. So every row of ten and more digits is tried from each digit on. Of cards each word with a digit is tried that has six and more
-- signs; a shorter one, which may be an amount or a year, only where it stands as a card.
-- As the owner, because the DAGs read no hashes.
create function privacy.names_erased(organization_id uuid, written text) returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
as $$
    with plain as (
        select privacy.with_plain_digits(written) as text
        where written is not null and exists (select from privacy.erased_key)
    ),

    folded as (
        select lower(plain.text) as text
        from plain
    ),

    runs as (
        select regexp_replace(found.words[1], '\D', '', 'g') as digits
        from folded
        cross join regexp_matches(folded.text, '\d(?:[^[:alnum:]@]{0,20}\d){9,}', 'g') as found (words)
    ),

    -- In pieces that overlap by a whole number, so that the work grows with the text and not with its square.
    digits as (
        select substr(runs.digits, piece.start, 40) as run
        from runs
        cross join generate_series(1, char_length(runs.digits), 25) as piece (start)
    ),

    card as (
        select split.word as value
        from plain
        cross join regexp_split_to_table(plain.text, '[\s"'',;]+') as split (word)
        where char_length(split.word) between 6 and 128 and split.word ~ '\d'
        union
        select btrim(split.word, '.!')
        from plain
        cross join regexp_split_to_table(plain.text, '[][\s"'',:;<>(){}|=?%&/]+') as split (word)
        where char_length(split.word) between 6 and 128 and split.word ~ '\d'
        union
        select found.words[1]
        from plain
        cross join regexp_matches(plain.text, '"(?:card|cards|track|number)[a-z_]*"\s*:\s*\[?\s*"([^"]{1,128})"', 'gi') as found (words)
        union
        select found.words[1]
        from plain
        cross join regexp_matches(plain.text, '^card(?:_number)? (\S{1,128})') as found (words)
        union
        select runs.digits
        from runs
    ),

    possible as (
        select
            'phone' as kind,
            case when length.digits = 10 then '+7' else '+' end || substr(digits.run, start.place, length.digits) as value
        from digits
        cross join generate_series(1, char_length(digits.run) - 9) as start (place)
        cross join generate_series(10, 15) as length (digits)
        where start.place + length.digits - 1 <= char_length(digits.run)
        union all
        select
            'id',
            found.words[1]
        from folded
        cross join regexp_matches(folded.text, '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', 'g') as found (words)
        union all
        select
            'email',
            rtrim(found.words[1], '.')
        from folded
        cross join regexp_matches(folded.text, '[^\s"'':,;<>()]+@[^\s"'':,;<>()]+', 'g') as found (words)
        union all
        select
            'email',
            found.words[1]
        from folded
        cross join regexp_matches(folded.text, '[[:alnum:].!#$%&*+_~-]+@[[:alnum:]-]+(?:\.[[:alnum:]-]+)*', 'g') as found (words)
        union all
        select
            kind.name,
            card.value
        from card
        cross join (values ('card'), ('card_number')) as kind (name)
    ),

    concerned as (
        select $1 as organization_id
        where $1 is not null
        union all
        select distinct done.organization_id
        from privacy.erasure as done
        where $1 is null and done.erased_at is not null
    )

    select exists (
        select
        from possible
        cross join concerned
        where (
            select erased.allowed_at is null
            from privacy.erased_key as erased
            where
                erased.key_hash = (
                    select privacy.hash_with(secret.key, concerned.organization_id, possible.kind, possible.value)
                    from secret.erasure_key as secret
                )
        )
    )
$$;
comment on function privacy.names_erased(uuid, text) is
'Whether a text holds an id, phone, e-mail address or card of an erased customer of an organization; of any, if null.';

-- What an insert brings of an erased customer does not stay. Statement triggers: they cost nothing to speak of while no person was erased.
-- As the owner, because the role that adds identities reads no hashes.
create function privacy.drop_erased_identities() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    identity record;
begin
    if exists (select from privacy.erased_key) then
        for identity in
            select
                added.organization_id,
                added.identity_kind,
                added.identity_value
            from added
            where (
                select erased.allowed_at is null
                from privacy.erased_key as erased
                where
                    erased.key_hash = (
                        select privacy.hash_with(secret.key, added.organization_id, added.identity_kind, added.identity_value)
                        from secret.erasure_key as secret
                    )
            )
        loop
            delete from sync.roster as known
            where
                known.organization_id = identity.organization_id
                and known.identity_kind = identity.identity_kind
                and known.identity_value = identity.identity_value;
        end loop;
    end if;
    return null;
end
$$;
comment on function privacy.drop_erased_identities() is
'Takes identities of erased customers off the roster again.';

create trigger erased_stay_away after insert on sync.roster
referencing new table as added
for each statement execute function privacy.drop_erased_identities();

create function privacy.refuse_other_identity() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise check_violation using message = 'an identity of the roster never becomes another one: add that one';
end
$$;
comment on function privacy.refuse_other_identity() is 'Keeps identities as they were added, so that what is asked of a new one is asked of all.';

create trigger identity_is_final before update on sync.roster
for each row when (
    (old.organization_id, old.identity_kind, old.identity_value) is distinct from (new.organization_id, new.identity_kind, new.identity_value)
) execute function privacy.refuse_other_identity();

-- As the owner, because the DAGs read no hashes.
create function privacy.refuse_erased_customers() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from privacy.erased_key) and exists (
        select
        from added
        where (
            select erased.allowed_at is null
            from privacy.erased_key as erased
            where
                erased.key_hash = (
                    select privacy.hash_with(secret.key, added.organization_id, 'id', added.customer_id::text)
                    from secret.erasure_key as secret
                )
        )
    ) then
        raise exception 'a customer of this batch was erased and can not be written into the mirror again'
            using errcode = 'SY001', hint = 'The batch is looked up again without them; see privacy.erasure.';
    end if;
    return null;
end
$$;
comment on function privacy.refuse_erased_customers() is
'Keeps erased customers out of the mirror, for every writer.';

create trigger erased_stay_away after insert on syrve.customer
referencing new table as added
for each statement execute function privacy.refuse_erased_customers();

-- As the owner, because the CRM reads no hashes.
create function privacy.refuse_erased_desired_states() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from privacy.erased_key) and (
        privacy.is_erased(new.organization_id, 'id', new.customer_id::text)
        or privacy.names_erased(new.organization_id, concat_ws(' ; ', new.phone, new.email))
    ) then
        raise exception 'row % of crm.customer is about a person who was erased', new.crm_id
            using errcode = 'SY001', hint = 'Delete the person in the CRM too; privacy.allow_again lets one come back who wants to.';
    end if;
    return null;
end
$$;
comment on function privacy.refuse_erased_desired_states() is
'Refuses rows of the CRM about erased customers.';

-- By row, so that an update of anything else costs nothing.
create trigger erased_stay_away after insert or update of organization_id, customer_id, phone, email on crm.customer
for each row execute function privacy.refuse_erased_desired_states();

-- As the owner, because the role that adds rejects reads no hashes.
create function privacy.scrub_rejects() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from privacy.erased_key) then
        delete from sync.reject as known
        using added
        where
            known.reject_id = added.reject_id
            and privacy.names_erased(added.organization_id, concat_ws(' ; ', added.identity, added.payload));
    end if;
    return null;
end
$$;
comment on function privacy.scrub_rejects() is
'Keeps no reject that names an erased customer.';

create trigger erased_stay_away_insert after insert on sync.reject
referencing new table as added
for each statement execute function privacy.scrub_rejects();
create trigger erased_stay_away_update after update on sync.reject
referencing new table as added
for each statement execute function privacy.scrub_rejects();

-- What reaches the warehouse about the money of an erased customer counts under the pseudonym: a list or a report that was read while they were erased.
-- As the owner, because the role that writes it reads no hashes.
create function privacy.put_pseudonym() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    pseudonym uuid;
begin
    if exists (select from privacy.erased_key) then
        select done.pseudonym into pseudonym
        from privacy.erased_key as erased
        inner join privacy.erasure as done on erased.erasure_id = done.erasure_id
        where
            erased.allowed_at is null
            and erased.key_hash = (
                select privacy.hash_with(secret.key, new.organization_id, 'id', new.customer_id::text)
                from secret.erasure_key as secret
            );
        new.customer_id := coalesce(pseudonym, new.customer_id);
    end if;
    return new;
end
$$;
comment on function privacy.put_pseudonym() is
'Puts the pseudonym in place of an erased customer.';

create trigger erased_stay_away before insert on wallet.campaign_row
for each row execute function privacy.put_pseudonym();
create trigger erased_stay_away before insert on wallet.transaction
for each row execute function privacy.put_pseudonym();

-- Who a person is: the identities that lead to one customer now. A former phone may be another person's by now, and is none of them.
create function privacy.identities_of(organization_id uuid, customer_id uuid, phone text)
returns table (identity_kind text, identity_value text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with known as (
        select
            listed.identity_kind as kind,
            listed.identity_value as value
        from sync.roster as listed
        where listed.organization_id = $1 and listed.customer_id = $2 and listed.identity_kind <> 'id'
        union
        select 'phone', mirrored.phone
        from syrve.customer as mirrored
        where mirrored.organization_id = $1 and mirrored.customer_id = $2 and mirrored.phone is not null
        union
        select 'email', lower(mirrored.email)
        from syrve.customer as mirrored
        where mirrored.organization_id = $1 and mirrored.customer_id = $2 and mirrored.email is not null
        union
        select
            card.kind,
            card.value
        from syrve.card as held
        cross join lateral (values ('card', held.track), ('card_number', held.number)) as card (kind, value)
        where held.organization_id = $1 and held.customer_id = $2 and card.value is not null
    )

    select 'id', $2::text where $2 is not null
    union
    select 'phone', $3 where $3 is not null
    union
    -- What another customer has by now is that one's: the roster may not have looked since it moved.
    select
        known.kind,
        known.value
    from known
    where
        not exists (
            select
            from syrve.customer as other
            where
                known.kind = 'phone'
                and other.phone = known.value
                and other.organization_id = $1
                and other.customer_id <> $2
                and not other.is_deleted
        )
        and not exists (
            select
            from syrve.customer as other
            where
                known.kind = 'email'
                and lower(other.email) = known.value
                and other.organization_id = $1
                and other.customer_id <> $2
                and not other.is_deleted
        )
        and not exists (
            select
            from syrve.card as other
            where
                known.kind = 'card'
                and other.track = known.value
                and other.organization_id = $1
                and other.customer_id <> $2
        )
        and not exists (
            select
            from syrve.card as other
            where
                known.kind = 'card_number'
                and other.number = known.value
                and other.organization_id = $1
                and other.customer_id <> $2
        )
$$;
comment on function privacy.identities_of(uuid, uuid, text) is
'Identities that lead to a customer now, or to a phone that has no customer.';

-- The CRM writes phones as people do, several in a cell or with an extension, and SQL knows no numbering plans: each row of digits is read as the whole
-- number, or without the prefix of its country (8 in +7, 80 in +375, zeros elsewhere) as the end of the number.
create function privacy.is_written_as(phone text, written text) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    with number as (
        select regexp_replace($1, '\D', '', 'g') as wanted
    ),

    runs as (
        select ltrim(regexp_replace(found.run[1], '\D', '', 'g'), '0') as digits
        from regexp_matches(privacy.with_plain_digits($2), '\d(?:[^[:alnum:],;/]{0,3}\d)+', 'g') as found (run)
    ),

    readings as (
        select
            number.wanted,
            reading.digits
        from number
        cross join runs
        cross join lateral (
            values
            (runs.digits),
            (case when number.wanted ~ '^7\d{10}$' and runs.digits ~ '^8\d{10}$' then substr(runs.digits, 2) end),
            (case when number.wanted like '375%' and runs.digits ~ '^80\d{9}$' then substr(runs.digits, 3) end)
        ) as reading (digits)
    )

    select exists (
        select
        from readings
        where
            char_length(readings.digits) >= 7
            and char_length(readings.wanted) - char_length(readings.digits) between 0 and 3
            and right(readings.wanted, char_length(readings.digits)) = readings.digits
    )
$$;
comment on function privacy.is_written_as(text, text) is 'Whether a text may hold a phone number as people write it: +79161234567 as 8 (916) 123-45-67.';

-- Syrve answers a look-up of a merged customer's id with the customer that is left. What a phone leads to is no proof: it may have passed on.
create function privacy.same_person(organization_id uuid, customer_id uuid) returns setof uuid
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with recursive person as (
        select $2 as customer_id
        union
        select linked.customer_id
        from person
        cross join lateral (
            select known.customer_id
            from sync.roster as known
            where
                known.organization_id = $1
                and known.identity_kind = 'id'
                and known.identity_value = person.customer_id::text
                and known.customer_id is not null
            union all
            select known.identity_value::uuid
            from sync.roster as known
            where known.organization_id = $1 and known.customer_id = person.customer_id and known.identity_kind = 'id'
        ) as linked
    )

    select person.customer_id from person
$$;
comment on function privacy.same_person(uuid, uuid) is
'The ids of one person in an organization: this one, those of customers that Syrve merged into them, and the one they were merged into.';

create function privacy.crm_ids_of(organization_id uuid, customer_id uuid, phone text) returns setof bigint
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select wanted.crm_id
    from crm.customer as wanted
    where wanted.organization_id = $1 and wanted.customer_id = $2
    union
    select known.crm_id
    from crm.push_state as known
    where known.organization_id = $1 and known.customer_id = $2
    union
    select wanted.crm_id
    from crm.customer as wanted
    left join crm.push_state as known on wanted.crm_id = known.crm_id
    where
        wanted.organization_id = $1
        and wanted.customer_id is null
        and known.customer_id is null
        and exists (
            select
            from privacy.identities_of($1, $2, $3) as identity
            where identity.identity_kind = 'phone' and privacy.is_written_as(identity.identity_value, coalesce(known.phone, wanted.phone))
        )
        -- A number without its country may be another customer's, too: it is theirs.
        and not exists (
            select
            from syrve.customer as other
            where
                other.organization_id = $1
                and other.customer_id is distinct from $2
                and not other.is_deleted
                and right(other.phone, 7) = right(regexp_replace(coalesce(known.phone, wanted.phone), '\D', '', 'g'), 7)
                and privacy.is_written_as(other.phone, coalesce(known.phone, wanted.phone))
        )
$$;
comment on function privacy.crm_ids_of(uuid, uuid, text) is
'Rows of the CRM about a person.';

create function privacy.hindrances(organization_id uuid, customer_id uuid) returns setof text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select 'money is on hold: settle or release it first (wallet.open_hold)'
    where exists (select from wallet.open_hold as held where held.organization_id = $1 and held.customer_id = $2)
    union all
    select 'a money call has no known outcome: settle it first (wallet.unsettled_operation)'
    where exists (
        select
        from wallet.unsettled_operation as sent
        where sent.organization_id = $1 and sent.customer_id = $2 and sent.settled_at is null
    )
    union all
    select 'a change of the CRM is being sent: try again in some minutes'
    where exists (
        select
        from crm.push_state as known
        where known.organization_id = $1 and known.customer_id = $2 and known.leased_until > now()
    )
$$;
comment on function privacy.hindrances(uuid, uuid) is
'Why a customer can not be erased now; no row if nothing keeps them.';

-- An erasure asks this once and hands it on: whether another customer has an address or a card is found by reading all customers.
create function privacy.who_is(organization_id uuid, customer_id uuid, phone text) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(jsonb_agg(to_jsonb(identity)), '[]')
    from privacy.identities_of($1, $2, $3) as identity
$$;
comment on function privacy.who_is(uuid, uuid, text) is
'The rows of identities_of as one value: [{identity_kind, identity_value}].';

-- names_erased takes its time, so an erasure asks it only about texts that hold a sign of the person. It finds nothing else of them: an id, an e-mail
-- address or a card stands in the text, or in its small letters; a phone is at least ten digits in their order, and a card may be all digits of a row.
create function privacy.signs_of(identities jsonb) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
as $$
    select coalesce(array_agg(distinct '%' || regexp_replace(sign.value, '([\\%_])', '\\\1', 'g') || '%'), '{}')
    from jsonb_to_recordset($1) as identity (identity_kind text, identity_value text)
    cross join lateral (
        select
            case identity.identity_kind
                when 'phone' then right(regexp_replace(identity.identity_value, '\D', '', 'g'), 10)
                else identity.identity_value
            end as value
    ) as sign
$$;
comment on function privacy.signs_of(jsonb) is
'Patterns of LIKE for the identities of who_is: a text that names the person holds one of them (may_hold).';

-- With a body of standard SQL, so that it is put into the statements that call it.
create function privacy.may_hold(plain text, signs text[]) returns boolean
language sql immutable parallel safe
return $1 || ' ' || lower($1) || ' ' || regexp_replace($1, '\D', '', 'g') like any($2);
comment on function privacy.may_hold(text, text[]) is
'Whether a text with plain digits holds one of the signs of a person: as it stands, in small letters, or in its digits alone.';

create function privacy.searched_texts() returns table (place text, written text, how text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select
        part.place,
        part.written,
        part.how
    from (
        values
        ('sync.reject', 'concat_ws('' ; '', known.identity, known.payload)', 'delete from sync.reject as known'),
        (
            'sync.signal',
            'concat_ws('' ; '', known.event_type, known.external_number, known.order_number, known.change_type)',
            'delete from sync.signal as known'
        ),
        ('syrve.coupon', 'known.activated_by', 'update syrve.coupon as known set activated_by = null')
    ) as part (place, written, how)
    -- Some are made by a later migration.
    where to_regclass(part.place) is not null
$$;
comment on function privacy.searched_texts() is
'Tables whose texts an erasure searches: the text of a row, and what is done with a row that names the person.';

create function privacy.find_texts(organization_id uuid, signs text[]) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    part record;
    rows_found jsonb;
    found_rows jsonb := '{}';
begin
    for part in select * from privacy.searched_texts() loop
        execute format(
            'select coalesce(jsonb_agg(said.row_id::text), ''[]'') '
            'from ('
            'select known.ctid as row_id, privacy.with_plain_digits(%s) as plain from %s as known '
            'where known.organization_id = $1 or known.organization_id is null offset 0'
            ') as said where privacy.may_hold(said.plain, $2)', part.written, part.place
        )
        into rows_found using organization_id, signs;
        found_rows := found_rows || jsonb_build_object(part.place, rows_found);
    end loop;
    return found_rows;
end
$$;
comment on function privacy.find_texts(uuid, text[]) is
'By table, where rows stand (ctid) whose text may name a person. Good in the same transaction, beside the rows that were written since.';

create function privacy.forget_texts(organization_id uuid, signs text[], found_rows jsonb, since xid) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    part record;
    n jsonb := '{}';
    affected bigint;
begin
    for part in select * from privacy.searched_texts() loop
        execute format(
            '%s where (known.organization_id = $1 or known.organization_id is null) '
            'and ($2 is null or known.ctid = any ($2) or age(known.xmin) <= age($3)) '
            'and case when $4 is null or privacy.may_hold(privacy.with_plain_digits(%s), $4) then privacy.names_erased($1, %2$s) else false end',
            part.how, part.written
        )
        using
            organization_id,
            case when found_rows is not null then array(select jsonb_array_elements_text(found_rows -> part.place)::tid) end,
            since,
            signs;
        get diagnostics affected = row_count;
        n := n || jsonb_build_object(part.place, affected);
    end loop;
    return n;
end
$$;
comment on function privacy.forget_texts(uuid, text[], jsonb, xid) is
'Forgets texts that name an erased person: those of find_texts, and all that transactions from that one on have written. Without signs all texts are searched, '
'for every erased person.';

create function privacy.forget_mirror(erasure privacy.erasure) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    n jsonb := '{}';
    part text;
    affected bigint;
begin
    -- Balances stay as numbers, under the pseudonym, so that totals of the past stay what they were.
    insert into syrve.wallet_balance_version (organization_id, customer_id, wallet_id, name, type, balance, valid_from, valid_to)
    select organization_id, erasure.pseudonym, wallet_id, name, type, balance, changed_at, clock_timestamp()
    from syrve.wallet_balance
    where organization_id = erasure.organization_id and customer_id = erasure.customer_id;
    foreach part in array array['wallet_balance', 'card', 'card_version', 'customer_category', 'customer_category_version', 'customer_version', 'customer'] loop
        execute format('delete from syrve.%I where organization_id = $1 and customer_id = $2', part)
        using erasure.organization_id, erasure.customer_id;
        get diagnostics affected = row_count;
        n := n || jsonb_build_object('syrve.' || part, affected);
    end loop;
    update syrve.wallet_balance_version set customer_id = erasure.pseudonym
    where organization_id = erasure.organization_id and customer_id = erasure.customer_id;
    get diagnostics affected = row_count;
    -- Whom the person brought: former versions say it, too. A later pull leaves it out (customers/erased.py).
    update syrve.customer set referrer_id = null
    where organization_id = erasure.organization_id and referrer_id = erasure.customer_id;
    update syrve.customer_version set referrer_id = null
    where organization_id = erasure.organization_id and referrer_id = erasure.customer_id;
    return n || jsonb_build_object('syrve.wallet_balance_version', affected);
end
$$;
comment on function privacy.forget_mirror(privacy.erasure) is 'The part of privacy.erase for the mirror and its history.';

create function privacy.forget_sync(erasure privacy.erasure, identities jsonb, texts jsonb) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    n jsonb := texts;
    known_values text[] := array(select identity ->> 'identity_value' from jsonb_array_elements(identities) as identity);
    affected bigint;
begin
    delete from sync.held_back as held
    where
        held.organization_id = erasure.organization_id
        and (
            held.customer_id = erasure.customer_id
            or (
                held.identity_value = any(known_values)
                and identities @> jsonb_build_array(
                    jsonb_build_object('identity_kind', held.identity_kind, 'identity_value', held.identity_value)
                )
            )
        );
    get diagnostics affected = row_count;
    n := n || jsonb_build_object('sync.held_back', affected);

    -- Made by a later migration. Who looked at whom stays on record, under the pseudonym.
    if erasure.customer_id is not null and to_regclass('sync.audit') is not null then
        update sync.audit as done
        set subject = replace(done.subject::text, erasure.customer_id::text, erasure.pseudonym::text)::jsonb
        where done.subject::text like '%' || erasure.customer_id || '%';
        get diagnostics affected = row_count;
        n := n || jsonb_build_object('sync.audit', affected);
    end if;

    -- Made by a later migration.
    if to_regclass('sync.signal') is not null then
        delete from sync.signal as reported
        where
            reported.organization_id = erasure.organization_id
            and (
                reported.customer_id = erasure.customer_id
                or (
                    reported.phone = any(known_values)
                    and identities @> jsonb_build_array(jsonb_build_object('identity_kind', 'phone', 'identity_value', reported.phone))
                )
                or (
                    reported.identity_value = any(known_values)
                    and identities @> jsonb_build_array(
                        jsonb_build_object('identity_kind', reported.identity_kind, 'identity_value', reported.identity_value)
                    )
                )
            );
        get diagnostics affected = row_count;
        n := n || jsonb_build_object('sync.signal', affected + (texts ->> 'sync.signal')::bigint);
    end if;

    -- Last: until here it says who the person is.
    delete from sync.roster as known
    using jsonb_to_recordset(identities) as mine (identity_kind text, identity_value text)
    where
        known.organization_id = erasure.organization_id
        and known.identity_kind = mine.identity_kind
        and known.identity_value = mine.identity_value;
    get diagnostics affected = row_count;
    -- What is another customer's by now stays, and is looked up again.
    update sync.roster as known
    set customer_id = null, due_at = now()
    where known.organization_id = erasure.organization_id and known.customer_id = erasure.customer_id;
    return n || jsonb_build_object('sync.roster', affected);
end
$$;
comment on function privacy.forget_sync(privacy.erasure, jsonb, jsonb) is
'The part of privacy.erase for roster, held back answers, signals and the audit (there the customer becomes a pseudonym); beside what forget_texts did.';

create function privacy.forget_crm(erasure privacy.erasure) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    n jsonb := '{}';
    mine bigint[];
    part text;
    affected bigint;
begin
    mine := array(select crm_id from privacy.crm_ids_of(erasure.organization_id, erasure.customer_id, erasure.phone) as known (crm_id));
    foreach part in array array[
        'push_plan', 'push_blocked', 'push_held_back', 'conflict', 'remote_change', 'push_state', 'customer_card', 'customer_category',
        'customer_program', 'customer'
    ] loop
        execute format('delete from crm.%I where crm_id = any($1)', part) using mine;
        get diagnostics affected = row_count;
        n := n || jsonb_build_object('crm.' || part, affected);
    end loop;
    update crm.push_state set joined_to = null, joined_fields = null where joined_to = any(mine);
    -- The CRM knows its number of a person longer than we do.
    update crm.push
    set crm_id = -push_id, customer_id = case when customer_id is not null then erasure.pseudonym end
    where crm_id = any(mine);
    get diagnostics affected = row_count;
    return n || jsonb_build_object('crm.push', affected);
end
$$;
comment on function privacy.forget_crm(privacy.erasure) is
'The part of privacy.erase for what the CRM wanted and what was sent of it; attempts stay, under the pseudonym.';

create function privacy.rename_money(erasure privacy.erasure) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    n jsonb := '{}';
    part record;
    affected bigint;
begin
    -- By the catalogue, so that a table that is added is not forgotten: every column of schema wallet that can name a customer.
    for part in
        select
            relation.relname as name,
            string_agg(
                case
                    when format_type(attribute.atttypid, null) = 'uuid' then format('%1$I = case when %1$I = $1 then $2 else %1$I end', attribute.attname)
                    else format('%1$I = replace(%1$I::text, $1::text, $2::text)::%2$s', attribute.attname, format_type(attribute.atttypid, null))
                end, ', '
            ) as assignments,
            string_agg(
                case
                    when format_type(attribute.atttypid, null) = 'uuid' then format('%I = $1', attribute.attname)
                    else format('%I::text like ''%%'' || $1::text || ''%%''', attribute.attname)
                end, ' or '
            ) as condition
        from pg_class as relation
        inner join pg_attribute as attribute on relation.oid = attribute.attrelid
        where
            relation.relnamespace = 'wallet'::regnamespace
            and relation.relkind in ('r', 'p')
            and not relation.relispartition
            and attribute.attnum > 0
            and not attribute.attisdropped
            and attribute.attgenerated = ''
            and (
                (attribute.attname in ('customer_id', 'reported_customer_id') and attribute.atttypid = 'uuid'::regtype)
                or attribute.attname in ('evidence', 'findings', 'idempotency_key', 'payment_key', 'row_key')
                or (relation.relname = 'finding' and attribute.attname = 'subject')
            )
        group by relation.relname
        order by relation.relname
    loop
        execute format('update wallet.%I set %s where %s', part.name, part.assignments, part.condition)
        using erasure.customer_id, erasure.pseudonym;
        get diagnostics affected = row_count;
        n := n || jsonb_build_object('wallet.' || part.name, affected);
    end loop;
    return n;
end
$$;
comment on function privacy.rename_money(privacy.erasure) is
'The part of privacy.erase for money: rows stay, with the pseudonym in place of the customer.';

-- A finding holds the names of orders and the keys of reports that it is about.
create function privacy.rename_in_evidence(written text, renamed text) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    part record;
    affected bigint;
    total bigint := 0;
begin
    for part in
        select
            relation.relname as name,
            attribute.attname as part
        from pg_class as relation
        inner join pg_attribute as attribute on relation.oid = attribute.attrelid
        where
            relation.relnamespace = 'wallet'::regnamespace
            and relation.relkind in ('r', 'p')
            and not relation.relispartition
            and attribute.attname in ('evidence', 'findings')
            and attribute.atttypid = 'jsonb'::regtype
        order by relation.relname, attribute.attname
    loop
        execute format(
            'update wallet.%1$I set %2$I = replace(%2$I::text, $1, $2)::jsonb where strpos(%2$I::text, $1) > 0', part.name, part.part
        )
        using to_jsonb(written)::text, to_jsonb(renamed)::text;
        get diagnostics affected = row_count;
        total := total + affected;
    end loop;
    return total;
end
$$;
comment on function privacy.rename_in_evidence(text, text) is
'Puts another name in place of one that names an erased person, wherever evidence of money holds it.';

create function privacy.forget_words(erasure privacy.erasure) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    part record;
    n jsonb := '{}';
    affected bigint;
begin
    -- By the catalogue, likewise: what people wrote beside their money. A key is what a list calls its row, at times by the phone.
    for part in
        select
            relation.relname as name,
            string_agg(
                case
                    when attribute.attname = 'comment' then 'comment = null'
                    else format(
                        '%1$I = case when privacy.names_erased($1, %1$I) then ''erased '' || encode(privacy.key_hash($1, ''key'', %1$I), ''hex'') else %1$I end',
                        attribute.attname
                    )
                end, ', '
            ) as assignments,
            string_agg(
                case
                    when attribute.attname = 'comment' then 'comment is not null'
                    else format('privacy.names_erased($1, %I)', attribute.attname)
                end, ' or '
            ) as condition
        from pg_class as relation
        inner join pg_attribute as attribute on relation.oid = attribute.attrelid
        where
            relation.relnamespace = 'wallet'::regnamespace
            and relation.relkind in ('r', 'p')
            and not relation.relispartition
            and attribute.attname in ('comment', 'idempotency_key', 'payment_key', 'row_key')
            and exists (
                select from pg_attribute as owner_of
                where owner_of.attrelid = relation.oid and owner_of.attname = 'customer_id'
            )
        group by relation.relname
        order by relation.relname
    loop
        execute format('update wallet.%I set %s where customer_id = $2 and (%s)', part.name, part.assignments, part.condition)
        using erasure.organization_id, erasure.pseudonym;
        get diagnostics affected = row_count;
        n := n || jsonb_build_object('wallet.' || part.name || ': words', affected);
    end loop;
    affected := 0;
    for part in
        select distinct reported.idempotency_key as key
        from wallet.contested_ending as reported
        where
            (
                reported.reported_customer_id = erasure.pseudonym
                or reported.hold_id in (select held.hold_id from wallet.hold as held where held.customer_id = erasure.pseudonym)
            )
            and privacy.names_erased(erasure.organization_id, reported.idempotency_key)
    loop
        update wallet.contested_ending as reported
        set idempotency_key = 'erased ' || encode(privacy.key_hash(erasure.organization_id, 'key', part.key), 'hex')
        where reported.idempotency_key = part.key;
        affected := affected + 1 + privacy.rename_in_evidence(
            part.key, 'erased ' || encode(privacy.key_hash(erasure.organization_id, 'key', part.key), 'hex')
        );
    end loop;
    return n || jsonb_build_object('wallet.contested_ending: words', affected);
end
$$;
comment on function privacy.forget_words(privacy.erasure) is
'The part of privacy.erase for what people wrote beside money: comments go, and keys that name the person are replaced.';

-- By the catalogue, likewise.
create function privacy.columns_of_orders() returns table (name name, part name, has_customer boolean)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select
        relation.relname,
        attribute.attname,
        exists (
            select from pg_attribute as owner_of
            where owner_of.attrelid = relation.oid and owner_of.attname = 'customer_id'
        )
    from pg_class as relation
    inner join pg_attribute as attribute on relation.oid = attribute.attrelid
    where
        relation.relnamespace = 'wallet'::regnamespace
        and relation.relkind in ('r', 'p')
        and not relation.relispartition
        and attribute.attname in ('order_id', 'pos_order_id', 'order_number')
        and attribute.atttypid = 'text'::regtype
    order by relation.relname, attribute.attname
$$;
comment on function privacy.columns_of_orders() is 'Columns of schema wallet that hold the name of an order.';

create function privacy.forget_order_ids(erasure privacy.erasure, identities text[]) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    named text[];
    found text[];
    one text;
    renamed text;
    part record;
    affected bigint;
    total bigint := 0;
begin
    -- Some tills call an order by the phone of its guest: then the same name stands in its place everywhere, so that the order stays one.
    named := array(
        select reported.order_id
        from unnest(identities) as identity (value)
        cross join lateral (
            values
            (identity.value), (ltrim(identity.value, '+')), (regexp_replace(identity.value, '^\+7', '8')), (regexp_replace(identity.value, '^\+7', ''))
        ) as written (value)
        inner join wallet.payment_order as reported
            on reported.organization_id = erasure.organization_id and written.value = reported.order_id
    );
    for part in
        select *
        from privacy.columns_of_orders() as columns
        where columns.has_customer
    loop
        execute format(
            'select array_agg(distinct known.%2$I) from wallet.%1$I as known '
            'where known.organization_id = $1 and known.customer_id = $2 and privacy.names_erased($1, known.%2$I)', part.name, part.part
        )
        into found using erasure.organization_id, erasure.pseudonym;
        named := named || found;
    end loop;
    for one in
        select distinct known.order_id
        from unnest(named) as known (order_id)
    loop
        renamed := 'erased ' || encode(privacy.key_hash(erasure.organization_id, 'order', one), 'hex');
        for part in select * from privacy.columns_of_orders() loop
            execute format('update wallet.%1$I set %2$I = $2 where organization_id = $3 and %2$I = $1', part.name, part.part)
            using one, renamed, erasure.organization_id;
            get diagnostics affected = row_count;
            total := total + affected;
        end loop;
        update wallet.finding as known set subject = 'order:' || erasure.organization_id || ':' || renamed
        where known.subject = 'order:' || erasure.organization_id || ':' || one;
        get diagnostics affected = row_count;
        total := total + affected + privacy.rename_in_evidence(one, renamed);
    end loop;
    return jsonb_build_object('wallet: names of orders', total);
end
$$;
comment on function privacy.forget_order_ids(privacy.erasure, text[]) is
'The part of privacy.erase for orders that are called by an identity of the person.';

create function privacy.carry_out(erasure privacy.erasure) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    counts jsonb := '{}';
    part text;
    identities jsonb;
    signs text[];
    signs_now text[];
    since xid;
    found_rows jsonb;
begin
    -- Money and texts first: that reads whole tables, and pulls need not wait for it.
    if erasure.customer_id is not null then
        counts := counts || privacy.rename_money(erasure);
    end if;
    signs := privacy.signs_of(privacy.who_is(erasure.organization_id, erasure.customer_id, erasure.phone));
    -- All that the search does not see was written by a transaction that is not older.
    since := pg_snapshot_xmin(pg_current_snapshot())::xid;
    found_rows := privacy.find_texts(erasure.organization_id, signs);
    -- Waits for every transaction that has asked who was erased, and keeps others from asking until this is done.
    lock table privacy.erased_key in access exclusive mode;
    if exists (
        select
        from wallet.operation as moved
        where moved.organization_id = erasure.organization_id and moved.customer_id = erasure.customer_id
    ) then
        raise exception 'money of this customer moved while they were erased; nothing was erased' using errcode = 'SY004';
    end if;

    identities := privacy.who_is(erasure.organization_id, erasure.customer_id, erasure.phone);
    insert into privacy.erased_key as known (key_hash, erasure_id)
    select
        privacy.key_hash(erasure.organization_id, identity.identity_kind, identity.identity_value),
        erasure.erasure_id
    from jsonb_to_recordset(identities) as identity (identity_kind text, identity_value text)
    on conflict (key_hash) do update
        set erasure_id = excluded.erasure_id, is_original = true, allowed_at = null
        where known.allowed_at is not null;
    signs_now := privacy.signs_of(identities);
    -- The person got another identity since, for which no text was searched.
    if not signs_now <@ signs then
        signs := signs_now;
        found_rows := null;
    end if;
    -- What was written between the two. Who writes it from now on is given the pseudonym.
    foreach part in array array['campaign_row', 'transaction', 'notified_movement'] loop
        continue when to_regclass('wallet.' || part) is null;
        execute format('update wallet.%I set customer_id = $1 where organization_id = $2 and customer_id = $3', part)
        using erasure.pseudonym, erasure.organization_id, erasure.customer_id;
    end loop;
    counts := counts || privacy.forget_crm(erasure)
        || privacy.forget_sync(erasure, identities, privacy.forget_texts(erasure.organization_id, signs, found_rows, since));
    if erasure.customer_id is not null then
        counts := counts || privacy.forget_mirror(erasure) || privacy.forget_words(erasure);
    end if;
    counts := counts || privacy.forget_order_ids(
        erasure, array(select identity ->> 'identity_value' from jsonb_array_elements(identities) as identity)
    );
    update privacy.erasure as known
    set erased_at = clock_timestamp(), removed = counts, customer_id = null, phone = null
    where
        known.erased_at is null
        and (
            known.erasure_id = erasure.erasure_id
            or (known.organization_id = erasure.organization_id and known.customer_id = erasure.customer_id)
        );
    return counts;
end
$$;
comment on function privacy.carry_out(privacy.erasure) is 'Erases one person; called by privacy.erase and privacy.erase_returned, which say why it may.';

-- As the owner, because the DAGs delete neither history nor rows of the CRM by themselves.
create function privacy.erase(erasure_id uuid) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '60s'
as $$
declare
    erasure privacy.erasure;
    hindrance text;
begin
    select known.* into erasure from privacy.erasure as known where known.erasure_id = $1 for update;
    if erasure.erasure_id is null then
        raise exception 'no such erasure' using errcode = 'SY002';
    end if;
    if erasure.erased_at is not null then
        return erasure.removed;
    end if;
    if not exists (
        select
        from sync.approval_state as approval
        where
            approval.kind = 'erasure'
            and approval.dag_id = erasure.dag_id
            and approval.run_id = erasure.run_id
            and approval.state = 'approved'
            and approval.digest = privacy.digest_of(erasure.dag_id, erasure.run_id)
    ) then
        raise exception 'this erasure is not approved' using errcode = 'SY003', hint = 'Answer the question of its run, or start another.';
    end if;
    select found.hindrance into hindrance from privacy.hindrances(erasure.organization_id, erasure.customer_id) as found (hindrance) limit 1;
    if hindrance is not null then
        raise exception '%', hindrance using errcode = 'SY004';
    end if;
    return privacy.carry_out(erasure);
end
$$;
comment on function privacy.erase(uuid) is
'Erases one person in one transaction, if its run has the approval; repeated, it returns the receipt.';

-- Statistics of the planner hold common values and samples of columns, of rows that are gone too; analyzing a table without rows leaves them as they are.
-- As the owner, because only the owner of a table renews its statistics.
create function privacy.renew_statistics() returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    part record;
    has_rows boolean;
    done bigint := 0;
begin
    for part in
        select
            namespace.nspname,
            relation.relname,
            relation.relispartition,
            known.stainherit,
            array_agg(attribute.attname::text) as columns
        from pg_class as relation
        inner join pg_namespace as namespace on relation.relnamespace = namespace.oid
        inner join pg_statistic as known on relation.oid = known.starelid
        inner join pg_attribute as attribute on known.starelid = attribute.attrelid and known.staattnum = attribute.attnum
        where
            namespace.nspname in ('syrve', 'sync', 'crm', 'wallet', 'privacy')
            and relation.relkind in ('r', 'p')
        group by namespace.nspname, relation.relname, relation.relispartition, known.stainherit
        order by namespace.nspname, relation.relname
    loop
        execute format('select exists (select from %I.%I)', part.nspname, part.relname) into has_rows;
        if has_rows and not part.relispartition then
            execute format('analyze %I.%I', part.nspname, part.relname);
            done := done + 1;
        elsif not has_rows and current_setting('server_version_num')::integer >= 180000 then
            execute 'select pg_clear_attribute_stats($1, $2, column_name, $3) from unnest($4::text[]) as column_name'
            using part.nspname::text, part.relname::text, part.stainherit, part.columns;
            done := done + 1;
        end if;
    end loop;
    return done;
end
$$;
comment on function privacy.renew_statistics() is
'Analyzes the tables that have statistics, so that none shows a value of an erased person, and (Postgres 18) clears those of tables without rows; says how many.';

-- Receipts outlive the warehouse: kept as files, they forget people again who came back with a restored backup.
-- As the owner, because the DAGs read no hashes.
create function privacy.receipt(erasure_id uuid) returns jsonb
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        jsonb_build_object(
            'erasure_id', done.erasure_id,
            'organization_id', done.organization_id,
            'pseudonym', done.pseudonym,
            'dag_id', done.dag_id,
            'run_id', done.run_id,
            'requested_by', done.requested_by,
            'asked_at', done.asked_at,
            'erased_at', done.erased_at,
            'removed', done.removed,
            'key_hashes', (
                select coalesce(jsonb_agg(encode(erased.key_hash, 'hex') order by erased.key_hash), '[]')
                from privacy.erased_key as erased
                where erased.erasure_id = done.erasure_id and erased.is_original and erased.allowed_at is null
            )
        )
    from privacy.erasure as done
    where done.erasure_id = $1 and done.erased_at is not null
$$;
comment on function privacy.receipt(uuid) is
'Receipt of an erasure, to be kept outside the warehouse; it holds no names.';

-- As the owner, because the DAGs write no hashes themselves.
create function privacy.remember(receipt jsonb) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    is_missing integer;
begin
    insert into privacy.erasure (erasure_id, dag_id, run_id, organization_id, pseudonym, requested_by, asked_at, erased_at, removed, is_search_due)
    select
        (receipt ->> 'erasure_id')::uuid, coalesce(receipt ->> 'dag_id', ''), receipt ->> 'run_id',
        (receipt ->> 'organization_id')::uuid, (receipt ->> 'pseudonym')::uuid,
        receipt ->> 'requested_by', (receipt ->> 'asked_at')::timestamptz, (receipt ->> 'erased_at')::timestamptz, receipt -> 'removed', true
    on conflict do nothing;
    get diagnostics is_missing = row_count;
    -- Only with the receipt: one that was not missing would erase again a person who was allowed since.
    if is_missing > 0 then
        insert into privacy.erased_key (key_hash, erasure_id)
        select
            decode(known.key_hash, 'hex'),
            (receipt ->> 'erasure_id')::uuid
        from jsonb_array_elements_text(receipt -> 'key_hashes') as known (key_hash)
        on conflict do nothing;
    end if;
    return is_missing > 0;
end
$$;
comment on function privacy.remember(jsonb) is
'Takes a receipt back after a restore; says whether it was missing. A made-up one does no harm: without the key its hashes match no one.';

create function privacy.is_original(organization_id uuid, identity_kind text, identity_value text) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select exists (
        select
        from privacy.erased_key as erased
        where erased.is_original and erased.allowed_at is null and erased.key_hash = privacy.key_hash($1, $2, $3)
    )
$$;
comment on function privacy.is_original(uuid, text, text) is 'Whether a person was erased who had this identity then; called by privacy.erase_returned.';

-- A customer by the id alone: a phone or card may be another person's in an older backup. A phone without a customer is a separate person, unless a
-- customer has it. As the owner, because the DAGs read no hashes. One pass over each table: each identity is hashed once and compared with all hashes.
create function privacy.returned() returns table (organization_id uuid, customer_id uuid, phone text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    with named as (
        select mirrored.organization_id, mirrored.customer_id, null::text as phone
        from syrve.customer as mirrored
        union all
        select known.organization_id, known.customer_id, null
        from sync.roster as known
        where known.customer_id is not null
        union all
        select known.organization_id, known.identity_value::uuid, null
        from sync.roster as known
        where known.identity_kind = 'id'
        union all
        select wanted.organization_id, wanted.customer_id, null
        from crm.customer as wanted
        where wanted.customer_id is not null
        union all
        select known.organization_id, known.customer_id, null
        from crm.push_state as known
        where known.customer_id is not null
        union all
        select known.organization_id, null, known.identity_value
        from sync.roster as known
        where known.identity_kind = 'phone' and known.customer_id is null
    )

    select distinct
        named.organization_id,
        named.customer_id,
        named.phone
    from named
    cross join secret.erasure_key as secret
    inner join privacy.erased_key as erased
        on
            erased.key_hash = privacy.hash_with(
                secret.key,
                named.organization_id,
                case when named.phone is null then 'id' else 'phone' end,
                coalesce(named.phone, named.customer_id::text)
            )
    where
        exists (select from privacy.erased_key)
        and erased.is_original
        and erased.allowed_at is null
        and not exists (
            select
            from syrve.customer as other
            where other.organization_id = named.organization_id and other.phone = named.phone and not other.is_deleted
        )
$$;
comment on function privacy.returned() is
'Customers, and phones without a customer, who are in the warehouse although they were erased, as after a restore.';

-- Of who returned with a backup there may be former identities in texts, of which only hashes are left: every text of their organizations is searched,
-- once for all of them. No session waits for it: what is written since is refused by the hashes. As the owner, because the DAGs read no hashes.
create function privacy.forget_returned_texts() returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    concerned uuid;
    forgotten jsonb := '{}';
begin
    for concerned in
        select back.organization_id from privacy.returned() as back
        union
        select done.organization_id from privacy.erasure as done where done.is_search_due
    loop
        forgotten := forgotten || jsonb_build_object(concerned, privacy.forget_texts(concerned, null, null, null));
        update privacy.erasure as done set is_search_due = false
        where done.organization_id = concerned and done.is_search_due;
    end loop;
    return forgotten;
end
$$;
comment on function privacy.forget_returned_texts() is
'Forgets texts that name an erased person, where a receipt or a person came back; rows by table and organization. To be done before privacy.erase_returned.';

-- As the owner, because the DAGs delete no history by themselves.
create function privacy.erase_returned(organization_id uuid, customer_id uuid, phone text) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '60s'
as $$
declare
    erasure privacy.erasure;
begin
    if not privacy.is_original($1, case when $2 is null then 'phone' else 'id' end, coalesce($2::text, $3)) then
        raise exception 'this person was not erased' using errcode = 'SY002', hint = 'privacy.returned() names those who were and came back.';
    end if;
    -- Money that is held or unsettled keeps a returned customer, as it keeps every customer; the next run tries again.
    if exists (select from privacy.hindrances($1, $2)) then
        return false;
    end if;
    insert into privacy.erasure (dag_id, run_id, organization_id, customer_id, phone, requested_by)
    values ('', 'returned after a restore', $1, $2, case when $2 is null then $3 end, 'receipt')
    returning * into erasure;
    perform privacy.carry_out(erasure);
    return true;
end
$$;
comment on function privacy.erase_returned(uuid, uuid, text) is
'Erases one person again whom privacy.returned() names; says whether it did: money that is held keeps them.';

create function privacy.digest_of(dag_id text, run_id text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select encode(sha256(convert_to(coalesce(string_agg(asked.erasure_id::text, ' ' order by asked.erasure_id), ''), 'UTF8')), 'hex')
    from privacy.erasure as asked
    where asked.dag_id = $1 and asked.run_id = $2
$$;
comment on function privacy.digest_of(text, text) is
'Digest of the erasures that a run asks for; rows are never changed before they are done, so their ids stand for them.';

-- As the owner, because the DAGs write no hashes themselves.
create function privacy.add_erased_identity(organization_id uuid, customer_id uuid, identity_kind text, identity_value text) returns void
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    insert into privacy.erased_key (key_hash, erasure_id, is_original)
    select
        privacy.key_hash($1, $3, $4),
        erased.erasure_id,
        false
    from privacy.erased_key as erased
    where
        erased.key_hash = privacy.key_hash($1, 'id', $2::text)
        and erased.allowed_at is null
        and $3 <> 'id'
        and not exists (
            select
            from sync.roster as known
            where
                known.organization_id = $1
                and known.identity_kind = $3
                and known.identity_value = $4
                and known.customer_id is not null
                and known.customer_id <> $2
        )
        and not exists (
            select
            from syrve.customer as mirrored
            where mirrored.organization_id = $1 and $3 = 'phone' and mirrored.phone = $4 and not mirrored.is_deleted
        )
    on conflict do nothing
$$;
comment on function privacy.add_erased_identity(uuid, uuid, text, text) is
'Notes another identity of an erased customer, as a look-up found it; none that leads to a customer whom the mirror has.';

create function privacy.allow_again(organization_id uuid, identity_kind text, identity_value text) returns boolean
language sql
set search_path = pg_catalog, pg_temp
as $$
    with allowed as (
        update privacy.erased_key as erased
        set allowed_at = clock_timestamp()
        where erased.key_hash = privacy.key_hash($1, $2, $3) and erased.allowed_at is null
        returning erased.key_hash
    )

    select exists (select from allowed)
$$;
comment on function privacy.allow_again(uuid, text, text) is
'Lets one identity be imported again: of a person who wants to be a customer again, or a phone that another person has now. For the owner.';

create function privacy.erased_customers(organization_ids uuid[], customer_ids uuid[])
returns table (organization_id uuid, customer_id uuid)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select
        asked.organization_id,
        asked.customer_id
    from unnest($1, $2) as asked (organization_id, customer_id)
    where privacy.is_erased(asked.organization_id, 'id', asked.customer_id::text)
$$;
comment on function privacy.erased_customers(uuid[], uuid[]) is
'Which of these customers were erased. The caller keeps erasures waiting until its transaction ends.';

-- As the owner, because receipts are append-only for the DAGs.
create function privacy.prune_unanswered(days integer) returns bigint
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    with removed as (
        delete from privacy.erasure as asked
        where asked.erased_at is null and asked.asked_at < now() - make_interval(days => greatest($1, 7))
        returning asked.erasure_id
    )

    select count(*) from removed
$$;
comment on function privacy.prune_unanswered(integer) is
'Removes erasures that were asked for and not carried out within that many days, at least 7.';

-- As the owner, because the DAGs delete none themselves.
create function sync.prune_backfills(days integer, batch_rows integer) returns bigint
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    with old as (
        select done.backfill_id
        from sync.backfill as done
        where
            done.finished_at < now() - make_interval(days => greatest($1, 7))
            and not exists (select from sync.roster as known where known.backfill_id = done.backfill_id)
        limit $2
    ),

    removed as (
        delete from sync.backfill as done
        using old
        where done.backfill_id = old.backfill_id
        returning done.backfill_id
    )

    select count(*) from removed
$$;
comment on function sync.prune_backfills(integer, integer) is
'Removes backfills that ended more than that many days ago, at least 7.';

-- As the owner, likewise. What a person decided about a push holds as long as the CRM wants just that, so its breaker stays.
create function sync.prune_breakers(days integer, batch_rows integer) returns bigint
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    with old as (
        select done.breaker_id
        from sync.breaker as done
        where
            done.decided_at < now() - make_interval(days => greatest($1, 7))
            and not exists (select from crm.push_held_back as held where held.breaker_id = done.breaker_id)
        limit $2
    ),

    removed as (
        delete from sync.breaker as done
        using old
        where done.breaker_id = old.breaker_id
        returning done.breaker_id
    )

    select count(*) from removed
$$;
comment on function sync.prune_breakers(integer, integer) is
'Removes breakers that were decided more than that many days ago, at least 7, with what they held of a pull; not those that a push still goes by.';

-- As the owner, because the DAGs make no tables.
create function syrve.add_partitions(years_ahead integer default 3) returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    versions text;
    ended_in integer;
    added integer := 0;
begin
    foreach versions in array array['customer_version', 'wallet_balance_version', 'card_version', 'customer_category_version'] loop
        for ended_in in extract(year from now())::integer..extract(year from now())::integer + least(years_ahead, 10) loop
            continue when to_regclass(format('syrve.%I', versions || '_' || ended_in)) is not null;
            -- Attached, and not created as a partition: that would wait for every reader of the history, analysts too, and all others for it.
            execute format('create table syrve.%I (like syrve.%I including all)', versions || '_' || ended_in, versions);
            execute format(
                'alter table syrve.%I attach partition syrve.%I for values from (%L) to (%L)',
                versions, versions || '_' || ended_in, make_timestamptz(ended_in, 1, 1, 0, 0, 0, 'UTC'),
                make_timestamptz(ended_in + 1, 1, 1, 0, 0, 0, 'UTC')
            );
            execute format('comment on table syrve.%I is %L', versions || '_' || ended_in, 'Versions that ended in ' || ended_in || ' (UTC).');
            added := added + 1;
        end loop;
    end loop;
    return added;
end
$$;
comment on function syrve.add_partitions(integer) is
'Adds partitions of the history for this year and the next ones, if they are missing; says how many.';
