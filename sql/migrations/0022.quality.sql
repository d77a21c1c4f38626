-- depends: 0021.privacy
-- What the checks of data quality found.

create table sync.check_result (
    run_id text not null,
    check_name text not null,
    failures bigint not null check (failures >= 0),
    examples jsonb not null check (jsonb_typeof(examples) = 'array'),
    seconds numeric not null,
    checked_at timestamptz not null default now(),
    primary key (run_id, check_name)
);
create index check_result_checked_at on sync.check_result (check_name, checked_at);
comment on table sync.check_result is 'Results of the checks of sql/checks, written by syrve_checks: one row per run and check. Holds ids, no personal data.';
comment on column sync.check_result.run_id is 'Airflow''s run id.';
comment on column sync.check_result.check_name is 'The check: a file of sql/checks.';
comment on column sync.check_result.failures is 'How many rows failed; 0 is passed.';
comment on column sync.check_result.examples is 'The first of them: [{subject: [ids], detail: text}].';
comment on column sync.check_result.seconds is 'How long the check took.';
comment on column sync.check_result.checked_at is 'When it was made last in this run.';

-- Examples name customers by their ids: those of a person who is erased go with them.
create function privacy.forget_check_results() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    update sync.check_result as kept
    set
        examples = (
            select coalesce(jsonb_agg(example.found order by example.place), '[]')
            from jsonb_array_elements(kept.examples) with ordinality as example (found, place)
            where strpos(example.found::text, old.customer_id::text) = 0
        )
    where strpos(kept.examples::text, old.customer_id::text) > 0;
    return null;
end
$$;
comment on function privacy.forget_check_results() is 'Takes the examples that name an erased customer out of the results of checks.';
create trigger forget_check_results after update of erased_at on privacy.erasure
for each row when (old.customer_id is not null and old.erased_at is null and new.erased_at is not null)
execute function privacy.forget_check_results();

-- As the owner, because the DAGs write results of checks, and delete none.
create function sync.prune_check_results(days integer, batch_rows integer) returns bigint
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    with old as (
        select
            made.run_id,
            made.check_name
        from sync.check_result as made
        where made.checked_at < now() - make_interval(days => greatest($1, 7))
        limit $2
    ),

    removed as (
        delete from sync.check_result as made
        using old
        where made.run_id = old.run_id and made.check_name = old.check_name
        returning made.run_id
    )

    select count(*) from removed
$$;
comment on function sync.prune_check_results(integer, integer) is 'Removes results of checks that were made more than that many days ago, at least 7.';
