-- Which signals are followed? All of a kind that leads to changes; of one that mostly led to nothing a share, so that it can prove itself again. The
-- choice goes by the content, so a repeated run chooses the same. Signals about customers whom the roster lacks prove themselves by themselves: those
-- of a kind may all bring customers though they tell nothing of known ones, or name unknown customers. The less a kind is worth, the smaller its share
-- gets where more of it come in a day: a storm without end costs few look-ups.
update staging_signal as staged
set is_followed = true
from (
    select
        listed.signal_id,
        worth.share * power(least(1, %(many_a_day)s / greatest(coalesce(today.received, 0), 1)::double precision), 1 - worth.share) as share
    from staging_signal as listed
    left join sync.signal_precision as precision
        on
            listed.organization_id = precision.organization_id
            and listed.kind = precision.kind
            and precision.whom = case when listed.is_known then 'known' else listed.identity_kind end
    left join sync.signal_day as today
        on
            listed.organization_id = today.organization_id
            and listed.kind = today.kind
            and (listed.received_at at time zone 'UTC')::date = today.day
    cross join lateral (
        select greatest(%(least_share)s, least(1, sync.signal_worth(precision.hits, precision.trials) / %(full_worth)s)) as share
    ) as worth
) as judged
where
    staged.signal_id = judged.signal_id
    and staged.identity_value is not null
    and staged.kind <> 'other'
    and (get_byte(staged.content_key, 0) * 256 + get_byte(staged.content_key, 1)) / 65536.0 < judged.share;
