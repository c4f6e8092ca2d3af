-- Deliver, verify, flip, sweep.

-- name: unfinished_documents
-- Documents with something left to do: markers to carry out, a generation to flip, dead ones to sweep, a delete to finish.
-- What another collection of the bot waits for is delivered by whoever has its embedder; removing needs none.
select document_id, min(waits_until) as waits_until
from (
    select document_id, next_attempt_at as waits_until from markers
    where bot_id = :bot_id and state = 'pending' and (collection_id = :collection_id or wanted = 'absent')
    union all
    select document_id, '-infinity' from generations where bot_id = :bot_id and state = 'dead'
    union all
    select document_id, '-infinity' from documents
    where bot_id = :bot_id and (building_generation is not null or look_again or deleted_at is not null)
      and state <> 'failed'
    union all
    select document_id, '-infinity' from tombstones where bot_id = :bot_id and kind = 'pair' and swept_at is null
) as unfinished
group by document_id
order by waits_until, document_id
limit :limit;

-- name: unfinished_among
select d.document_id
from documents d
where d.bot_id = :bot_id and d.document_id = any(cast(:document_ids as uuid[]))
  and (d.building_generation is not null or d.look_again or d.deleted_at is not null
       or exists (select from markers k where k.bot_id = :bot_id and k.document_id = d.document_id
                  and k.state = 'pending' and (k.collection_id = :collection_id or k.wanted = 'absent'))
       or exists (select from tombstones t where t.bot_id = :bot_id and t.document_id = d.document_id
                  and t.kind = 'pair' and t.swept_at is null));

-- name: claim_absent
with ready as (
    select passage_id, collection_id from markers
    where bot_id = :bot_id and document_id = any(cast(:document_ids as uuid[])) and collection_id = :collection_id
      and wanted = 'absent' and state = 'pending'
      and next_attempt_at <= clock_timestamp()
      and (leased_until is null or leased_until < clock_timestamp())
    order by document_id
    limit :limit
    for update skip locked
)
update markers k
set lease_token = :lease_token,
    leased_until = clock_timestamp() + make_interval(secs => :lease_seconds),
    attempts = k.attempts + 1
from ready
where k.bot_id = :bot_id and k.passage_id = ready.passage_id and k.collection_id = ready.collection_id
returning k.passage_id, k.document_id;

-- name: claim_present
-- Nothing of a generation that is still being staged, and nothing of a document whose dead rows are still in the index.
with ready as (
    select k.passage_id, k.collection_id
    from markers k
    join documents d on d.bot_id = k.bot_id and d.document_id = k.document_id
    where k.bot_id = :bot_id and k.document_id = any(cast(:document_ids as uuid[])) and k.collection_id = :collection_id
      and k.wanted = 'present' and k.state = 'pending' and k.attempts < :max_attempts
      and k.next_attempt_at <= clock_timestamp()
      and (k.leased_until is null or k.leased_until < clock_timestamp())
      and d.bot_id = :bot_id and d.deleted_at is null
      and k.since_generation is distinct from d.staging_generation
      and not exists (
          select from markers a
          where a.bot_id = k.bot_id and a.document_id = k.document_id and a.collection_id = k.collection_id
            and a.wanted = 'absent' and a.state <> 'delivered'
      )
    order by k.document_id
    limit :limit
    for update of k skip locked
)
update markers k
set lease_token = :lease_token,
    leased_until = clock_timestamp() + make_interval(secs => :lease_seconds),
    attempts = k.attempts + 1
from ready
where k.bot_id = :bot_id and k.passage_id = ready.passage_id and k.collection_id = ready.collection_id
returning k.passage_id;

-- name: rows_to_deliver
-- What the index rows of these passages are made from, and from which delivered passage their vectors can be copied.
select p.passage_id, p.document_id, p.part, p.text, p.related_nodes, q.*, k.row_hash, k.vector_digest as proven_digest,
       lender.passage_id as copy_from, lender.vector_digest as copy_digest, lq.question as copy_question,
       lp.text as copy_response
from passages p
join qa_pairs q on q.bot_id = p.bot_id and q.qa_id = p.qa_id and q.since_generation = p.since_generation
join markers k on k.bot_id = p.bot_id and k.passage_id = p.passage_id and k.collection_id = :collection_id
left join markers lender on lender.bot_id = k.bot_id and lender.passage_id = k.copy_from
    and lender.collection_id = k.collection_id and lender.wanted = 'present' and lender.state = 'delivered'
left join passages lp on lp.bot_id = :bot_id and lp.passage_id = lender.passage_id
left join qa_pairs lq on lq.bot_id = :bot_id and lq.qa_id = lp.qa_id and lq.since_generation = lp.since_generation
where p.bot_id = :bot_id and p.passage_id = any(cast(:passage_ids as uuid[]));

-- name: lock_claimed
select passage_id from markers
where bot_id = :bot_id and lease_token = :lease_token and collection_id = :collection_id and passage_id = any(cast(:passage_ids as uuid[]))
for update;

-- name: prove_present
update markers k
set state = 'delivered', vector_digest = r.vector_digest, proven_incarnation = :incarnation, delivered_at = now(),
    lease_token = null, leased_until = null, last_error = null, copy_from = null
from jsonb_to_recordset(cast(:proofs as jsonb)) as r (passage_id uuid, row_hash text, vector_digest text)
where k.bot_id = :bot_id and k.passage_id = r.passage_id and k.collection_id = :collection_id
  and k.lease_token = :lease_token and k.wanted = 'present' and k.row_hash = r.row_hash;

-- name: prove_absent
update markers
set state = 'delivered', vector_digest = null, proven_incarnation = :incarnation, delivered_at = now(),
    lease_token = null, leased_until = null, last_error = null
where bot_id = :bot_id and lease_token = :lease_token and collection_id = :collection_id and wanted = 'absent'
  and passage_id = any(cast(:passage_ids as uuid[]))
returning passage_id;

-- name: lock_passages
-- Whoever proves the last of a passage's markers must see what was proven of the others.
select passage_id from passages
where bot_id = :bot_id and passage_id = any(cast(:passage_ids as uuid[]))
order by passage_id
for update;

-- name: drop_passages
-- Only what is gone from every collection that held it, and what no generation holds: whatever its marker says.
delete from passages p
where p.bot_id = :bot_id and p.passage_id = any(cast(:passage_ids as uuid[]))
  and not exists (
      select from markers k
      where k.bot_id = p.bot_id and k.passage_id = p.passage_id and not (k.wanted = 'absent' and k.state = 'delivered')
  )
  and not exists (
      select from membership m
      where m.bot_id = p.bot_id and m.document_id = p.document_id and m.passage_id = p.passage_id
  )
returning passage_id, qa_id, since_generation, document_id;

-- name: drop_sources
delete from document_sources where bot_id = :bot_id and passage_id = any(cast(:passage_ids as uuid[]));

-- name: drop_pairs_without_passages
delete from qa_pairs q
using (select distinct * from unnest(cast(:qa_ids as uuid[]), cast(:generations as integer[])) as r (qa_id, since_generation)) as r
where q.bot_id = :bot_id and q.qa_id = r.qa_id and q.since_generation = r.since_generation
  and not exists (
      select from passages p
      where p.bot_id = :bot_id and p.qa_id = r.qa_id and p.since_generation = r.since_generation
  )
returning q.qa_id, q.since_generation, q.external_id;

-- name: drop_relations_of_pairs
delete from relations e
using unnest(cast(:qa_ids as uuid[]), cast(:generations as integer[])) as r (qa_id, since_generation)
where e.bot_id = :bot_id and e.source_qa_id = r.qa_id and e.since_generation = r.since_generation;

-- name: drop_relations_to_nothing
-- Edges that lead to a pair which no longer exists in any generation. What a record names by an id stays: it may come again.
delete from relations e
where e.bot_id = :bot_id and e.target_qa_id = any(cast(:qa_ids as uuid[]))
  and (e.origin <> 'explicit' or e.target_external_id is null)
  and not exists (select from qa_pairs q where q.bot_id = :bot_id and q.qa_id = e.target_qa_id);

-- name: postpone
-- The passage itself could not be delivered: later, and after `max_attempts` not at all.
update markers
set lease_token = null, leased_until = null, last_error = :error,
    state = case when attempts >= :max_attempts and wanted = 'present' then 'failed' else 'pending' end,
    next_attempt_at = clock_timestamp() + make_interval(secs => least(600, power(2, attempts)) * (0.5 + random()))
where bot_id = :bot_id and lease_token = :lease_token and collection_id = :collection_id and passage_id = any(cast(:passage_ids as uuid[]))
returning document_id, state;

-- name: release_claims
-- The store was away, which says nothing about these passages: the attempt does not count.
update markers
set lease_token = null, leased_until = null, attempts = greatest(0, attempts - 1)
where bot_id = :bot_id and lease_token = :lease_token;

-- name: fail_exhausted
-- Claims whose worker died so often that the passage itself must be the cause.
update markers
set state = 'failed', lease_token = null, leased_until = null,
    last_error = coalesce(last_error, 'the worker died each time it was delivered')
where bot_id = :bot_id and state = 'pending' and wanted = 'present' and attempts >= :max_attempts
  and (leased_until is null or leased_until < clock_timestamp())
returning document_id;

-- name: mark_document_failed
update documents set state = 'failed', reason = :reason, updated_at = now()
where bot_id = :bot_id and document_id = :document_id and building_generation is not null;

-- name: failed_markers
select passage_id, last_error from markers
where bot_id = :bot_id and document_id = :document_id and state = 'failed' and wanted = 'present'
  and collection_id = (select b.collection_id from bots b where b.bot_id = :bot_id)
limit 3;

-- name: reopen_unproven
-- Proven on an incarnation of the collection that is gone: it counts no longer.
update markers
set state = 'pending', attempts = 0, next_attempt_at = clock_timestamp(), copy_from = null
where bot_id = :bot_id and collection_id = :collection_id and passage_id = any (array(
    select passage_id from markers
    where bot_id = :bot_id and collection_id = :collection_id and state = 'delivered' and wanted = 'present'
      and (proven_incarnation < :incarnation or proven_incarnation > :incarnation or proven_incarnation is null)
    limit :limit
));

-- name: proven
-- What must be in the index, of a stretch of ids.
select bot_id, passage_id, row_hash, vector_digest, delivered_at as proven_at
from markers
where bot_id = any(cast(:bot_ids as uuid[])) and passage_id between :first and :last
  and collection_id = :collection_id and wanted = 'present' and state = 'delivered'
  and (cast(:document_id as uuid) is null or document_id = :document_id)
order by passage_id
limit :limit;

-- name: marker_states
select k.bot_id, k.passage_id, k.wanted, k.state, k.row_hash, k.vector_digest, k.delivered_at as proven_at
from unnest(cast(:bot_ids as uuid[]), cast(:passage_ids as uuid[])) as r (bot_id, passage_id)
join markers k on k.bot_id = r.bot_id and k.passage_id = r.passage_id and k.collection_id = :collection_id;

-- name: lock_proven
select passage_id from markers
where bot_id = :bot_id and collection_id = :collection_id and passage_id = any(cast(:passage_ids as uuid[]))
  and wanted = 'present' and state = 'delivered'
order by passage_id
for update;

-- name: reopen
-- The row hash is the one of the content as the catalog has it: what the marker said may be the very thing that was altered.
update markers k
set state = 'pending', attempts = 0, next_attempt_at = clock_timestamp(), copy_from = null, row_hash = r.row_hash
from jsonb_to_recordset(cast(:rows as jsonb)) as r (passage_id uuid, row_hash text)
where k.bot_id = :bot_id and k.passage_id = r.passage_id and k.collection_id = :collection_id;

-- name: unmarked_members
-- Passages that a generation holds and no marker wants: somebody altered or removed markers.
select m.document_id, count(distinct m.passage_id) as passages
from membership m
left join markers k on k.bot_id = :bot_id and k.passage_id = m.passage_id and k.collection_id = :collection_id
where m.bot_id = :bot_id and (k.wanted is null or k.wanted = 'absent')
group by m.document_id;

-- name: unmarked_contents
select p.passage_id, p.document_id, p.part, p.text, p.related_nodes, q.*
from passages p
join qa_pairs q on q.bot_id = :bot_id and q.qa_id = p.qa_id and q.since_generation = p.since_generation
where p.bot_id = :bot_id and p.document_id = :document_id
  and p.passage_id in (
      select m.passage_id from membership m
      left join markers k on k.bot_id = :bot_id and k.passage_id = m.passage_id and k.collection_id = :collection_id
      where m.bot_id = :bot_id and m.document_id = :document_id and (k.wanted is null or k.wanted = 'absent')
  );

-- name: copy_passages
insert into passages (
    bot_id, passage_id, document_id, qa_id, since_generation, part, text, text_hash, related_nodes, lexemes, term_count,
    analysis
)
select :bot_id, r.passage_id, p.document_id, p.qa_id, p.since_generation, p.part, p.text, p.text_hash, p.related_nodes,
       p.lexemes, p.term_count, p.analysis
from jsonb_to_recordset(cast(:rows as jsonb)) as r (passage_id uuid, old_id uuid)
join passages p on p.passage_id = r.old_id
where p.bot_id = :bot_id and p.passage_id = any(cast(:passage_ids as uuid[]));

-- name: copy_sources
insert into document_sources (bot_id, passage_id, document_id, name, object_path, page, section, excerpt)
select :bot_id, r.passage_id, s.document_id, s.name, s.object_path, s.page, s.section, s.excerpt
from jsonb_to_recordset(cast(:rows as jsonb)) as r (passage_id uuid, old_id uuid)
join document_sources s on s.passage_id = r.old_id
where s.bot_id = :bot_id and s.passage_id = any(cast(:passage_ids as uuid[]));

-- name: replace_members
update membership m
set passage_id = r.passage_id
from jsonb_to_recordset(cast(:rows as jsonb)) as r (passage_id uuid, old_id uuid)
where m.bot_id = :bot_id and m.document_id = :document_id and m.passage_id = r.old_id;

-- name: known_passages
-- Passages that may be in the index without being proven: on their way in, or on their way out.
select count(*) as known from markers
where bot_id = :bot_id and collection_id = :collection_id and state <> 'delivered';

-- name: readiness
-- Whether every member of the building generation is proven on the bot's collection as it is now.
select g.passage_count as sealed,
       (select count(*) from membership m
        where m.bot_id = :bot_id and m.document_id = :document_id and m.generation = :generation) as members,
       (select count(*) from membership m
        join markers k on k.bot_id = :bot_id and k.passage_id = m.passage_id
        join bots b on b.bot_id = :bot_id and b.collection_id = k.collection_id
        join collections c on c.collection_id = k.collection_id
        where m.bot_id = :bot_id and m.document_id = :document_id and m.generation = :generation
          and k.wanted = 'present' and k.state = 'delivered'
          and k.proven_incarnation = c.incarnation) as delivered
from generations g
where g.bot_id = :bot_id and g.document_id = :document_id and g.generation = :generation and g.state = 'building';

-- name: keep_live
update generations set state = 'kept'
where bot_id = :bot_id and document_id = :document_id and state = 'live';

-- name: make_live
update generations set state = 'live', live_at = now()
where bot_id = :bot_id and document_id = :document_id and generation = :generation;

-- name: bury_old_kept
update generations set state = 'dead'
where bot_id = :bot_id and document_id = :document_id and state = 'kept'
  and generation not in (
      select generation from generations
      where bot_id = :bot_id and document_id = :document_id and state = 'kept'
      order by generation desc
      limit :kept
  );

-- name: flip_document
update documents d
set live_generation = :generation, building_generation = null, state = 'live', reason = null, updated_at = now(),
    corrects = g.corrects, corrects_document = g.corrects_document, corrects_hash = g.corrects_hash
from generations g
where d.bot_id = :bot_id and d.document_id = :document_id
  and g.bot_id = :bot_id and g.document_id = :document_id and g.generation = :generation;

-- name: pin_of_document
-- Whether a snapshot under way has superseded passages wait. What was deleted does not wait for anything.
select c.name from claims c
where c.name = :name and c.leased_until > clock_timestamp()
  and not exists (
      select from tombstones t
      where t.bot_id = :bot_id and t.document_id = :document_id and t.swept_at is null
  );

-- name: drop_dead_membership
delete from membership m
using generations g
where g.bot_id = :bot_id and g.document_id = :document_id and g.state = 'dead'
  and m.bot_id = :bot_id and m.document_id = :document_id and m.generation = g.generation;

-- name: want_absent
-- What no generation holds any more, in whatever collection; a lease that is under way on it ends, and its proof will no
-- longer count. The array is made once: as a join it would be compared with every marker of a bot that was taken for small.
update markers
set wanted = 'absent', state = 'pending', attempts = 0, next_attempt_at = clock_timestamp(),
    lease_token = null, leased_until = null, last_error = null
where bot_id = :bot_id and wanted = 'present' and passage_id = any (array(
    select k.passage_id from markers k
    where k.bot_id = :bot_id and k.document_id = :document_id and k.wanted = 'present'
      and not exists (
          select from membership m
          where m.bot_id = :bot_id and m.document_id = :document_id and m.passage_id = k.passage_id
      )
    limit :limit
));

-- name: drop_dead_generations
delete from generations where bot_id = :bot_id and document_id = :document_id and state = 'dead';

-- name: leftovers_of_document
select (select count(*) from passages where bot_id = :bot_id and document_id = :document_id) as passages,
       (select count(*) from markers where bot_id = :bot_id and document_id = :document_id
        and not (wanted = 'absent' and state = 'delivered')) as markers;

-- name: sweep_tombstone
update tombstones set swept_at = now() where tombstone_id = :tombstone_id;

-- name: open_tombstones
select * from tombstones
where bot_id = :bot_id and swept_at is null and document_id = :document_id and kind in ('document', 'pair');

-- name: insert_receipt
insert into receipts (tombstone_id, bot_id, counts)
select t.tombstone_id, t.bot_id, t.counts || cast(:more as jsonb)
from tombstones t
where t.tombstone_id = :tombstone_id
on conflict do nothing;

-- name: provisional_receipts
-- Old enough for a second look: no function that was alive at the first one is alive now.
select r.tombstone_id, t.kind, t.bot_id, t.document_id, t.qa_id, t.generation
from receipts r join tombstones t on t.tombstone_id = r.tombstone_id
where r.state = 'provisional' and r.provisional_at < now() - make_interval(secs => :age_seconds)
order by r.provisional_at
limit :limit;

-- name: absent_passages
select passage_id, collection_id from markers
where bot_id = :bot_id and document_id = :document_id and wanted = 'absent';

-- name: finish_receipt
update receipts set state = 'final', final_at = now(), verified = cast(:verified as jsonb)
where tombstone_id = :tombstone_id and state = 'provisional';

-- name: drop_absent_markers_of
delete from markers k
using tombstones t
where t.tombstone_id = :tombstone_id and t.kind = 'document'
  and k.bot_id = t.bot_id and k.document_id = t.document_id
  and k.wanted = 'absent' and k.state = 'delivered';

-- name: drop_old_absent_markers
-- Superseded passages that were proven absent long enough ago that no stalled worker can bring them back.
delete from markers
where bot_id = :bot_id and wanted = 'absent' and state = 'delivered'
  and delivered_at < now() - make_interval(secs => :age_seconds)
  and not exists (
      select from tombstones t
      join receipts r on r.tombstone_id = t.tombstone_id
      where t.bot_id = :bot_id and t.document_id = markers.document_id and r.state = 'provisional'
  );

-- name: scrub_logs
-- Answers that quoted a deleted document keep their figures and lose their words.
update query_logs
set answer = null, citations = '[]', document_ids = array_remove(document_ids, cast(:document_id as uuid))
where bot_id = :bot_id and document_ids @> array[cast(:document_id as uuid)];
