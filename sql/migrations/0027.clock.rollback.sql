drop function sync.put_times_right();
