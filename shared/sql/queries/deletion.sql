-- What is deleted stays deleted: the deletion ledger, deletes of pairs, what is left behind a delete, receipts.

-- name: settled_entry
select settled from ledger_positions where bot_id = :bot_id;

-- name: unapplied_entries
select e.entry
from unnest(cast(:entries as text[])) as e (entry)
where not exists (select from ledger_entries a where a.bot_id = :bot_id and a.entry = e.entry)
order by e.entry collate "C";

-- name: record_entry
insert into ledger_entries (bot_id, entry) values (:bot_id, :entry) on conflict do nothing;

-- name: settle_entry
insert into ledger_positions as p (bot_id, settled) values (:bot_id, :entry)
on conflict (bot_id) do update set settled = greatest(p.settled, excluded.settled);

-- name: drop_settled_entries
delete from ledger_entries where bot_id = :bot_id and entry <= cast(:entry as text);

-- name: drop_entries_of_bot
delete from ledger_entries where bot_id = :bot_id;

-- name: drop_position_of_bot
delete from ledger_positions where bot_id = :bot_id;

-- name: buried
-- Tombstones that came after the bot itself: those that a restore brought along are older than it.
select t.kind, t.object_key, coalesce(cast(t.counts #>> '{catalog,passages}' as integer), 0) as passages
from tombstones t
join bots b on b.bot_id = t.bot_id
where t.bot_id = :bot_id and t.kind in ('document', 'pair') and t.created_at >= b.created_at;

-- name: live_pair
-- Where a pair stands, and with how many others.
select q.document_id, d.object_key, d.live_generation as generation, g.pair_count
from qa_pairs q
join documents d on d.bot_id = :bot_id and d.document_id = q.document_id and d.deleted_at is null
join generations g on g.bot_id = :bot_id and g.document_id = q.document_id and g.generation = d.live_generation
where q.bot_id = :bot_id and q.qa_id = :qa_id
  and exists (
      select from passages p
      join membership m on m.bot_id = :bot_id and m.document_id = p.document_id and m.generation = d.live_generation
          and m.passage_id = p.passage_id
      where p.bot_id = :bot_id and p.qa_id = q.qa_id and p.since_generation = q.since_generation
  )
limit 1;

-- name: pair_contents
select count(distinct q.since_generation) as qa_pairs,
       (select count(*) from passages p
        where p.bot_id = :bot_id and p.qa_id = :qa_id and p.since_generation <= :generation) as passages,
       (select count(*) from relations r
        where r.bot_id = :bot_id and r.source_qa_id = :qa_id and r.since_generation <= :generation) as relations,
       (select count(*) from passages p
        join markers k on k.bot_id = :bot_id and k.passage_id = p.passage_id
        where p.bot_id = :bot_id and p.qa_id = :qa_id and p.since_generation <= :generation
          and k.state = 'delivered' and k.wanted = 'present') as index_rows
from qa_pairs q
where q.bot_id = :bot_id and q.qa_id = :qa_id and q.since_generation <= :generation;

-- name: drop_membership_of_pair
delete from membership m
using passages p
where p.bot_id = :bot_id and p.qa_id = :qa_id and p.since_generation <= :generation
  and m.bot_id = :bot_id and m.document_id = :document_id and m.passage_id = p.passage_id;

-- name: recount_generations
update generations g
set pair_count = (
        select count(distinct p.qa_id) from membership m
        join passages p on p.bot_id = :bot_id and p.passage_id = m.passage_id
        where m.bot_id = :bot_id and m.document_id = :document_id and m.generation = g.generation
    ),
    passage_count = (
        select count(*) from membership m
        where m.bot_id = :bot_id and m.document_id = :document_id and m.generation = g.generation
    )
where g.bot_id = :bot_id and g.document_id = :document_id and g.state in ('live', 'kept', 'building');

-- name: abandon_staging
-- What is being staged was read before the delete: it is looked at again.
update documents
set staging_generation = null, epoch = epoch + 1, look_again = true, lease_token = null, leased_until = null
where bot_id = :bot_id and document_id = :document_id and staging_generation is not null;

-- name: bury_staging
update generations set state = 'dead' where bot_id = :bot_id and document_id = :document_id and state = 'staging';

-- name: finished_pairs
-- Tombstones of pairs of which nothing is left.
select t.tombstone_id, t.qa_id
from tombstones t
where t.bot_id = :bot_id and t.document_id = :document_id and t.kind = 'pair' and t.swept_at is null
  and not exists (
      select from passages p
      where p.bot_id = :bot_id and p.qa_id = t.qa_id and p.since_generation <= t.generation
  );

-- name: scrub_logs_of_pair
update query_logs
set answer = null, citations = '[]'
where bot_id = :bot_id and document_ids @> array[cast(:document_id as uuid)] and citations @> cast(:citation as jsonb);

-- name: remains_of_document
select (select count(*) from documents where bot_id = :bot_id and document_id = :document_id) as documents,
       (select count(*) from observations where bot_id = :bot_id and document_id = :document_id) as observations,
       (select count(*) from generations where bot_id = :bot_id and document_id = :document_id) as generations,
       (select count(*) from membership where bot_id = :bot_id and document_id = :document_id) as membership,
       (select count(*) from qa_pairs where bot_id = :bot_id and document_id = :document_id) as qa_pairs,
       (select count(*) from passages where bot_id = :bot_id and document_id = :document_id) as passages,
       (select count(*) from document_sources s
        where s.bot_id = :bot_id and s.passage_id = any (array(
            select k.passage_id from markers k where k.bot_id = :bot_id and k.document_id = :document_id
        ))) as document_sources,
       (select count(*) from relations where bot_id = :bot_id and document_id = :document_id) as relations,
       (select count(*) from names where bot_id = :bot_id and document_id = :document_id) as names,
       (select count(*) from mentions where bot_id = :bot_id and document_id = :document_id) as mentions,
       (select count(*) from unlinked where bot_id = :bot_id and document_id = :document_id) as unlinked,
       (select count(*) from uncompared where bot_id = :bot_id and document_id = :document_id) as uncompared,
       (select count(*) from query_logs
        where bot_id = :bot_id and document_ids @> array[cast(:document_id as uuid)]) as query_logs,
       (select count(*) from markers
        where bot_id = :bot_id and document_id = :document_id
          and not (wanted = 'absent' and state = 'delivered')) as markers;

-- name: remains_of_pair
select (select count(*) from qa_pairs
        where bot_id = :bot_id and qa_id = :qa_id and since_generation <= :generation) as qa_pairs,
       (select count(*) from passages
        where bot_id = :bot_id and qa_id = :qa_id and since_generation <= :generation) as passages,
       (select count(*) from relations
        where bot_id = :bot_id and source_qa_id = :qa_id and since_generation <= :generation) as relations,
       (select count(*) from names
        where bot_id = :bot_id and qa_id = :qa_id and since_generation <= :generation) as names,
       (select count(*) from mentions
        where bot_id = :bot_id and qa_id = :qa_id and since_generation <= :generation) as mentions,
       (select count(*) from unlinked
        where bot_id = :bot_id and qa_id = :qa_id and since_generation <= :generation) as unlinked,
       (select count(*) from uncompared
        where bot_id = :bot_id and qa_id = :qa_id and since_generation <= :generation) as uncompared,
       (select count(*) from query_logs
        where bot_id = :bot_id and document_ids @> array[cast(:document_id as uuid)]
          and citations @> cast(:citation as jsonb)) as query_logs;

-- name: remains_of_bot
select (select count(*) from markers where bot_id = :bot_id) as markers,
       (select count(*) from ledger_entries where bot_id = :bot_id) as ledger_entries;

-- name: told_receipt
-- A fragment, put in place of {told_receipt}: what is told of the receipt r of the tombstone t.
r.*, b.slug, t.kind, t.document_id, t.qa_id, t.object_key, t.created_at as deleted_at

-- name: receipts
select {told_receipt}
from receipts r
join tombstones t on t.tombstone_id = r.tombstone_id
join bots b on b.bot_id = r.bot_id
where r.bot_id = :bot_id
order by r.provisional_at desc
limit :limit;

-- name: newest_receipts
select {told_receipt}
from receipts r
join tombstones t on t.tombstone_id = r.tombstone_id
join bots b on b.bot_id = r.bot_id
order by r.provisional_at desc
limit :limit;

-- name: receipt
select {told_receipt}
from receipts r
join tombstones t on t.tombstone_id = r.tombstone_id
join bots b on b.bot_id = r.bot_id
where r.tombstone_id = :tombstone_id;

-- name: bot_id_of_slug
-- Of a bot in any state.
select bot_id from bots where slug = :slug;

-- name: drop_old_logs
delete from query_logs
where bot_id = :bot_id and query_id = any (array(
    select query_id from query_logs
    where bot_id = :bot_id and created_at < now() - make_interval(days => :days)
    order by created_at
    limit :limit
));
