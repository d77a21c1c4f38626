drop table sync.check_result;
