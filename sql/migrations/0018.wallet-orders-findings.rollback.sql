drop table wallet.transaction_bookmark;
drop table wallet.transaction;
drop table wallet.finding_version;
drop table wallet.finding;
drop table wallet.payment_order;
drop table wallet.payment_order_version;
drop function wallet.keep_order_version();
