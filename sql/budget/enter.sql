-- Takes one place of those for calls under way. The inner select keeps to its order and is read a row at a time, so no more than one lock is taken; a place
-- that this connection holds already would be given to it again.
select free.place
from (
    select each.place
    from generate_series(1, %(most)s) as each (place)
    where each.place <> all(%(held)s::integer[])
    offset 0  -- noqa: AM09
) as free
where pg_try_advisory_lock(%(class)s, hashtext(%(key)s || free.place::text))
limit 1;  -- noqa: AM09
