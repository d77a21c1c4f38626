drop table wallet.finding_told;
drop table wallet.notification;
