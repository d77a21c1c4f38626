drop function sync.prune_check_results(integer, integer);
drop table sync.check_result;
