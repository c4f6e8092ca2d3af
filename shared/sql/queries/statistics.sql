-- How common the terms of a bot's passages are.

-- name: miscounted_terms
-- The size of the bot's passages, if it is another than when their terms were counted: by a fifth, or at all of a small bot.
select pg_relation_size(c.oid) as table_bytes
from pg_class c
where c.oid = to_regclass('passages_' || :partition)
  and not exists (
      select from passage_statistics n
      where n.bot_id = :bot_id and n.table_bytes > cast(:small_bytes as bigint)
        and abs(pg_relation_size(c.oid) - n.table_bytes) <= n.table_bytes / 5
  );

-- name: outdated_terms
-- The same, if something was deleted since, so that no word of it stays; or once a day, if anything has changed.
select pg_relation_size(to_regclass('passages_' || :partition)) as table_bytes
from passage_statistics n
where n.bot_id = :bot_id
  and (n.counted_at <= (select max(t.swept_at) from tombstones t where t.bot_id = :bot_id)
       or n.counted_at < now() - interval '1 day'
          and n.counted_at <= (select max(d.updated_at) from documents d where d.bot_id = :bot_id));

-- name: passages_of_older_analysis
select p.passage_id, q.question, q.metadata, p.text
from passages p
join qa_pairs q on q.bot_id = :bot_id and q.qa_id = p.qa_id and q.since_generation = p.since_generation
where p.bot_id = :bot_id and p.analysis < cast(:analysis as smallint)
limit :limit;

-- name: set_lexemes
update passages p
set lexemes = cast(r.lexemes as tsvector), term_count = r.term_count, analysis = :analysis
from jsonb_to_recordset(cast(:rows as jsonb)) as r (passage_id uuid, lexemes text, term_count integer)
where p.bot_id = :bot_id and p.passage_id = r.passage_id and p.passage_id = any(cast(:passage_ids as uuid[]));

-- name: forget_count
-- Terms are counted anew at the next look.
delete from passage_statistics where bot_id = :bot_id;

-- name: lock_term_statistics
-- Whoever comes second has nothing to count.
select pg_try_advisory_xact_lock(hashtextextended(cast(cast(:bot_id as uuid) as text), 7402517003)) as is_locked;

-- name: count_passages
select count(*) as passages from passages where bot_id = :bot_id;

-- name: forget_terms
delete from term_statistics where bot_id = :bot_id;

-- name: count_terms
-- Of a share of the table's blocks, in percent. ts_stat takes its query as text.
with counted as materialized (
    select s.word, s.ndoc, s.nentry
    from ts_stat(format(
        'select lexemes from passages tablesample system (%s) repeatable (1) where bot_id = %L',
        cast(:share as double precision), cast(:bot_id as uuid)
    )) as s
), kept as (
    insert into term_statistics (bot_id, term, passages)
    select :bot_id, word, round(ndoc * 100 / cast(:share as double precision)) from counted
), sampled as (
    select count(*) as passages
    from passages p tablesample system (cast(:share as double precision)) repeatable (1)
    where p.bot_id = :bot_id
)
insert into passage_statistics (bot_id, passages, mean_terms, table_bytes)
select :bot_id, cast(:passages as integer), coalesce((select sum(nentry) from counted) / nullif(s.passages, 0), 1),
       cast(:table_bytes as bigint)
from sampled s
on conflict (bot_id) do update set
    passages = excluded.passages, mean_terms = excluded.mean_terms, table_bytes = excluded.table_bytes, counted_at = now();
