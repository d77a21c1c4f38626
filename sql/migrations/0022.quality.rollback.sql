drop trigger forget_check_results on privacy.erasure;
drop function privacy.forget_check_results();
drop table sync.check_result;
