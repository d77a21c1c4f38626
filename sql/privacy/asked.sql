-- What a run asks for: its digest, how many people, how many of them are erased already.
select
    privacy.digest_of(%(run_id)s) as digest,
    count(*) as people,
    count(asked.erased_at) as erased
from privacy.erasure as asked
where asked.run_id = %(run_id)s;
