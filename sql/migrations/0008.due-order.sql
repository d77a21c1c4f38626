-- depends: 0007.history
-- Whom to look up next: tiers, settings by organization, and the CRM's edits.

alter table sync.roster add column active_until timestamptz;
comment on column sync.roster.active_until is
'Until then the customer counts as active (their wallet moved, or a hold is open) and belongs to syrve_balances; null is everybody else.';
alter table sync.roster add column confirmed_at timestamptz;
update sync.roster set confirmed_at = checked_at where outcome = 'found';
comment on column sync.roster.confirmed_at is
'Time of the last answer that told how customer_id is: found under this identity or, for their id, no longer known. Older answers count no more.';
-- Each look-up updates its row twice; with room on the page, taking a lease stays off the indexes.
alter table sync.roster set (fillfactor = 80);
-- Planning counts what is due, by tier, without reading the rows.
drop index sync.roster_due;
create index roster_due on sync.roster (organization_id, priority desc, due_at) include (active_until);
create index roster_active on sync.roster (organization_id, due_at) where active_until is not null;

create function sync.lease_is_held(lease integer, lease_class integer) returns boolean
language sql volatile
as $$
    select exists (
        select
        from pg_locks
        where
            locktype = 'advisory'
            and classid = lease_class::bigint::oid
            and objid = lease::bigint::oid
            and objsubid = 2
            and granted
            and database = (select oid from pg_database where datname = current_database())
    )
$$;
comment on function sync.lease_is_held(integer, integer) is
'Whether the task of a lease lives at this moment: read anew at every call, where a query reads pg_locks once.';

create table sync.refresh_policy (
    organization_id uuid primary key,
    floor_seconds integer check (floor_seconds > 0),
    ceiling_seconds integer check (ceiling_seconds > 0),
    not_found_ceiling_seconds integer check (not_found_ceiling_seconds > 0),
    active_floor_seconds integer check (active_floor_seconds > 0),
    active_for_seconds integer check (active_for_seconds >= 0),
    check (floor_seconds <= ceiling_seconds)
);
comment on table sync.refresh_policy is
'How often the customers of an organization are looked up, where that is not as the project has it; a null takes the default.';
comment on column sync.refresh_policy.organization_id is 'Organization concerned.';
comment on column sync.refresh_policy.floor_seconds is 'Distance to the next look-up after a change; default 6 hours.';
comment on column sync.refresh_policy.ceiling_seconds is 'Where the distance stops doubling while nothing changes; default 7 days.';
comment on column sync.refresh_policy.not_found_ceiling_seconds is 'The same for identities under which nothing is known; default 30 days.';
comment on column sync.refresh_policy.active_floor_seconds is 'Distance to the next look-up after a wallet moved; default 15 minutes.';
comment on column sync.refresh_policy.active_for_seconds is 'How long a customer counts as active after a wallet moved; default 2 days, 0 turns the tier off.';

alter table syrve.organization add column account text;
comment on column syrve.organization.account is 'Account (sync.call_budget) whose api login lists the organization.';

alter table crm.customer add column edited_at timestamptz not null default now();
comment on column crm.customer.edited_at is 'When the row was last written with another content; kept by a trigger.';
create index customer_edited_at on crm.customer (edited_at);

create function crm.note_edit() returns trigger
language plpgsql
as $$
begin
    new.edited_at := clock_timestamp();
    return new;
end
$$;
comment on function crm.note_edit() is 'Moves edited_at.';

-- customer_id is not among them: the push writes it, and that is no edit.
create trigger note_edit before update on crm.customer
for each row
when (
    (
        old.organization_id, old.phone, old.name, old.surname, old.middle_name, old.email, old.birthday, old.sex, old.receives_order_status,
        old.receives_promo
    )
    is distinct from (
        new.organization_id, new.phone, new.name, new.surname, new.middle_name, new.email, new.birthday, new.sex, new.receives_order_status,
        new.receives_promo
    )
)
execute function crm.note_edit();

do $$
begin
    if exists (select from pg_roles where rolname = 'syrve_loader') then
        grant select on sync.refresh_policy to syrve_loader;
    end if;
    if exists (select from pg_roles where rolname = 'syrve_ops') then
        grant select, insert, update, delete on sync.refresh_policy to syrve_ops;
    end if;
end
$$;
