-- depends: 0018.approvals
-- How look-ups are spent: what is learned of each organization, the interval that follows for each identity, and how fresh that keeps the mirror.

create table sync.refresh_fit (
    organization_id uuid primary key,
    shape double precision not null check (shape > 0),
    mean_per_day double precision not null check (mean_per_day > 0),
    calibration real[] not null check (cardinality(calibration) = 31),
    theta double precision not null check (theta > 0),
    max_interval_days double precision not null check (max_interval_days > 0),
    observed double precision[] not null,
    expected double precision[] not null,
    identities bigint not null,
    lookups_per_day double precision not null,
    keeps_max_age boolean not null,
    fitted_at timestamptz not null,
    signalled_share double precision not null default 0 check (signalled_share >= 0 and signalled_share < 1),
    signal_evidence double precision[] not null default '{0,0,0,0}' check (cardinality(signal_evidence) = 4)
);
comment on table sync.refresh_fit is
'What the pull has learned about an organization''s customers, and the threshold that spends the budget: written by each plan of syrve_customers.';
comment on column sync.refresh_fit.organization_id is 'Organization.';
comment on column sync.refresh_fit.shape is 'Shape of the gamma distribution of the customers'' rates of change: small if few customers make most changes.';
comment on column sync.refresh_fit.mean_per_day is 'Mean of that distribution: changes per customer and day.';
comment on column sync.refresh_fit.calibration is 'Changes seen over changes expected, for each band of customers (sync.change_band).';
comment on column sync.refresh_fit.theta is 'Interval in days = theta / sqrt(weight x rate): one number per account, so that demand equals the budget.';
comment on column sync.refresh_fit.max_interval_days is 'Longest interval given: within the promised maximum age, if the budget can keep it.';
comment on column sync.refresh_fit.observed is 'Changes seen in each band, older ones counting less.';
comment on column sync.refresh_fit.expected is 'Changes expected in each band, older ones counting less.';
comment on column sync.refresh_fit.identities is 'Identities that share the budget; an estimate if the roster is large.';
comment on column sync.refresh_fit.lookups_per_day is 'Look-ups per day that theta gives to this organization.';
comment on column sync.refresh_fit.keeps_max_age is 'Whether the budget can keep the promised maximum age.';
comment on column sync.refresh_fit.fitted_at is 'When this was fitted.';
comment on column sync.refresh_fit.signalled_share is
'Share of the changes that signals report: those customers are looked at so much less without one. 0 until signals have proven themselves, and while they have stopped.';
comment on column sync.refresh_fit.signal_evidence is
'By what the share is learned, older ones counting less: changes found after a signal, and changes due in the same time; changes found without one, and expected.';

create table sync.refresh_evidence (
    organization_id uuid not null,
    noted_at timestamptz not null,
    observed real[] not null,
    expected real[] not null,
    signal_evidence real[] not null default '{0,0,0,0}'
);
comment on table sync.refresh_evidence is 'Changes seen and expected in a batch of look-ups, by band; the next fit adds them up and removes them.';
comment on column sync.refresh_evidence.organization_id is 'Organization.';
comment on column sync.refresh_evidence.noted_at is 'When the batch was merged.';
comment on column sync.refresh_evidence.observed is 'Look-ups that found a change, by band.';
comment on column sync.refresh_evidence.expected is 'How many were expected to, by band.';
comment on column sync.refresh_evidence.signal_evidence is 'Look-ups after a signal that found a change, and changes due in the same time; others that found one, and expected.';

-- Who changes with a rate of gamma shape a and b days, and may stop for good at 1 / 700 a day at any moment: the integral of the likelihoods of having
-- stopped, over that of the silence without it. The days of the silence are among b.
create function sync.odds_of_stopping(a double precision, b double precision, silent_days double precision) returns double precision
language sql immutable parallel safe
return b / 700
* coalesce(
    (exp(least(50, (a - 1) * -ln(greatest(0.01, 1 - (1 - exp(-0.0046209812037 * silent_days)) / 0.0046209812037 / b)))) - 1) / nullif(a - 1, 0),
    -ln(greatest(0.01, 1 - (1 - exp(-0.0046209812037 * silent_days)) / 0.0046209812037 / b))
);
comment on function sync.odds_of_stopping(double precision, double precision, double precision) is
'Odds that a customer has stopped coming: grows with the changes that were due by their own rate and did not come.';

create function sync.change_band(outcome text, changes double precision, odds_of_stopping double precision) returns integer
language sql immutable parallel safe
return case
    when outcome in ('not_found', 'rejected') then 1
    else
        case
            when changes < 0.05 then 2
            when changes < 0.5 then 3
            when changes < 1.5 then 4
            when changes < 4 then 5
            else 6
        end
        + 5 * width_bucket(odds_of_stopping, '{0.15,0.5,1.5,5,20}'::double precision[])
end;
comment on function sync.change_band(text, double precision, double precision) is
'Band of an identity, 1 to 31: nothing known under it; five by the changes seen, fewer or more; those again for each of six by the odds of stopping. '
'Each has its own correction: so it shows whether customers stop coming.';

create function sync.change_rate(
    changes double precision, exposure_days double precision, shape double precision, mean_per_day double precision, calibration double precision
) returns double precision
language sql immutable parallel safe
return calibration * (changes + shape) / (exposure_days + shape / mean_per_day);
comment on function sync.change_rate(double precision, double precision, double precision, double precision, double precision) is
'Expected changes per day: what was seen of this customer, and of all of them where little was seen, corrected by what their band did.';

create function sync.refresh_days(
    weight double precision,
    rate double precision,
    theta double precision,
    min_days double precision,
    max_days double precision
) returns double precision
language sql immutable parallel safe
return least(max_days, greatest(min_days, theta / sqrt(weight * rate)));
comment on function sync.refresh_days(double precision, double precision, double precision, double precision, double precision) is
'Interval to the next look-up in days: for a fixed number of look-ups the mean delay is least if it goes with 1 / sqrt(weight x rate).';

-- With T the interval, s the rate of signalled changes and m that of the others, a cycle ends by a signal or after T. The mean delay is least for a fixed
-- number of look-ups where s T - 1 + exp(-s T) = (theta s)^2 / (2 weight m); this is within 7 % of that, and exact at both ends.
create function sync.refresh_days(
    weight double precision,
    rate double precision,
    theta double precision,
    min_days double precision,
    max_days double precision,
    signalled_share double precision
) returns double precision
language sql immutable parallel safe
return case
    when signalled_share = 0 then sync.refresh_days(weight, rate, theta, min_days, max_days)
    else
        least(
            max_days,
            greatest(
                min_days,
                theta / sqrt(1 - signalled_share)
                * sqrt(1 / (weight * rate) + power(signalled_share * theta / weight, 2) / (4 * (1 - signalled_share)))
            )
        )
end;
comment on function sync.refresh_days(double precision, double precision, double precision, double precision, double precision, double precision) is
'The same for customers whose changes signals report to a share: that share waits for no look-up, and a signal puts the next one off.';

create view sync.refresh_interval as
select
    roster.organization_id,
    roster.identity_kind,
    roster.identity_value,
    roster.priority,
    roster.outcome,
    roster.due_at,
    roster.checked_at,
    roster.active_until,
    roster.changes,
    roster.exposure_days,
    learned.rate_per_day,
    learned.weight,
    1 / (1 + stopped.odds) as still_comes,
    sync.refresh_days(
        learned.weight,
        learned.rate_per_day,
        coalesce(fit.theta, 1),
        coalesce(policy.min_interval_seconds, 900) / 86400.0,
        coalesce(fit.max_interval_days, coalesce(policy.max_age_seconds, 2592000) / 86400.0),
        coalesce(fit.signalled_share, 0)
    ) as interval_days,
    coalesce(fit.signalled_share, 0) as signalled_share
from sync.roster as roster
left join sync.refresh_fit as fit on roster.organization_id = fit.organization_id
left join sync.refresh_policy as policy on roster.organization_id = policy.organization_id
cross join
    lateral (
        select
            sync.change_rate(
                coalesce(roster.changes, 0), coalesce(roster.exposure_days, 0), coalesce(fit.shape, 1), coalesce(fit.mean_per_day, 1 / 60.0), 1
            ) as per_day
    ) as own
cross join
    lateral (
        select
            sync.odds_of_stopping(
                coalesce(roster.changes, 0) + coalesce(fit.shape, 1),
                coalesce(roster.exposure_days, 0) + coalesce(fit.shape, 1) / coalesce(fit.mean_per_day, 1 / 60.0),
                coalesce(extract(epoch from roster.checked_at - roster.changed_at) / 86400, 0)::double precision
            ) as odds
    ) as stopped
cross join lateral (
    select
        own.per_day
        / (1 + stopped.odds)
        * coalesce(fit.calibration[sync.change_band(roster.outcome, coalesce(roster.changes, 0), stopped.odds)], 1) as rate_per_day,
        coalesce(roster.weight, 1) * power(2.0::double precision, greatest(-4, least(4, roster.priority::integer))) as weight
) as learned;
comment on view sync.refresh_interval is 'Each identity of the roster with its rate, its weight and the interval that follows for it now.';
comment on column sync.refresh_interval.organization_id is 'Organization.';
comment on column sync.refresh_interval.identity_kind is 'phone, id or card.';
comment on column sync.refresh_interval.identity_value is 'The identity. Personal data.';
comment on column sync.refresh_interval.priority is 'Priority of the identity.';
comment on column sync.refresh_interval.outcome is 'How its last look-up ended.';
comment on column sync.refresh_interval.due_at is 'When the next look-up is due.';
comment on column sync.refresh_interval.checked_at is 'Time of the last answer.';
comment on column sync.refresh_interval.active_until is 'Until then it is looked at by the clock.';
comment on column sync.refresh_interval.changes is 'Changes that look-ups have found, older ones counting less.';
comment on column sync.refresh_interval.exposure_days is 'Days that look-ups have watched, older ones counting less.';
comment on column sync.refresh_interval.rate_per_day is 'Expected changes per day.';
comment on column sync.refresh_interval.weight is 'How much a day of delay counts.';
comment on column sync.refresh_interval.still_comes is 'Probability that they have not stopped coming.';
comment on column sync.refresh_interval.interval_days is 'Days between look-ups that the present budget gives it.';
comment on column sync.refresh_interval.signalled_share is 'Share of its changes that signals are expected to report.';

-- As the owner, because operations may ask about the one identity that they have at hand, and may not list or search those of the roster.
create function sync.explain_due(organization_id uuid, identity text)
returns table (
    identity_kind text,
    outcome text,
    rate_per_day double precision,
    weight double precision,
    interval_between interval,
    checked_at timestamptz,
    due_at timestamptz,
    why text
)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select
        spent.identity_kind,
        spent.outcome,
        spent.rate_per_day,
        spent.weight,
        make_interval(secs => 86400 * spent.interval_days),
        spent.checked_at,
        spent.due_at,
        concat_ws(
            '; ',
            case
                when spent.due_at = 'infinity' then 'covered: the customer is looked up under another identity, and the answer counts for this one'
                when spent.checked_at is null then 'never looked up: new identities take up to half of every batch'
                when spent.outcome = 'failed' then 'the last look-up got no answer: another try'
                when spent.active_until > now() then
                    format('looked at by the clock until %s (open hold, unsettled money or a push to read back)', spent.active_until)
                when spent.due_at <= spent.checked_at then 'made due: an edit of the CRM, a hold, a push, a signal or a form'
                when spent.interval_days >= fit.max_interval_days then 'as seldom as the promised maximum age and the budget allow'
                when spent.interval_days <= coalesce(policy.min_interval_seconds, 900) / 86400.0 then 'as often as allowed'
                when spent.signalled_share > 0 then format(
                    'theta %s, weight %s, rate %s per day, of which signals report %s: %s days without one',
                    round(coalesce(fit.theta, 1)::numeric, 4),
                    round(spent.weight::numeric, 3),
                    round(spent.rate_per_day::numeric, 5),
                    round(spent.signalled_share::numeric, 2),
                    round(spent.interval_days::numeric, 3)
                )
                else format(
                    'theta %s / sqrt(weight %s x rate %s per day) = %s days',
                    round(coalesce(fit.theta, 1)::numeric, 4),
                    round(spent.weight::numeric, 3),
                    round(spent.rate_per_day::numeric, 5),
                    round(spent.interval_days::numeric, 3)
                )
            end,
            case
                when spent.checked_at is not null and spent.outcome <> 'failed' then format(
                    '%s changes seen in %s days watched (what is old counts less), all customers change %s times a day on average',
                    round(coalesce(spent.changes, 0)::numeric, 2),
                    round(coalesce(spent.exposure_days, 0)::numeric, 1),
                    round(coalesce(fit.mean_per_day, 1 / 60.0)::numeric, 4)
                )
            end,
            case
                when spent.still_comes < 0.5 and spent.outcome = 'found'
                    then format('changes that were due did not come: still comes with a probability of %s %%', round(100 * spent.still_comes::numeric))
            end,
            case when spent.outcome in ('not_found', 'rejected') then 'nothing usable is known under it: counts less' end,
            case when spent.due_at <= now() then format('due since %s', date_trunc('second', now() - spent.due_at)) end,
            case when fit.keeps_max_age is false then 'the budget is too small for the promised maximum age' end
        )
    from sync.refresh_interval as spent
    left join sync.refresh_fit as fit on spent.organization_id = fit.organization_id
    left join sync.refresh_policy as policy on spent.organization_id = policy.organization_id
    where spent.organization_id = $1 and spent.identity_kind in ('phone', 'id', 'card') and spent.identity_value = $2
$$;
comment on function sync.explain_due(uuid, text) is
'Why an identity is due when it is: its rate, weight and interval, and a sentence. Shows no more of a person than was asked with.';

create view analytics.sync_freshness as
with spent as (
    select
        organization_id,
        count(*) as identities,
        count(*) filter (where outcome = 'found') as found,
        count(*) filter (where outcome = 'not_found') as not_found,
        count(*) filter (where outcome = 'rejected') as rejected,
        count(*) filter (where outcome = 'failed') as failed,
        count(*) filter (where checked_at is null) as never_checked,
        count(*) filter (where active_until > now()) as by_the_clock,
        count(*) filter (where outcome = 'found' and checked_at > now() - interval '1 hour') as fresher_than_1h,
        count(*) filter (where outcome = 'found' and checked_at > now() - interval '24 hours') as fresher_than_24h,
        count(*) filter (where outcome = 'found' and checked_at > now() - interval '7 days') as fresher_than_7d,
        count(*) filter (where due_at <= now()) as overdue,
        now() - min(due_at) filter (where due_at <= now()) as longest_overdue,
        now() - min(checked_at) as oldest,
        count(*) filter (where interval_days <= 1 / 24.0) as interval_up_to_1h,
        count(*) filter (where interval_days > 1 / 24.0 and interval_days <= 1) as interval_up_to_1d,
        count(*) filter (where interval_days > 1 and interval_days <= 7) as interval_up_to_7d,
        count(*) filter (where interval_days > 7 and interval_days <= 30) as interval_up_to_30d,
        count(*) filter (where interval_days > 30) as interval_over_30d,
        sum(rate_per_day * (1 - signalled_share) * interval_days / 2) / nullif(sum(rate_per_day), 0) as mean_delay_days,
        avg(interval_days / 2) as mean_age_days
    from sync.refresh_interval
    where due_at < 'infinity'
    group by organization_id
),

customer as (
    select
        organization_id,
        count(*) as customers,
        count(*) filter (where is_deleted) as customers_deleted
    from syrve.customer
    group by organization_id
),

coupon as (
    select
        watched.organization_id,
        count(*) as watched,
        count(known.number) as checked,
        now() - min(known.checked_at) as oldest
    from sync.coupon_watch as watched
    left join syrve.coupon as known on watched.organization_id = known.organization_id and watched.number = known.number
    group by watched.organization_id
)

select
    spent.organization_id,
    organization.name as organization_name,
    coalesce(customer.customers, 0) as customers,
    coalesce(customer.customers_deleted, 0) as customers_deleted,
    spent.identities,
    spent.found,
    spent.not_found,
    spent.rejected,
    spent.failed,
    spent.never_checked,
    spent.by_the_clock,
    spent.fresher_than_1h,
    spent.fresher_than_24h,
    spent.fresher_than_7d,
    spent.overdue,
    spent.longest_overdue,
    spent.oldest,
    spent.interval_up_to_1h,
    spent.interval_up_to_1d,
    spent.interval_up_to_7d,
    spent.interval_up_to_30d,
    spent.interval_over_30d,
    make_interval(secs => 86400 * spent.mean_delay_days) as expected_mean_delay,
    make_interval(secs => 86400 * spent.mean_age_days) as expected_mean_age,
    make_interval(secs => coalesce(policy.max_age_seconds, 2592000)::double precision) as promised_max_age,
    fit.keeps_max_age,
    fit.lookups_per_day,
    budget.calls_per_minute,
    make_interval(secs => (60 * spent.identities / budget.calls_per_minute)::double precision) as full_round,
    make_interval(
        secs => (60 * sum(spent.identities) over (partition by organization.account) / budget.calls_per_minute)::double precision
    ) as full_round_of_account,
    coalesce(coupon.watched, 0) as coupons_watched,
    coalesce(coupon.checked, 0) as coupons_checked,
    coupon.oldest as oldest_coupon
from spent
left join syrve.organization as organization on spent.organization_id = organization.organization_id
left join sync.call_budget as budget on organization.account = budget.account and budget.family = 'customer'
left join sync.refresh_fit as fit on spent.organization_id = fit.organization_id
left join sync.refresh_policy as policy on spent.organization_id = policy.organization_id
left join customer on spent.organization_id = customer.organization_id
left join coupon on spent.organization_id = coupon.organization_id;
comment on view analytics.sync_freshness is
'How fresh the mirror is and what the present budget buys, as of now. A customer who is on the roster under several identities counts once, '
'as they are looked up under one of them. '
'One row per organization with identities. Key: organization_id. Joins: organization (organization_id).';
comment on column analytics.sync_freshness.organization_id is 'Organization.';
comment on column analytics.sync_freshness.organization_name is 'Its name; null until it has been listed.';
comment on column analytics.sync_freshness.customers is 'Customers in the mirror, deleted ones included.';
comment on column analytics.sync_freshness.customers_deleted is 'Deleted ones of them.';
comment on column analytics.sync_freshness.identities is 'Identities of the roster that are looked up; not those that another one of the customer covers.';
comment on column analytics.sync_freshness.found is 'Those whose last look-up gave a customer.';
comment on column analytics.sync_freshness.not_found is 'Those under which nothing is known.';
comment on column analytics.sync_freshness.rejected is 'Those whose record could not be used; reject_summary says why.';
comment on column analytics.sync_freshness.failed is 'Those whose last look-up got no answer; they are tried again.';
comment on column analytics.sync_freshness.never_checked is 'Identities that were never looked up.';
comment on column analytics.sync_freshness.by_the_clock is 'Those that syrve_balances looks at by the clock: open holds, unsettled money, pushes to read back.';
comment on column analytics.sync_freshness.fresher_than_1h is 'Found ones confirmed in the last hour.';
comment on column analytics.sync_freshness.fresher_than_24h is 'Found ones confirmed in the last 24 hours.';
comment on column analytics.sync_freshness.fresher_than_7d is 'Found ones confirmed in the last 7 days.';
comment on column analytics.sync_freshness.overdue is 'Identities whose look-up is due.';
comment on column analytics.sync_freshness.longest_overdue is 'How long the oldest of them has been due.';
comment on column analytics.sync_freshness.oldest is 'Age of the oldest answer.';
comment on column analytics.sync_freshness.interval_up_to_1h is 'Identities that the present budget looks up at least every hour.';
comment on column analytics.sync_freshness.interval_up_to_1d is 'Further ones that it looks up at least every day.';
comment on column analytics.sync_freshness.interval_up_to_7d is 'Further ones that it looks up at least every 7 days.';
comment on column analytics.sync_freshness.interval_up_to_30d is 'Further ones that it looks up at least every 30 days.';
comment on column analytics.sync_freshness.interval_over_30d is 'Those that it looks up less often than that.';
comment on column analytics.sync_freshness.expected_mean_delay is 'Expected time from a change at Syrve to its row, on average over changes, at the present budget; those that signals report count as 0.';
comment on column analytics.sync_freshness.expected_mean_age is 'Expected age of a row, on average over identities, at the present budget.';
comment on column analytics.sync_freshness.promised_max_age is 'Longest time without a look-up that is promised.';
comment on column analytics.sync_freshness.keeps_max_age is 'Whether the present budget can keep that; null until the first plan.';
comment on column analytics.sync_freshness.lookups_per_day is 'Look-ups per day that the organization gets of its account''s budget.';
comment on column analytics.sync_freshness.calls_per_minute is 'Present budget of customer calls of the account.';
comment on column analytics.sync_freshness.full_round is 'How long looking up all of this row once takes at that budget, nothing else running.';
comment on column analytics.sync_freshness.full_round_of_account is 'The same for all organizations of the account, which share the budget.';
comment on column analytics.sync_freshness.coupons_watched is 'Coupon numbers on the watch list.';
comment on column analytics.sync_freshness.coupons_checked is 'Coupons found under them.';
comment on column analytics.sync_freshness.oldest_coupon is 'Age of the oldest answer about one of them.';
