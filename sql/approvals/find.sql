-- The question of a run about a content, with its decision.
select
    approval.approval_id::text,
    approval.rows,
    approval.amount,
    approval.requested_by,
    approval.answer_until,
    approval.state,
    coalesce(approval.decided_by, approval.decided_by_id) as decided_by
from sync.approval_state as approval
where
    approval.kind = %(kind)s
    and approval.dag_id = %(dag_id)s
    and approval.run_id = %(run_id)s
    and approval.subject = %(subject)s
    and approval.digest = %(digest)s;
