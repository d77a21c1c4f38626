-- What is open or new is little beside the ledger: it is looked up by indexes, independent of the statistics, and never found by reading all.
set local enable_seqscan = off;
set local enable_hashjoin = off;
set local enable_mergejoin = off;
set local random_page_cost = 1.1;
set local jit = off;
