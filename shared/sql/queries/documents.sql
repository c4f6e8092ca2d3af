-- One object: observe it, stage its content, seal, conclude, remove.

-- name: insert_document
insert into documents (bot_id, document_id, object_key)
values (:bot_id, :document_id, :object_key)
on conflict (bot_id, object_key) where deleted_at is null do nothing;

-- name: lock_document_of_object
select *, coalesce(leased_until > clock_timestamp(), false) as is_leased
from documents
where bot_id = :bot_id and object_key = :object_key and deleted_at is null
for update;

-- name: lock_document
select *, coalesce(leased_until > clock_timestamp(), false) as is_leased
from documents
where bot_id = :bot_id and document_id = :document_id
for update;

-- name: ask_to_look_again
update documents set look_again = true where bot_id = :bot_id and document_id = :document_id;

-- name: begin_look
update documents
set epoch = epoch + 1,
    lease_token = :lease_token,
    leased_until = clock_timestamp() + make_interval(secs => :lease_seconds),
    look_again = false
where bot_id = :bot_id and document_id = :document_id
returning epoch;

-- name: insert_observation
insert into observations (bot_id, document_id, epoch) values (:bot_id, :document_id, :epoch);

-- name: live_content_hash
select g.content_hash
from generations g
where g.bot_id = :bot_id and g.document_id = :document_id and g.state = 'live';

-- name: conclude_look
-- Ends the lease; the version counts as seen, whatever came of it.
update documents
set seen_version = :version,
    state = :state,
    reason = :reason,
    lease_token = null,
    leased_until = null,
    updated_at = now()
where bot_id = :bot_id and document_id = :document_id;

-- name: release_look
-- Ends the lease without an outcome: the same version will be looked at again.
update documents set lease_token = null, leased_until = null
where bot_id = :bot_id and document_id = :document_id and epoch = :epoch;

-- name: put_off_look
-- Ends the lease for want of time: what is staged waits for the look that goes on. Of a look that failed, nothing is asked
-- for again, which tells the two apart.
update documents set look_again = true, lease_token = null, leased_until = null
where bot_id = :bot_id and document_id = :document_id;

-- name: count_staged_pairs
update generations set pair_count = :pairs
where bot_id = :bot_id and document_id = :document_id and state = 'staging';

-- name: staged_generation
select generation, version, pair_count from generations
where bot_id = :bot_id and document_id = :document_id and generation = :generation;

-- name: conclude_observation
update observations
set version = :version, size = :size, outcome = :outcome, reason = :reason, generation = :generation, finished_at = now()
where bot_id = :bot_id and document_id = :document_id and epoch = :epoch;

-- name: conclude_removal
update observations set outcome = 'removed', finished_at = now()
where bot_id = :bot_id and document_id = :document_id and epoch = :epoch and outcome = 'looking';

-- name: drop_old_observations
delete from observations where bot_id = :bot_id and document_id = :document_id and epoch <= :epoch - 20;

-- name: drop_document
delete from documents where bot_id = :bot_id and document_id = :document_id;

-- name: drop_observations
delete from observations where bot_id = :bot_id and document_id = :document_id;

-- name: extend_look
update documents set leased_until = clock_timestamp() + make_interval(secs => :lease_seconds)
where bot_id = :bot_id and document_id = :document_id;

-- name: begin_generation
update documents
set last_generation = last_generation + 1, staging_generation = last_generation + 1
where bot_id = :bot_id and document_id = :document_id
returning last_generation as generation;

-- name: insert_generation
insert into generations (
    bot_id, document_id, generation, version, content_hash, title, corrects, corrects_document, corrects_hash
)
values (
    :bot_id, :document_id, :generation, :version, :content_hash, :title, :corrects, :corrects_document, :corrects_hash
);

-- name: unchanged_pairs
-- Of the pairs that are offered, those that the live, a kept or the staging generation has with the same content.
select distinct on (q.qa_id) q.qa_id, q.since_generation
from jsonb_to_recordset(cast(:pairs as jsonb)) as offered (qa_id uuid, content_hash text, addresses text[], links text[])
join qa_pairs q on q.bot_id = :bot_id and q.qa_id = offered.qa_id and q.content_hash = offered.content_hash
    and q.addresses = offered.addresses and q.links = offered.links
join passages p on p.bot_id = :bot_id and p.qa_id = q.qa_id and p.since_generation = q.since_generation
join membership m on m.bot_id = :bot_id and m.document_id = :document_id and m.passage_id = p.passage_id
join generations g on g.bot_id = :bot_id and g.document_id = :document_id and g.generation = m.generation
where g.state in ('live', 'kept', 'staging')
order by q.qa_id, q.since_generation desc;

-- name: keep_unchanged
-- Those among them that are members already are so by a look that was put off.
insert into membership (bot_id, document_id, generation, passage_id)
select distinct :bot_id, :document_id, cast(:generation as integer), p.passage_id
from jsonb_to_recordset(cast(:pairs as jsonb)) as kept (qa_id uuid, since_generation integer)
join passages p on p.bot_id = :bot_id and p.qa_id = kept.qa_id and p.since_generation = kept.since_generation
join membership m on m.bot_id = :bot_id and m.document_id = :document_id and m.passage_id = p.passage_id
join generations g on g.bot_id = :bot_id and g.document_id = :document_id and g.generation = m.generation
where g.state in ('live', 'kept', 'staging')
on conflict do nothing;

-- name: insert_pairs
insert into qa_pairs (
    bot_id, qa_id, since_generation, document_id, external_id, content_hash, question, response, heading_path,
    category, subcategory, source, source_type, author, published_at, language, difficulty, tags, metadata, is_active,
    addresses, links, created_at
)
select
    :bot_id, r.qa_id, :generation, :document_id, r.external_id, r.content_hash, r.question, r.response, r.heading_path,
    r.category, r.subcategory, r.source, r.source_type, r.author, r.published_at, r.language, r.difficulty, r.tags,
    r.metadata, r.is_active, r.addresses, r.links,
    coalesce((select min(o.created_at) from qa_pairs o where o.bot_id = :bot_id and o.qa_id = r.qa_id), now())
from jsonb_to_recordset(cast(:rows as jsonb)) as r (
    qa_id uuid, external_id text, content_hash text, question text, response text, heading_path text[],
    category text, subcategory text, source text, source_type text, author text, published_at timestamptz,
    language text, difficulty text, tags text[], metadata jsonb, is_active boolean, addresses text[], links text[]
);

-- name: insert_passages
insert into passages (
    bot_id, passage_id, document_id, qa_id, since_generation, part, text, text_hash, related_nodes, lexemes, term_count,
    analysis
)
select :bot_id, r.passage_id, :document_id, r.qa_id, :generation, r.part, r.text, r.text_hash, r.related_nodes,
       cast(r.lexemes as tsvector), r.term_count, r.analysis
from jsonb_to_recordset(cast(:rows as jsonb)) as r (
    passage_id uuid, qa_id uuid, part integer, text text, text_hash text, related_nodes jsonb, lexemes text,
    term_count integer, analysis smallint
);

-- name: insert_membership
insert into membership (bot_id, document_id, generation, passage_id)
select :bot_id, :document_id, :generation, r.passage_id
from jsonb_to_recordset(cast(:rows as jsonb)) as r (passage_id uuid);

-- name: insert_sources
insert into document_sources (bot_id, passage_id, document_id, name, object_path, page, section, excerpt)
select :bot_id, r.passage_id, :document_id, r.name, r.object_path, r.page, r.section, r.excerpt
from jsonb_to_recordset(cast(:rows as jsonb)) as r (
    passage_id uuid, name text, object_path text, page integer, section text, excerpt text
);

-- name: insert_relations
insert into relations (
    bot_id, source_qa_id, target_qa_id, type, since_generation, document_id, confidence, target_external_id
)
select :bot_id, r.source_qa_id, r.target_qa_id, r.type, :generation, :document_id, r.confidence, r.target_external_id
from jsonb_to_recordset(cast(:rows as jsonb)) as r (
    source_qa_id uuid, target_qa_id uuid, type text, confidence real, target_external_id text
)
on conflict do nothing;

-- name: insert_markers
-- For the bot's collection, and during a change of embedder for the next one too. A delivered passage of the document, or of
-- the one that it corrects, lends its vectors: one with the same text, else one of the same pair as it was, of which the
-- question or the text may be the same.
insert into markers (bot_id, passage_id, collection_id, document_id, since_generation, row_hash, copy_from)
select :bot_id, r.passage_id, c.collection_id, :document_id, :generation, r.row_hash, coalesce(
    (
        select p.passage_id
        from passages p
        join markers k on k.bot_id = p.bot_id and k.passage_id = p.passage_id and k.collection_id = c.collection_id
        where p.bot_id = :bot_id and p.text_hash = r.text_hash
          and p.document_id in (:document_id, cast(:corrects_document as uuid))
          and k.wanted = 'present' and k.state = 'delivered'
        limit 1
    ), (
        select p.passage_id
        from passages p
        join markers k on k.bot_id = p.bot_id and k.passage_id = p.passage_id and k.collection_id = c.collection_id
        where p.bot_id = :bot_id and p.qa_id in (r.qa_id, cast(:corrects as uuid))
          and k.wanted = 'present' and k.state = 'delivered'
        order by p.text = r.text desc, p.since_generation desc
        limit 1
    )
)
from jsonb_to_recordset(cast(:rows as jsonb)) as r (
    passage_id uuid, qa_id uuid, text text, text_hash text, row_hash text
)
cross join (
    select unnest(array[b.collection_id, b.next_collection_id]) as collection_id from bots b where b.bot_id = :bot_id
) as c
where c.collection_id is not null;

-- name: generation_counts
select count(*) as passages, count(distinct p.qa_id) as pairs
from membership m
join passages p on p.bot_id = m.bot_id and p.passage_id = m.passage_id
where m.bot_id = :bot_id and m.document_id = :document_id and m.generation = :generation;

-- name: seal_generation
update generations
set state = 'building', pair_count = :pairs, passage_count = :passages, sealed_at = now()
where bot_id = :bot_id and document_id = :document_id and generation = :generation;

-- name: begin_building
update documents
set building_generation = :generation,
    staging_generation = null,
    seen_version = :version,
    state = 'building',
    reason = null,
    lease_token = null,
    leased_until = null,
    updated_at = now()
where bot_id = :bot_id and document_id = :document_id;

-- name: abandon_generations
-- Everything that is neither live nor kept: a look that came to nothing, or a building generation that cannot flip.
update generations set state = 'dead'
where bot_id = :bot_id and document_id = :document_id and state in ('staging', 'building');

-- name: forget_unfinished
update documents set staging_generation = null, building_generation = null
where bot_id = :bot_id and document_id = :document_id;

-- name: bury_generations
update generations set state = 'dead' where bot_id = :bot_id and document_id = :document_id;

-- name: bury_document
-- Answers stop with this statement's commit, and a look that is under way can no longer commit.
update documents
set state = 'deleting', deleted_at = now(), epoch = epoch + 1, look_again = false, lease_token = null, leased_until = null,
    live_generation = null, building_generation = null, staging_generation = null, updated_at = now(),
    corrects = null, corrects_document = null, corrects_hash = null
where bot_id = :bot_id and document_id = :document_id;

-- name: insert_tombstone
insert into tombstones (tombstone_id, kind, bot_id, document_id, qa_id, generation, object_key, counts)
values (:tombstone_id, :kind, :bot_id, :document_id, :qa_id, :generation, :object_key, cast(:counts as jsonb));

-- name: document_contents
select (select count(*) from generations where bot_id = :bot_id and document_id = :document_id) as generations,
       (select count(*) from qa_pairs where bot_id = :bot_id and document_id = :document_id) as qa_pairs,
       (select count(*) from passages where bot_id = :bot_id and document_id = :document_id) as passages,
       (select count(*) from passages p
        join document_sources s on s.bot_id = :bot_id and s.passage_id = p.passage_id
        where p.bot_id = :bot_id and p.document_id = :document_id) as document_sources,
       (select count(*) from relations where bot_id = :bot_id and document_id = :document_id) as relations,
       (select count(*) from markers
        where bot_id = :bot_id and document_id = :document_id
          and state = 'delivered' and wanted = 'present') as index_rows;

-- name: document_status
-- A fragment, put in place of {document_status}: what is told of the document d, whose live generation is g.
d.*, g.title, g.pair_count, g.passage_count, g.live_at,
(select b.passage_count from generations b
 where b.bot_id = :bot_id and b.document_id = d.document_id and b.generation = d.building_generation) as building_passages,
case when d.building_generation is not null then (
    select count(*) from markers k
    where k.bot_id = :bot_id and k.document_id = d.document_id and k.wanted = 'present' and k.state <> 'delivered'
      and k.collection_id = (select b.collection_id from bots b where b.bot_id = :bot_id)
) end as waiting_passages,
d.corrects is not null and not {corrected_is_live} as is_outdated

-- name: documents
select {document_status}
from documents d
left join generations g
    on g.bot_id = :bot_id and g.document_id = d.document_id and g.generation = d.live_generation
where d.bot_id = :bot_id
  and d.deleted_at is null
  and d.object_key > :after
  and (cast(:state as text) is null or d.state = :state)
order by d.object_key
limit :limit;

-- name: document
select {document_status}
from documents d
left join generations g
    on g.bot_id = :bot_id and g.document_id = d.document_id and g.generation = d.live_generation
where d.bot_id = :bot_id and d.document_id = :document_id and d.deleted_at is null;

-- name: document_of_object
select {document_status}
from documents d
left join generations g
    on g.bot_id = :bot_id and g.document_id = d.document_id and g.generation = d.live_generation
where d.bot_id = :bot_id and d.object_key = :object_key and d.deleted_at is null;

-- name: own_pair
-- A pair as its own document has it live, whether a correction replaces it or not.
select q.*, s.name as source_name, s.object_path, s.page, s.section, s.excerpt
from qa_pairs q
join documents d on d.bot_id = :bot_id and d.document_id = q.document_id and d.corrects is null
join passages p on p.bot_id = :bot_id and p.qa_id = q.qa_id and p.since_generation = q.since_generation and p.part = 0
join membership m on m.bot_id = :bot_id and m.document_id = d.document_id
    and m.generation = d.live_generation and m.passage_id = p.passage_id
join document_sources s on s.bot_id = :bot_id and s.passage_id = p.passage_id
where q.bot_id = :bot_id and q.qa_id = :qa_id;

-- name: abandoned_corrections
-- Objects that correct a pair of a document which is no longer there.
select c.object_key
from documents c
where c.bot_id = :bot_id and c.corrects_document is not null
  and not exists (
      select from documents d
      where d.bot_id = :bot_id and d.document_id = c.corrects_document and d.deleted_at is null
  )
limit :limit;

-- name: seen_objects
-- For the bucket scan: what the catalog knows of a stretch of keys, in the order of a listing.
select object_key, seen_version
from documents
where bot_id = :bot_id and deleted_at is null and object_key > :after
order by object_key
limit :limit;
