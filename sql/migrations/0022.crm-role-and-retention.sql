-- depends: 0021.report
-- A role for the CRM; what releasing a row means; how long plans and attempts are kept; and a comparison that passes over memberships where a
-- row never had any.

create or replace view crm.desired_state as
select
    wished.crm_id,
    wished.organization_id,
    wished.customer_id,
    jsonb_strip_nulls(
        jsonb_build_object(
            'phone', known.phone,
            'name', nullif(btrim(wished.name), ''),
            'surname', nullif(btrim(wished.surname), ''),
            'middle_name', nullif(btrim(wished.middle_name), ''),
            'email', nullif(btrim(wished.email), ''),
            'birthday', wished.birthday::text,
            'sex', wished.sex,
            'receives_order_status', wished.receives_order_status::text,
            'receives_promo', wished.receives_promo::text
        )
    )
    || case
        when wished.clear = '{}' then '{}'
        else coalesce((select jsonb_object_agg(cleared.field, null) from unnest(wished.clear) as cleared (field)), '{}')
    end
    || case
        when wished.memberships_edited_at is null then '{}' -- kept by triggers: it never had a membership
        else
            coalesce(
                (
                    select jsonb_object_agg('category:' || wish.category_id, wish.wanted::text)
                    from crm.customer_category as wish
                    where wish.crm_id = wished.crm_id
                ),
                '{}'
            )
            || coalesce(
                (
                    select jsonb_object_agg('card:' || wish.track, wish.wanted::text)
                    from crm.customer_card as wish
                    where wish.crm_id = wished.crm_id
                ),
                '{}'
            )
            || coalesce(
                (
                    select jsonb_object_agg('program:' || wish.program_id, 'true')
                    from crm.customer_program as wish
                    where wish.crm_id = wished.crm_id
                ),
                '{}'
            )
    end as fields
from crm.customer as wished
left join crm.push_state as known on wished.crm_id = known.crm_id;

-- The CRM may write memberships, and not the time at which it did.
create or replace function crm.note_membership_edit() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update crm.customer
    set memberships_edited_at = clock_timestamp()
    where crm_id in (select edited.crm_id from edited);
    return null;
end
$$;

-- Whoever lets a row go, by whatever way, lets it go at once and with no refusals counted.
create function crm.forget_refusals() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update crm.push_state
    set failures = 0, refusals = 0, refusal = null, retry_at = null
    where crm_id in (select released.crm_id from released);
    return null;
end
$$;
comment on function crm.forget_refusals() is 'Forgets failures and refusals of rows that were let go, so that they are tried at once and like new ones.';

create trigger forget_refusals after delete on crm.push_blocked
referencing old table as released
for each statement execute function crm.forget_refusals();

create function crm.prune_push(plan_days integer, attempt_days integer, batch_rows integer default 10000)
returns table (plan_rows bigint, attempts bigint, plans bigint, conflicts bigint)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if plan_days < 7 or attempt_days < plan_days then
        raise exception 'plans are kept at least 7 days, and attempts at least as long as plans'
            using errcode = 'invalid_parameter_value';
    end if;

    with old as (
        select summary.plan_id
        from crm.push_plan_summary as summary
        where summary.planned_at < now() - make_interval(days => plan_days)
    ),

    doomed as (
        select
            planned.plan_id,
            planned.crm_id
        from crm.push_plan as planned
        inner join old on planned.plan_id = old.plan_id
        where
            planned.attempt is null
            and not exists (
                select 1
                from crm.push_state as known
                where known.crm_id = planned.crm_id and known.leased_until > now()
            )
            and not exists (select 1 from crm.push_blocked as blocked where blocked.crm_id = planned.crm_id)
        limit batch_rows
    )

    delete from crm.push_plan as planned
    using doomed
    where planned.plan_id = doomed.plan_id and planned.crm_id = doomed.crm_id;
    get diagnostics plan_rows = row_count;

    with old as (
        select summary.plan_id
        from crm.push_plan_summary as summary
        where summary.planned_at < now() - make_interval(days => attempt_days)
    ),

    doomed as (
        select tried.push_id
        from crm.push as tried
        inner join old on tried.plan_id = old.plan_id
        where
            tried.recorded_at < now() - make_interval(days => attempt_days)
            and not exists (
                select 1
                from crm.push_plan as planned
                where planned.plan_id = tried.plan_id and planned.crm_id = tried.crm_id
            )
            and not exists (select 1 from crm.push_blocked as blocked where blocked.crm_id = tried.crm_id)
        limit batch_rows
    )

    delete from crm.push as tried
    using doomed
    where tried.push_id = doomed.push_id;
    get diagnostics attempts = row_count;

    delete from crm.push_plan_summary as summary
    where
        summary.planned_at < now() - make_interval(days => attempt_days)
        and not exists (select 1 from crm.push_plan as planned where planned.plan_id = summary.plan_id)
        and not exists (select 1 from crm.push as tried where tried.plan_id = summary.plan_id);
    get diagnostics plans = row_count;

    with doomed as (
        select closed.conflict_id
        from crm.conflict as closed
        where closed.closed_at < now() - make_interval(days => attempt_days)
        limit batch_rows
    )

    delete from crm.conflict as closed
    using doomed
    where closed.conflict_id = doomed.conflict_id;
    get diagnostics conflicts = row_count;

    return next;
end
$$;
revoke all on function crm.prune_push(integer, integer, integer) from public;
comment on function crm.prune_push(integer, integer, integer) is
'Deletes up to batch_rows rows each of what the push no longer needs: rows of plans older than plan_days, attempts, summaries and closed conflicts older than attempt_days. Keeps what is under way, leased, or waits in crm.push_blocked; never touches crm.push_state. Call it until it gives zeros.';

do $$
begin
    if exists (select from pg_roles where rolname = 'syrve_loader') then
        grant execute on function crm.prune_push(integer, integer, integer) to syrve_loader;
    end if;
    if not exists (select from pg_roles where rolname = 'syrve_crm') then
        begin
            create role syrve_crm nologin;
        exception
            when insufficient_privilege then
                raise notice 'role syrve_crm is missing and could not be created';
            when duplicate_object or unique_violation then
                null;
        end;
    end if;
    if exists (select from pg_roles where rolname = 'syrve_crm') then
        grant usage on schema crm to syrve_crm;
        grant select, delete on crm.customer to syrve_crm;
        grant
        insert (
            crm_id, organization_id, customer_id, phone, name, surname, middle_name, email, birthday, sex, receives_order_status, receives_promo,
            clear
        ),
        update (
            organization_id, customer_id, phone, name, surname, middle_name, email, birthday, sex, receives_order_status, receives_promo, clear
        )
        on crm.customer to syrve_crm;
        grant select, insert, update, delete on crm.customer_category, crm.customer_card, crm.customer_program to syrve_crm;
        grant select on crm.field_policy, crm.remote_change, crm.conflict, crm.push_blocked, crm.push, crm.push_plan_summary to syrve_crm;
    end if;
end
$$;
