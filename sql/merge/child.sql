-- Updates one list of the customers that differ: rows that the answer's list no longer has are removed (an answer without the list removes
-- nothing), new and different rows are written, and each superseded version goes to the history.
-- The same statement serves every plain list. `syrve/customers/children.py` fills in the names; for cards: child = card, staging =
-- staging_card, version = card_version, key = card_id, columns = track, number, valid_to.
with gone as (
    delete from syrve.%(child)s as mirrored
    using staging_merged as merged
    where
        not merged.is_new
        and mirrored.organization_id = merged.organization_id
        and mirrored.customer_id = merged.customer_id
        and not exists (
            select 1
            from %(staging)s as staged
            where
                staged.organization_id = mirrored.organization_id
                and staged.customer_id = mirrored.customer_id
                and staged.%(key)s = mirrored.%(key)s
        )
        and not exists (
            select 1
            from staging_absent as absent
            where
                absent.organization_id = mirrored.organization_id
                and absent.customer_id = mirrored.customer_id
                and absent.list = '%(list)s'
        )
    returning mirrored.*, merged.fetched_at as ended_at
),

different as (
    select
        mirrored.*,
        merged.fetched_at as ended_at
    from %(staging)s as staged
    inner join staging_merged as merged
        on staged.organization_id = merged.organization_id and staged.customer_id = merged.customer_id
    inner join syrve.%(child)s as mirrored
        on
            staged.organization_id = mirrored.organization_id
            and staged.customer_id = mirrored.customer_id
            and staged.%(key)s = mirrored.%(key)s
    where
        not merged.is_new
        and (%(mirrored_columns)s) is distinct from (%(staged_columns)s)
),

kept as (
    insert into syrve.%(version)s (organization_id, customer_id, %(key)s, %(version_columns)s, valid_from, valid_to)
    select organization_id, customer_id, %(key)s, %(columns)s, changed_at, ended_at from gone
    union all
    select organization_id, customer_id, %(key)s, %(columns)s, changed_at, ended_at from different
    returning organization_id, customer_id
),

written as (
    insert into syrve.%(child)s as mirrored (organization_id, customer_id, %(key)s, %(columns)s, changed_at)
    select
        staged.organization_id,
        staged.customer_id,
        staged.%(key)s,
        %(staged_columns)s,
        merged.fetched_at as changed_at
    from %(staging)s as staged
    inner join staging_merged as merged
        on staged.organization_id = merged.organization_id and staged.customer_id = merged.customer_id
    where not merged.is_new
    on conflict (organization_id, customer_id, %(key)s) do update
        set (%(columns)s, changed_at) = (%(excluded_columns)s, excluded.changed_at)
        where (%(mirrored_columns)s) is distinct from (%(excluded_columns)s)
    returning mirrored.organization_id, mirrored.customer_id
)

select (select count(*) from kept) + (select count(*) from written) as touched;
