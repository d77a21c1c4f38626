-- One look-up per customer: an answer counts for every identity that it names, the customer's id and cards. Such an identity is covered: as fresh as the one
-- that was looked up, and due never (`infinity`), as long as another one of the customer is looked up. The phone is never covered: a look-up under it
-- also tells when it has become another customer's. Those made due after the answer, and those that are looked at by the clock, are left as they are.
-- A covered identity is due again at once when no answer vouches for it any more: the answer stopped naming it, the customer was deleted, or the look-up of
-- the one that stood for it did not give the customer (then the first of the covered ones stands in; moved.sql has made the id due if the phone is lost).
-- The rows are locked already (lock.sql), but for those that another transaction has made this customer's since: such a one is left alone if it is
-- locked, because to wait for it here would be out of the order of the key. The other transaction, or the next answer, finds it.
set local random_page_cost to 1.1;

with answered as materialized (
    select
        staged.organization_id,
        staged.customer_id,
        max(staged.checked_at) as checked_at
    from staging_lookup as staged
    where staged.outcome = 'found'
    group by staged.organization_id, staged.customer_id
),

held as materialized (
    select
        answered.organization_id,
        answered.customer_id,
        mine.place,
        mine.identity_kind,
        mine.identity_value,
        mine.due_at,
        mine.priority,
        mine.active_until,
        mine.checked_at,
        mine.confirmed_at,
        mine.changes,
        mine.changed_at,
        mine.exposure_days,
        mine.weight,
        array_position('{phone,id,card,card_number}'::text[], mine.identity_kind) as rank,
        answered.checked_at as answered_at,
        count(*) over (partition by answered.organization_id, answered.customer_id) as identities
    from answered
    inner join lateral (
        select
            roster.*,
            roster.ctid as place
        from sync.roster as roster
        where
            roster.organization_id = answered.organization_id
            and roster.customer_id = answered.customer_id
            and roster.outcome = 'found'
        offset 0  -- noqa: AM09
        for no key update skip locked
    ) as mine on true
),

named as materialized (
    select
        held.*,
        not mirrored.is_deleted
        and case held.identity_kind
            when 'id' then held.identity_value = held.customer_id::text
            when 'phone' then held.identity_value = mirrored.phone
            else exists (
                select
                from syrve.card as card
                where
                    card.organization_id = held.organization_id
                    and card.customer_id = held.customer_id
                    and case held.identity_kind when 'card' then card.track else card.number end = held.identity_value
            )
        end as is_named
    from held
    inner join lateral (
        select
            customer.is_deleted,
            customer.phone
        from syrve.customer as customer
        where customer.organization_id = held.organization_id and customer.customer_id = held.customer_id
        offset 0  -- noqa: AM09
    ) as mirrored on true
    where held.identities > 1 or held.due_at = 'infinity'
),

newest as (
    select distinct on (named.organization_id, named.customer_id) named.*
    from named
    order by named.organization_id asc, named.customer_id asc, named.checked_at desc, named.rank asc, named.identity_value asc
),

ranked as (
    select
        named.*,
        max(named.priority) over (partition by named.organization_id, named.customer_id) as top_priority,
        row_number() over (
            partition by named.organization_id, named.customer_id
            order by coalesce(named.is_named, false) desc, named.rank asc, named.identity_value asc
        ) as turn
    from named
),

lost as (
    select
        failing.organization_id,
        failing.customer_id,
        max(failing.active_until) as active_until
    from (
        select
            staged.organization_id,
            known.active_until,
            case when staged.identity_kind = 'id' then staged.identity_value::uuid else known.customer_id end as customer_id
        from staging_lookup as staged
        inner join lateral (
            select
                roster.customer_id,
                roster.active_until
            from sync.roster as roster
            where
                roster.organization_id = staged.organization_id
                and roster.identity_kind = staged.identity_kind
                and roster.identity_value = staged.identity_value
            offset 0  -- noqa: AM09
        ) as known on true
        where
            staged.outcome <> 'found'
            or (staged.identity_kind = 'id' and staged.identity_value <> staged.customer_id::text)
    ) as failing
    where failing.customer_id is not null
    group by failing.organization_id, failing.customer_id
),

standing_in as (
    select distinct on (lost.organization_id, lost.customer_id)
        covered.*,
        lost.active_until as lost_active_until
    from lost
    inner join lateral (
        select
            roster.*,
            roster.ctid as place
        from sync.roster as roster
        where
            roster.organization_id = lost.organization_id
            and roster.customer_id = lost.customer_id
            and roster.outcome = 'found'
        offset 0  -- noqa: AM09
        for no key update skip locked
    ) as covered on true
    -- One that is looked up anyway comes first, and needs no other to stand in.
    order by
        lost.organization_id asc,
        lost.customer_id asc,
        covered.due_at = 'infinity' asc,
        array_position('{phone,id,card,card_number}'::text[], covered.identity_kind) asc,
        covered.identity_value asc
),

decided as (
    select
        ranked.place,
        'infinity'::timestamptz as due_at,
        ranked.priority,
        null::timestamptz as active_until,
        newest.checked_at,
        newest.confirmed_at,
        newest.changes,
        newest.changed_at,
        newest.exposure_days,
        newest.weight
    from ranked
    inner join newest on ranked.organization_id = newest.organization_id and ranked.customer_id = newest.customer_id
    where
        ranked.is_named
        and ranked.turn > 1
        and ranked.identity_kind <> 'phone'
        and (ranked.due_at > clock_timestamp() or ranked.due_at <= ranked.answered_at)
        and (ranked.active_until is null or ranked.active_until <= ranked.answered_at)
    union all
    select
        ranked.place,
        case when ranked.due_at = 'infinity' then now() else ranked.due_at end as due_at,
        case when ranked.is_named then ranked.top_priority else ranked.priority end as priority,
        ranked.active_until,
        ranked.checked_at,
        ranked.confirmed_at,
        ranked.changes,
        ranked.changed_at,
        ranked.exposure_days,
        ranked.weight
    from ranked
    where
        (ranked.due_at = 'infinity' and (ranked.turn = 1 or ranked.is_named is not true))
        or (ranked.turn = 1 and ranked.is_named and ranked.priority < ranked.top_priority)
    union all
    select
        standing_in.place,
        now() as due_at,
        standing_in.priority,
        greatest(standing_in.active_until, standing_in.lost_active_until) as active_until,
        standing_in.checked_at,
        standing_in.confirmed_at,
        standing_in.changes,
        standing_in.changed_at,
        standing_in.exposure_days,
        standing_in.weight
    from standing_in
    where
        standing_in.due_at = 'infinity'
        and not exists (
            select
            from answered
            where answered.organization_id = standing_in.organization_id and answered.customer_id = standing_in.customer_id
        )
)

update sync.roster as roster
set
    due_at = decided.due_at,
    priority = decided.priority,
    active_until = decided.active_until,
    checked_at = decided.checked_at,
    confirmed_at = greatest(roster.confirmed_at, decided.confirmed_at),
    changes = decided.changes,
    changed_at = decided.changed_at,
    exposure_days = decided.exposure_days,
    weight = decided.weight,
    misses = 0,
    backfill_id = case when decided.due_at = 'infinity' then null else roster.backfill_id end
from decided
where roster.ctid = decided.place;
