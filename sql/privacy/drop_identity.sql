-- Takes an identity off the roster that has turned out to lead to an erased customer, and keeps it off.
with noted as (
    select privacy.add_erased_identity(%(organization_id)s::uuid, %(customer_id)s::uuid, %(identity_kind)s, %(identity_value)s) as done
)

delete from sync.roster as known
using noted
where
    known.organization_id = %(organization_id)s::uuid
    and known.identity_kind = %(identity_kind)s
    and known.identity_value = %(identity_value)s;
