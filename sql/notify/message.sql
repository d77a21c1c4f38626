-- Records a message that a channel took.
insert into wallet.notification (
    channel, as_of, opened_count, raised_count, amount_changed_count, closed_count, passed_count, run_id
)
values (
    %(channel)s,
    %(as_of)s,
    %(opened)s,
    %(raised)s,
    %(amount_changed)s,
    %(closed)s,
    %(passed)s,
    %(run_id)s
)
returning notification_id::text;
