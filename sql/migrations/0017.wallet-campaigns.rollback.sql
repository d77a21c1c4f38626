drop table wallet.campaign_row;
drop table wallet.campaign_version;
