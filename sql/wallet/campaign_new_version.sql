-- Writes a version of a campaign's list down; its rows follow.
insert into wallet.campaign_version (campaign, version, digest, is_given_up, rows, amount, rejected_rows, run_id)
values (
    %(campaign)s,
    %(version)s,
    %(digest)s,
    %(is_given_up)s,
    %(rows)s,
    %(amount)s,
    %(rejected_rows)s,
    %(run_id)s
);
