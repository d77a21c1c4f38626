drop table sync.call_budget;
