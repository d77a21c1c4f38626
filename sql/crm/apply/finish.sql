-- Closes a row of the plan, gives its lease back, and says when a row that failed goes again: later and later, until its data change.
-- A refusal of the same kind is counted; gives that count.
update crm.push_plan
set state = %(state)s, reason = %(reason)s, finished_at = now()
where plan_id = %(plan_id)s and crm_id = %(crm_id)s;

update crm.push_state as known
set
    lease = null,
    leased_until = null,
    failures = case
        when %(state)s in ('pushed', 'linked') then 0
        when %(state)s in ('failed', 'refused') then known.failures + 1
        else known.failures
    end,
    refusals = case
        when %(state)s in ('pushed', 'linked') then 0
        when %(state)s = 'refused' then case when known.refusal = %(refusal)s then known.refusals + 1 else 1 end
        else known.refusals
    end,
    refusal = case
        when %(state)s in ('pushed', 'linked') then null
        when %(state)s = 'refused' then %(refusal)s
        else known.refusal
    end,
    tried_edit = planned.edited_at,
    tried_memberships = planned.memberships_edited_at,
    retry_at = case
        when %(state)s in ('failed', 'refused')
            then
                now()
                + make_interval(
                    secs => least(%(ceiling_seconds)s, %(retry_seconds)s * power(2, least(known.failures, 16))) * (0.95 + 0.1 * random())
                )
    end
from crm.push_plan as planned
where planned.plan_id = %(plan_id)s and planned.crm_id = %(crm_id)s and known.crm_id = planned.crm_id and known.lease = %(lease)s
returning known.refusals;
