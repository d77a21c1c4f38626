drop table sync.planning_start;
