-- The latest version of a campaign's list.
select
    latest.version,
    latest.digest,
    latest.is_given_up,
    latest.rejected_rows
from wallet.campaign_version as latest
where latest.campaign = %(campaign)s
order by latest.version desc
limit 1;
