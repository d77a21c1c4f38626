-- Which signals are followed? All of a kind that leads to changes; of one that mostly led to nothing a share, so that it can prove itself again. The
-- choice goes by the content, so a repeated run chooses the same. Signals about customers whom the roster lacks prove themselves by themselves: those
-- of a kind may all bring customers though they tell nothing of known ones, or name unknown customers.
update staging_signal as staged
set is_followed = true
from (
    select
        listed.signal_id,
        greatest(%(least_share)s, least(1, sync.signal_worth(precision.hits, precision.trials) / %(full_worth)s)) as share
    from staging_signal as listed
    left join sync.signal_precision as precision
        on
            listed.organization_id = precision.organization_id
            and listed.kind = precision.kind
            and precision.whom = case when listed.is_known then 'known' else listed.identity_kind end
) as judged
where
    staged.signal_id = judged.signal_id
    and staged.identity_value is not null
    and staged.kind <> 'other'
    and (get_byte(staged.content_key, 0) * 256 + get_byte(staged.content_key, 1)) / 65536.0 < judged.share;
