-- Records a mass change that lands all the same; once for each run.
insert into sync.breaker (organization_id, kind, field, run_id, looked, affected, allowed, decision, decided_at)
values (%(organization_id)s, %(kind)s, %(field)s, %(run_id)s, %(looked)s, %(affected)s, %(allowed)s, 'landed', now())
on conflict (organization_id, kind, field, run_id) where decision = 'landed' do nothing;
