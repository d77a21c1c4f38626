-- Which signals are followed? All of a kind that leads to changes; of one that mostly led to nothing a share, so that it can prove itself again. The
-- choice goes by the content, so a repeated run chooses the same. A customer whom the roster lacks is followed in any case if the sender knows their id.
update staging_signal as staged
set is_followed = true
from (
    select
        listed.signal_id,
        greatest(%(least_share)s, least(1, sync.signal_worth(precision.hits, precision.trials) / %(full_worth)s)) as share
    from staging_signal as listed
    left join sync.signal_precision as precision on listed.organization_id = precision.organization_id and listed.kind = precision.kind
) as judged
where
    staged.signal_id = judged.signal_id
    and staged.identity_value is not null
    and staged.kind <> 'other'
    and (
        (get_byte(staged.content_key, 0) * 256 + get_byte(staged.content_key, 1)) / 65536.0 < judged.share
        or (not staged.is_known and staged.customer_id is not null)
    );
