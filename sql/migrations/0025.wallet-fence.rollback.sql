drop view wallet.restore_suspect;
drop trigger a_fence on wallet.operation_event;
drop function wallet.stop_at_fence();
drop function wallet.ledger_server();
drop view wallet.closed_fence;
drop table wallet.fence_lift;
drop table wallet.fence;
drop table wallet.epoch;
drop table wallet.ledger;
