-- Which of these texts, counted from 0, name a person who was erased, of any organization?
select written.place - 1 as place
from unnest(%(texts)s::text[]) with ordinality as written (text, place)
where privacy.names_erased(null, written.text);
