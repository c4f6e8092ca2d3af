-- The id by which a record names what it is related to. Whoever has it may stand in another document, come later, or move.
alter table relations add column target_external_id text;
create index relations_by_id on relations (bot_id, target_external_id) where target_external_id is not null;
update relations e
set target_external_id = q.external_id
from qa_pairs q
where e.origin = 'explicit' and q.bot_id = e.bot_id and q.qa_id = e.target_qa_id and q.external_id is not null;
