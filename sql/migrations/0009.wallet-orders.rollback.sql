drop function wallet.hold_had_lowered_balance(uuid);
drop table wallet.operation_look;
drop table wallet.transaction_bookmark;
drop view wallet.repeated_transaction;
drop table wallet.transaction;
drop table wallet.payment_order;
drop table wallet.payment_order_version;
drop function wallet.keep_order_version();
