-- depends: 0016.wallet-order-balance
-- Campaigns of top-ups: each list that was given for a campaign is a version, and only the latest may be sent; append-only.

create table wallet.campaign_version (
    campaign text not null check (campaign <> ''),
    version integer not null check (version > 0),
    digest text not null check (digest ~ '^[0-9a-f]{64}$'),
    is_given_up boolean not null default false,
    rows bigint not null check (rows >= 0),
    amount numeric not null check (amount >= 0),
    rejected_rows bigint not null check (rejected_rows >= 0),
    run_id text not null,
    planned_at timestamptz not null default clock_timestamp(),
    primary key (campaign, version),
    constraint given_up_campaign_is_empty check (not is_given_up or rows = 0)
);
comment on table wallet.campaign_version is
'Versions of the lists of top-up campaigns; append-only. Only the rows of the latest version may be sent, and only once they are approved.';
comment on column wallet.campaign_version.campaign is 'Id of the campaign.';
comment on column wallet.campaign_version.version is 'Counts from 1; a list with the same content as the latest version is that version.';
comment on column wallet.campaign_version.digest is 'SHA-256 of its rows, in hex.';
comment on column wallet.campaign_version.is_given_up is 'Whether it says that the campaign was given up: it has no rows.';
comment on column wallet.campaign_version.rows is 'Rows of the list that could be imported.';
comment on column wallet.campaign_version.amount is 'Their amounts together, in the wallets'' currency.';
comment on column wallet.campaign_version.rejected_rows is 'Rows of the list that could not be imported; see sync.reject, entity topup.';
comment on column wallet.campaign_version.run_id is 'Airflow''s run that planned it first.';
comment on column wallet.campaign_version.planned_at is 'When.';

create table wallet.campaign_row (
    campaign text not null,
    version integer not null,
    row_key text not null,
    organization_id uuid not null,
    customer_id uuid not null,
    wallet_id uuid not null,
    amount numeric not null check (amount > 0),
    comment text,
    primary key (campaign, version, row_key),
    foreign key (campaign, version) references wallet.campaign_version (campaign, version)
);
comment on table wallet.campaign_row is 'Rows of a version of a campaign''s list; append-only.';
comment on column wallet.campaign_row.campaign is 'Id of the campaign.';
comment on column wallet.campaign_row.version is 'Version of its list.';
comment on column wallet.campaign_row.row_key is
'Names the row within the campaign: organization and the list''s key, else customer and wallet. Credited at most once.';
comment on column wallet.campaign_row.organization_id is 'Organization of the customer.';
comment on column wallet.campaign_row.customer_id is 'Customer to be credited.';
comment on column wallet.campaign_row.wallet_id is 'Wallet to be credited.';
comment on column wallet.campaign_row.amount is 'Amount to credit, in the wallet''s currency.';
comment on column wallet.campaign_row.comment is 'Sent along with the top-up.';
