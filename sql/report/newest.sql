-- The newest moment as of which findings were evaluated.
select max(as_of) as as_of
from wallet.finding_evaluation
where %(organization_ids)s::uuid[] is null or organization_id = any(%(organization_ids)s::uuid[]);
