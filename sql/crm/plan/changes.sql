-- The three-way comparison, a row for each field that the CRM manages: what it wants, what was agreed, what Syrve has. Customers who are the
-- same on both sides are settled already (same.sql).
--
-- verdict   equal     both sides have the same: agreed without a call
--           remote    only Syrve changed: nothing to push, shown in crm.remote_change; but a no to messages stands against a later yes
--           push      only the CRM changed, or Syrve has nothing there yet
--           conflict  both changed, or nothing was agreed and they differ: outcome says who wins
--           skip      nothing to do for a customer who is still to be created
--
-- Where a push has been acknowledged and no look-up has shown it yet, the mirror is older than the agreement, which then stands for it. So
-- it does for programmes: Syrve shows at most one of them.
insert into staging_field_change (crm_id, key, field, wanted, has_agreed, agreed, actual, mirrored, policy, verdict, outcome, is_sent)
with change as (
    select
        subject.*,
        each_field.key,
        split_part(each_field.key, ':', 1) as field,
        each_field.value as wanted,
        subject.agreed ? each_field.key as has_agreed,
        subject.agreed ->> each_field.key as agreed_value,
        coalesce(state.fields ->> each_field.key, case when strpos(each_field.key, ':') > 0 then 'false' end) as actual
    from staging_subject as subject
    inner join crm.desired_state as desired on subject.crm_id = desired.crm_id
    left join crm.syrve_state as state
        on subject.organization_id = state.organization_id and subject.customer_id = state.customer_id
    cross join lateral jsonb_each_text(desired.fields) as each_field
    where
        subject.kind in ('create', 'update')
        and not exists (select 1 from staging_same as same where same.crm_id = subject.crm_id)
),

compared as (
    select
        change.*,
        case
            when coalesce(change.pushed ? change.key, false) and change.has_agreed then change.agreed_value
            when change.field = 'program' and change.actual = 'false' and change.has_agreed then change.agreed_value
            else change.actual
        end as mirrored
    from change
),

judged as (
    select
        compared.*,
        coalesce(policy.policy, 'ask') as policy,
        case
            when compared.kind = 'create'
                then
                    case
                        when compared.wanted is null or (compared.actual = 'false' and compared.wanted = 'false') then 'skip'
                        else 'push'
                    end
            when (compared.wanted is not distinct from compared.mirrored) then 'equal'
            when
                compared.has_agreed
                and (compared.wanted is not distinct from compared.agreed_value)
                and (coalesce(policy.policy, 'ask') <> 'narrower' or compared.wanted <> 'false')
                then 'remote'
            when compared.has_agreed and (compared.mirrored is not distinct from compared.agreed_value) then 'push'
            when
                not compared.has_agreed
                and coalesce(policy.policy, 'ask') <> 'syrve'
                and (
                    compared.mirrored is null
                    or (compared.field = 'sex' and compared.mirrored = 'not_specified')
                    or (strpos(compared.key, ':') > 0 and compared.mirrored = 'false')
                )
                then 'push'
            else 'conflict'
        end as verdict
    from compared
    left join crm.field_policy as policy on compared.field = policy.field
),

decided as (
    select
        judged.*,
        case
            when judged.verdict <> 'conflict' then null
            when open.decision is not null then open.decision
            when judged.policy in ('crm', 'syrve') then judged.policy
            when judged.policy = 'newest' then case when (judged.field_changed_at ->> judged.key)::timestamptz >= judged.edited_at then 'syrve' else 'crm' end
            when judged.policy = 'narrower' then case when judged.wanted = 'false' then 'crm' else 'syrve' end
            else 'waits'
        end as outcome
    from judged
    left join crm.conflict as open
        on
            judged.crm_id = open.crm_id
            and judged.key = open.field
            and open.closed_at is null
            and judged.wanted is not distinct from open.crm_value
            and judged.mirrored is not distinct from open.syrve_value
)

select
    crm_id,
    key,
    field,
    wanted,
    has_agreed,
    agreed_value,
    actual,
    mirrored,
    policy,
    verdict,
    outcome,
    verdict = 'push' or coalesce(outcome = 'crm', false) as is_sent
from decided;

-- Syrve turns promotional messages on for new guests unless told otherwise: guests whose consent the CRM does not state do not get them.
insert into staging_field_change (crm_id, key, field, wanted, has_agreed, verdict, is_sent)
select
    subject.crm_id,
    'receives_promo' as key,
    'receives_promo' as field,
    'false' as wanted,
    false as has_agreed,
    'push' as verdict,
    true as is_sent
from staging_subject as subject
where subject.kind = 'create'
on conflict (crm_id, key) do nothing;
