drop view wallet.release_state;
drop table wallet.release_event;
drop table wallet.release;
