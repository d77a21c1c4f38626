drop view wallet.operation_state;
drop table wallet.operation_event;
drop table wallet.operation;
drop table wallet.payment_event;
drop table wallet.payment;
drop function wallet.refuse_illegal_events();
