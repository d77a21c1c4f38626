-- Sums the plan up, and gives the counts.
insert into crm.push_plan_summary (
    plan_id, run_id, is_dry_run, considered, creates, updates, memberships, conflicts, asking, refused, waiting, agreed, fields,
    held_back
)
select
    %(plan_id)s as number_of_plan,
    %(run_id)s as run,
    %(is_dry_run)s as only_looked_at,
    (select count(*) from staging_subject) as considered,
    (select count(*) from crm.push_plan where plan_id = %(plan_id)s and action = 'create') as creates,
    (select count(*) from crm.push_plan where plan_id = %(plan_id)s and action = 'update') as updates,
    (
        select count(*)
        from crm.push_plan as planned, jsonb_object_keys(planned.changes) as change (key)
        where planned.plan_id = %(plan_id)s and strpos(change.key, ':') > 0
    ) as memberships,
    (select count(*) from staging_field_change where verdict = 'conflict') as conflicts,
    (select count(*) from staging_field_change where outcome = 'waits') as asking,
    (select count(*) from staging_subject where kind = 'refused') as refused,
    (select count(*) from staging_subject where kind = 'waits') as waiting,
    (
        select count(*)
        from staging_subject as subject
        where
            subject.kind = 'update'
            and not exists (select 1 from staging_field_change as change where change.crm_id = subject.crm_id and change.is_sent)
    ) as agreed,
    (
        select coalesce(jsonb_object_agg(counted.field, counted.customers), '{}')
        from (
            select
                split_part(change.key, ':', 1) as field,
                count(distinct planned.crm_id) as customers
            from crm.push_plan as planned, jsonb_object_keys(planned.changes) as change (key)
            where planned.plan_id = %(plan_id)s
            group by split_part(change.key, ':', 1)
        ) as counted
    ) as fields,
    (select count(distinct crm_id) from staging_held) as held_back
returning considered, creates, updates, memberships, conflicts, asking, refused, waiting, agreed, held_back, fields;
