drop trigger forget_check_results on privacy.erasure;
drop function privacy.forget_check_results();
drop function sync.prune_check_results(integer, integer);
drop table sync.check_result;
