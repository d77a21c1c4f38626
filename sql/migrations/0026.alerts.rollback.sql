drop function wallet.prune_notifications(integer, integer);
drop function sync.prune_audit(integer, integer);
drop function sync.prune_alerts(integer, integer);
drop table sync.alert;
