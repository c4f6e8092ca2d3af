-- What a snapshot copies of a bot: what is live, its logs, and the proofs of what was deleted. All in one read view.

-- name: snapshot_fingerprints
-- By table, what changes with every change of a row. A newer row has a newer transaction, so neither sum can stay the same;
-- the times are for a catalog that was set back, where numbers of transactions come again.
select 'documents' as name, count(*) as rows, sum(xmin::text::bigint) as versions, sum(extract(epoch from updated_at)) as times
from documents where bot_id = :bot_id
union all
select 'generations', count(*), sum(xmin::text::bigint), sum(extract(epoch from coalesce(live_at, sealed_at, created_at)))
from generations where bot_id = :bot_id
union all
select 'membership', count(*), sum(xmin::text::bigint), 0 from membership where bot_id = :bot_id
union all
select 'qa_pairs', count(*), sum(xmin::text::bigint), sum(extract(epoch from updated_at)) from qa_pairs where bot_id = :bot_id
union all
select 'passages', count(*), sum(xmin::text::bigint), sum(extract(epoch from created_at)) from passages where bot_id = :bot_id
union all
select 'document_sources', count(*), sum(xmin::text::bigint), 0 from document_sources where bot_id = :bot_id
union all
select 'relations', count(*), sum(xmin::text::bigint), sum(extract(epoch from created_at)) from relations
where bot_id = :bot_id and origin = 'explicit'
union all
select 'markers', count(*), sum(xmin::text::bigint), sum(extract(epoch from coalesce(delivered_at, created_at)))
from markers where bot_id = :bot_id
union all
select 'bots', count(*), sum(xmin::text::bigint), sum(extract(epoch from updated_at)) from bots where bot_id = :bot_id
union all
select 'query_logs', count(*), sum(xmin::text::bigint), sum(extract(epoch from created_at)) from query_logs where bot_id = :bot_id

-- name: snapshot_documents
select document_id, object_key, state, reason, seen_version, last_generation, live_generation, created_at, updated_at
from documents
where bot_id = :bot_id and deleted_at is null and live_generation is not null
order by document_id

-- name: snapshot_generations
select document_id, generation, version, content_hash, title, pair_count, passage_count, created_at, sealed_at, live_at,
       corrects, corrects_document, corrects_hash
from generations
where bot_id = :bot_id and state = 'live'
order by document_id

-- name: live_membership
-- A fragment, put in place of {live_membership}.
membership m
join generations g on g.bot_id = :bot_id and g.document_id = m.document_id and g.generation = m.generation
    and g.state = 'live'

-- name: snapshot_passages
select p.passage_id, p.document_id, p.qa_id, p.since_generation, p.part, p.text, p.text_hash, p.related_nodes, p.lexemes,
       p.term_count, p.analysis, p.created_at
from {live_membership}
join passages p on p.bot_id = :bot_id and p.passage_id = m.passage_id
where m.bot_id = :bot_id
order by p.document_id, p.passage_id

-- name: snapshot_qa_pairs
select q.qa_id, q.since_generation, q.document_id, q.external_id, q.content_hash, q.question, q.response, q.heading_path,
       q.category, q.subcategory, q.source, q.source_type, q.author, q.published_at, q.language, q.difficulty, q.tags,
       q.metadata, q.is_active, q.addresses, q.links, q.created_at, q.updated_at
from qa_pairs q
where q.bot_id = :bot_id
  and exists (
      select from {live_membership}
      join passages p on p.bot_id = :bot_id and p.passage_id = m.passage_id
      where m.bot_id = :bot_id and m.document_id = q.document_id
        and p.qa_id = q.qa_id and p.since_generation = q.since_generation
  )
order by q.document_id, q.qa_id

-- name: snapshot_document_sources
select s.passage_id, s.document_id, s.name, s.object_path, s.page, s.section, s.excerpt
from {live_membership}
join document_sources s on s.bot_id = :bot_id and s.passage_id = m.passage_id
where m.bot_id = :bot_id
order by s.document_id, s.passage_id

-- name: snapshot_relations
-- What was found by similarity, or by an id in another document, is derived, and found again.
select r.source_qa_id, r.target_qa_id, r.type, r.since_generation, r.document_id, r.confidence, r.origin,
       r.target_external_id, r.created_at
from relations r
where r.bot_id = :bot_id
  and r.origin = 'explicit'
  and exists (
      select from {live_membership}
      join passages p on p.bot_id = :bot_id and p.passage_id = m.passage_id
      where m.bot_id = :bot_id and m.document_id = r.document_id
        and p.qa_id = r.source_qa_id and p.since_generation = r.since_generation
  )
order by r.document_id, r.source_qa_id

-- name: snapshot_query_logs
select query_id, question, answer, abstained, user_id, session_id, response_time_ms, score, document_ids, citations,
       feedback, feedback_comment, created_at
from query_logs where bot_id = :bot_id order by created_at

-- name: snapshot_analytics
select day, questions, abstentions, feedback_up, feedback_down, response_time_ms_p50, response_time_ms_p95
from analytics where bot_id = :bot_id order by day

-- name: snapshot_tombstones
select tombstone_id, kind, document_id, qa_id, object_key, counts, created_at, swept_at
from tombstones where bot_id = :bot_id order by created_at

-- name: snapshot_receipts
select tombstone_id, state, counts, provisional_at, final_at
from receipts where bot_id = :bot_id order by provisional_at

-- name: snapshot_vector_digests
-- What was proven of the vectors of those passages, on the bot's collection.
select m.passage_id, k.vector_digest
from {live_membership}
join bots b on b.bot_id = :bot_id
join markers k on k.bot_id = :bot_id and k.passage_id = m.passage_id and k.collection_id = b.collection_id
    and k.state = 'delivered' and k.wanted = 'present'
where m.bot_id = :bot_id
order by m.document_id, m.passage_id

-- Restoring: from temporary tables that hold the files as they are, with the bot's id of this deployment and new passage ids.

-- name: restore_documents
insert into documents (
    bot_id, document_id, object_key, state, reason, last_generation, building_generation, created_at, updated_at
)
select :bot_id, document_id, :slug || substr(object_key, strpos(object_key, '/')), 'building', null, last_generation,
       live_generation, created_at, updated_at
from restored_documents

-- name: restore_generations
insert into generations (
    bot_id, document_id, generation, state, version, content_hash, title, pair_count, passage_count, created_at, sealed_at,
    corrects, corrects_document, corrects_hash
)
select :bot_id, document_id, generation, 'building', version, content_hash, title, pair_count, passage_count, created_at,
       sealed_at, corrects, corrects_document, corrects_hash
from restored_generations

-- name: restore_passages
insert into passages (
    bot_id, passage_id, document_id, qa_id, since_generation, part, text, text_hash, related_nodes, lexemes, term_count,
    analysis, created_at
)
select :bot_id, cast(md5(:restore_id || cast(passage_id as text)) as uuid), document_id, qa_id, since_generation, part,
       text, text_hash, related_nodes, lexemes, coalesce(term_count, 0), coalesce(analysis, 1), created_at
from restored_passages

-- name: restore_membership
insert into membership (bot_id, document_id, generation, passage_id)
select :bot_id, p.document_id, g.generation, cast(md5(:restore_id || cast(p.passage_id as text)) as uuid)
from restored_passages p join restored_generations g on g.document_id = p.document_id

-- name: restore_document_sources
insert into document_sources (bot_id, passage_id, document_id, name, object_path, page, section, excerpt)
select :bot_id, cast(md5(:restore_id || cast(passage_id as text)) as uuid), document_id, name, object_path, page, section,
       excerpt
from restored_document_sources

-- name: restore_qa_pairs
insert into qa_pairs (
    bot_id, qa_id, since_generation, document_id, external_id, content_hash, question, response, heading_path, category,
    subcategory, source, source_type, author, published_at, language, difficulty, tags, metadata, is_active, addresses,
    links, created_at, updated_at
)
select :bot_id, qa_id, since_generation, document_id, external_id, content_hash, question, response, heading_path, category,
       subcategory, source, source_type, author, published_at, language, difficulty, tags, metadata, is_active,
       coalesce(addresses, '{}'), coalesce(links, '{}'), created_at, updated_at
from restored_qa_pairs

-- name: restore_relations
insert into relations (
    bot_id, source_qa_id, target_qa_id, type, since_generation, document_id, confidence, origin, target_external_id,
    created_at
)
select :bot_id, source_qa_id, target_qa_id, type, since_generation, document_id, confidence, origin, target_external_id,
       created_at
from restored_relations

-- name: restore_query_logs
insert into query_logs (
    bot_id, query_id, question, answer, abstained, user_id, session_id, response_time_ms, score, document_ids, citations,
    feedback, feedback_comment, created_at
)
select :bot_id, query_id, question, answer, abstained, user_id, session_id, response_time_ms, score, document_ids,
       citations, feedback, feedback_comment, created_at
from restored_query_logs

-- name: restore_analytics
insert into analytics (
    bot_id, day, questions, abstentions, feedback_up, feedback_down, response_time_ms_p50, response_time_ms_p95
)
select :bot_id, day, questions, abstentions, feedback_up, feedback_down, response_time_ms_p50, response_time_ms_p95
from restored_analytics

-- name: restore_tombstones
insert into tombstones (tombstone_id, kind, bot_id, document_id, qa_id, object_key, counts, created_at, swept_at)
select tombstone_id, kind, :bot_id, document_id, qa_id, object_key, counts, created_at, coalesce(swept_at, now())
from restored_tombstones
on conflict do nothing

-- name: restore_receipts
insert into receipts (tombstone_id, bot_id, state, counts, provisional_at, final_at)
select tombstone_id, :bot_id, 'final', counts, provisional_at, coalesce(final_at, now())
from restored_receipts
on conflict do nothing

-- name: insert_restoring_bot
-- It answers nothing, is not listed and not synchronised until it is whole.
insert into bots (bot_id, slug, name, collection_id, settings, state)
values (:bot_id, :slug, :name, :collection_id, cast(:settings as jsonb), 'restoring');

-- name: activate_restored_bot
update bots set state = 'active', updated_at = now() where bot_id = :bot_id and state = 'restoring';

-- name: bot_state
select state from bots where bot_id = :bot_id;

-- name: restoring_bots
select bot_id, slug from bots where state = 'restoring' order by slug;

-- name: restored_counts
-- What there is of a restored bot, by table.
select (select count(*) from documents where bot_id = :bot_id) as documents,
       (select count(*) from generations where bot_id = :bot_id) as generations,
       (select count(*) from qa_pairs where bot_id = :bot_id) as qa_pairs,
       (select count(*) from passages where bot_id = :bot_id) as passages,
       (select count(*) from document_sources where bot_id = :bot_id) as document_sources,
       (select count(*) from relations where bot_id = :bot_id) as relations,
       (select count(*) from query_logs where bot_id = :bot_id) as query_logs,
       (select count(*) from analytics where bot_id = :bot_id) as analytics;

-- name: restored_passages
-- The passages of a restored bot, and how many of them were read back from the index as they must be.
select (select count(*) from passages where bot_id = :bot_id) as passages,
       (select count(*) from markers k join collections c on c.collection_id = k.collection_id
        where k.bot_id = :bot_id and k.state = 'delivered' and k.wanted = 'present'
          and k.proven_incarnation = c.incarnation) as proven;

-- name: drop_receipts_of_bot
delete from receipts where bot_id = :bot_id;

-- name: drop_tombstones_of_bot
delete from tombstones where bot_id = :bot_id;

-- name: drop_restoring_bot
-- It was never active, so its slug was never given out.
delete from bots where bot_id = :bot_id and state = 'restoring';

-- name: unmarked_passages
-- Passages of a bot that is being restored, a stretch at a time, with what their rows are made from.
select p.passage_id, p.document_id, p.part, p.text, p.related_nodes, q.*
from passages p
join qa_pairs q on q.bot_id = :bot_id and q.qa_id = p.qa_id and q.since_generation = p.since_generation
where p.bot_id = :bot_id and p.passage_id > :after
order by p.passage_id
limit :limit

-- name: insert_restored_markers
insert into markers (bot_id, passage_id, collection_id, document_id, since_generation, row_hash)
select :bot_id, r.passage_id, :collection_id, r.document_id, r.since_generation, r.row_hash
from jsonb_to_recordset(cast(:rows as jsonb)) as r (
    passage_id uuid, document_id uuid, since_generation integer, row_hash text
)
