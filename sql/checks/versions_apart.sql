-- check: versions_apart
-- meaning: Two versions of one thing overlap in time, or a version ends before it begins: an as-of question gives two rows, or none.
-- what to do: Only the owner can have written these rows, because the constraint and the trigger stop everyone else. Find out who did, and remove the wrong one.
-- blind to: Versions that ended more than 8 days ago.
select
    array[version.organization_id::text, version.customer_id::text] as subject,
    'customer: versions overlap, or one is empty' as detail
from syrve.customer_version as version
where
    version.valid_to > now() - interval '8 days'
    and (
        version.valid_from >= version.valid_to
        or exists (
            select
            from syrve.customer_history as other
            where
                other.organization_id = version.organization_id
                and other.customer_id = version.customer_id
                and other.valid_from < version.valid_to
                and (other.valid_to > version.valid_from or other.valid_to is null)
                and (other.valid_from, other.valid_to) is distinct from (version.valid_from, version.valid_to)
        )
    )
union all
select
    array[version.organization_id::text, version.customer_id::text, version.wallet_id::text] as subject,
    'wallet_balance: versions overlap, or one is empty' as detail
from syrve.wallet_balance_version as version
where
    version.valid_to > now() - interval '8 days'
    and (
        version.valid_from >= version.valid_to
        or exists (
            select
            from syrve.wallet_balance_history as other
            where
                other.organization_id = version.organization_id
                and other.customer_id = version.customer_id
                and other.wallet_id = version.wallet_id
                and other.valid_from < version.valid_to
                and (other.valid_to > version.valid_from or other.valid_to is null)
                and (other.valid_from, other.valid_to) is distinct from (version.valid_from, version.valid_to)
        )
    )
union all
select
    array[version.organization_id::text, version.customer_id::text, version.card_id::text] as subject,
    'card: versions overlap, or one is empty' as detail
from syrve.card_version as version
where
    version.valid_to > now() - interval '8 days'
    and (
        version.valid_from >= version.valid_to
        or exists (
            select
            from syrve.card_history as other
            where
                other.organization_id = version.organization_id
                and other.customer_id = version.customer_id
                and other.card_id = version.card_id
                and other.valid_from < version.valid_to
                and (other.valid_to > version.valid_from or other.valid_to is null)
                and (other.valid_from, other.valid_to) is distinct from (version.valid_from, version.valid_to)
        )
    )
union all
select
    array[version.organization_id::text, version.customer_id::text, version.category_id::text] as subject,
    'customer_category: versions overlap, or one is empty' as detail
from syrve.customer_category_version as version
where
    version.valid_to > now() - interval '8 days'
    and (
        version.valid_from >= version.valid_to
        or exists (
            select
            from syrve.customer_category_history as other
            where
                other.organization_id = version.organization_id
                and other.customer_id = version.customer_id
                and other.category_id = version.category_id
                and other.valid_from < version.valid_to
                and (other.valid_to > version.valid_from or other.valid_to is null)
                and (other.valid_from, other.valid_to) is distinct from (version.valid_from, version.valid_to)
        )
    )
