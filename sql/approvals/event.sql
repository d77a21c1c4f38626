-- Adds an answer to a question, with the digest and the name of the question's own row; adds nothing if it was decided since.
insert into sync.approval_event (
    approval_id, sequence, state, digest, requested_by, decided_by_id, decided_by, is_self_approval_allowed, amount, reason
)
select
    approval.approval_id,
    coalesce(
        (
            select max(former.sequence)
            from sync.approval_event as former
            where former.approval_id = approval.approval_id
        ),
        0
    )
    + 1 as sequence,
    %(state)s as answer_state,
    approval.digest,
    approval.requested_by,
    %(decided_by_id)s as answered_by_id,
    %(decided_by)s as answered_by,
    %(is_self_approval_allowed)s as allows_self,
    %(amount)s as approved_amount,
    %(reason)s as answer_reason
from sync.approval as approval
where approval.approval_id = %(approval_id)s
on conflict do nothing
returning sequence;
