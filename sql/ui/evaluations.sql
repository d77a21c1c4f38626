-- The newest evaluation of each organization.
select
    coalesce(organization.name, organization.organization_id::text) as organization_name,
    (
        select max(evaluation.as_of)
        from wallet.finding_evaluation as evaluation
        where evaluation.organization_id = organization.organization_id
    ) as as_of
from syrve.organization as organization
order by organization_name
limit 100;
