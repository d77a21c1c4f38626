-- What a chunk of a dry run has written, before it is taken back, as two lists: the next chunk is judged by it as it would be in an import.
select
    (
        select
            coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'operation', to_jsonb(made),
                        'events',
                        array(
                            select to_jsonb(happened)
                            from wallet.operation_event as happened
                            where happened.operation_id = made.operation_id
                            order by happened.sequence
                        )
                    )
                ),
                '[]'
            )
        from wallet.operation as made
        where
            made.operation_id = any(%(ids)s::uuid[])
            or made.operation_id in (select back.operation_id from staging_operation_put_back as back)
    )::text as operations,
    (
        select
            coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'order', to_jsonb(latest),
                        'versions',
                        array(
                            select to_jsonb(version)
                            from wallet.payment_order_version as version
                            where version.organization_id = latest.organization_id and version.order_id = latest.order_id
                        )
                    )
                ),
                '[]'
            )
        from wallet.payment_order as latest
        where
            (latest.organization_id, latest.order_id) in (
                select
                    named.organization_id,
                    named.order_id
                from unnest(%(organization_ids)s::uuid[], %(order_ids)s::text[]) as named (organization_id, order_id)
            )
    )::text as orders;
