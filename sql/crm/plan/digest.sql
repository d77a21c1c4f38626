-- The digest of the exact changes of a plan, and how many customers it sends: what a person approves. What apply writes into the rows later is no
-- part of it.
select
    encode(
        sha256(
            coalesce(
                string_agg(
                    sha256(convert_to(jsonb_build_array(crm_id, organization_id, action, phone, changes)::text, 'UTF8')),
                    ''::bytea
                    order by crm_id
                ),
                ''::bytea
            )
        ),
        'hex'
    ) as digest,
    count(*) as customers
from crm.push_plan
where plan_id = %(plan_id)s;
