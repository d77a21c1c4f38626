drop view wallet.operation_state;
drop table wallet.operation_event;
drop table wallet.operation;
drop function wallet.refuse_illegal_events();
