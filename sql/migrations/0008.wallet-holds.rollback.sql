drop trigger c_unsettled on wallet.operation_event;
drop trigger b_holds on wallet.operation_event;
drop view wallet.open_hold;
drop table wallet.unsettled_operation;
drop table wallet.hold;
drop function wallet.follow_unsettled();
drop function wallet.follow_holds();
drop function wallet.ending_agrees(wallet.operation, wallet.operation);
drop function wallet.lock_holds(uuid[]);
