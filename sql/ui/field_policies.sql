-- Whose value of a field holds where both sides changed it.
select field, policy from crm.field_policy
order by field;
