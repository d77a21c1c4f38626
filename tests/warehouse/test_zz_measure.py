from dataclasses import replace
from warehouse.test_analyst_views import *  # noqa
from warehouse.test_analyst_views import rows, OUTSIDERS_KNOW
from syrve_simulator.process import start_simulator

def test_measure(syncing, analyst):
    with start_simulator(customers=4000, seed=11) as crowded:
        crowd = replace(syncing, simulator=crowded, config=replace(syncing.config, base_url=crowded.url))
        crowd.add(phone=[c["phone"] for c in crowd.customers(2000)])
        crowd.pull(batch_size=500)
    base = """(select c.organization_id, c.customer_id, {know},
      (select string_agg(k.name, ',' order by k.name) from analytics.customer_category k where (k.organization_id, k.customer_id) = (c.organization_id, c.customer_id)) as cats,
      (select count(*) from analytics.card k where (k.organization_id, k.customer_id) = (c.organization_id, c.customer_id)) as cards,
      (select string_agg(k.wallet_type || k.balance, ',' order by k.wallet_id) from analytics.wallet_balance k where (k.organization_id, k.customer_id) = (c.organization_id, c.customer_id)) as balances,
      referrer_id, has_consent, receives_promo, receives_order_status
      from analytics.customer c) x""".format(know=OUTSIDERS_KNOW)
    for name, cols in (("masks", OUTSIDERS_KNOW), ("masks+categories", OUTSIDERS_KNOW + ", cats"), ("masks+cats+cards", OUTSIDERS_KNOW + ", cats, cards"), ("categories alone", "cats"), ("age+sex+cats", "age_band, sex, cats"), ("exact balances alone", "balances"), ("masks+consents", OUTSIDERS_KNOW + ", has_consent, receives_promo, receives_order_status")):
        ((total, alone, five),) = rows(analyst, f"select sum(n), sum(n) filter (where n = 1), sum(n) filter (where n >= 5) from (select count(*) n from {base} group by organization_id, {cols}) g")
        print(f"{name:25} guests {total} alone {float(alone or 0)/float(total):.1%} in groups of 5 {float(five or 0)/float(total):.1%}")
    assert 0
