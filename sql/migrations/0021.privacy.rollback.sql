drop function sync.prune_backfills(integer, integer);
drop function syrve.add_partitions(integer);
drop trigger erased_stay_away on sync.roster;
drop trigger erased_stay_away on syrve.customer;
drop trigger erased_stay_away on crm.customer;
drop trigger erased_stay_away_insert on sync.reject;
drop trigger erased_stay_away_update on sync.reject;
drop schema privacy cascade;
drop table secret.erasure_key;
