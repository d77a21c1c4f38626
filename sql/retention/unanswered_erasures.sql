-- Removes erasures that were asked for and never carried out: they name a person.
select privacy.prune_unanswered(%(days)s) as removed;
