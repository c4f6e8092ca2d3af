-- A change of embedder: markers for the next collection, the move, and leaving the former one.

-- name: other_collections
-- A fragment, put in place of {other_collections}: the collections that hold rows of the bot b beside its own.
(select to_jsonb(n) from collections n where n.collection_id = b.next_collection_id) as next_collection,
(select to_jsonb(f) from collections f where f.collection_id = b.former_collection_id) as former_collection

-- name: lock_change
select state, collection_id, next_collection_id, former_collection_id,
       cast(extract(epoch from clock_timestamp() - changed_at) as double precision) as seconds_ago
from bots
where bot_id = :bot_id
for update;

-- name: begin_change
-- From its commit on, whoever writes a passage of the bot writes markers for both collections.
update bots set next_collection_id = :collection_id, former_collection_id = null, updated_at = now()
where bot_id = :bot_id;

-- name: cancel_change
update bots
set former_collection_id = next_collection_id, next_collection_id = null, changed_at = clock_timestamp(), updated_at = now()
where bot_id = :bot_id;

-- name: move_bot
update bots
set former_collection_id = collection_id, collection_id = next_collection_id, next_collection_id = null,
    changed_at = clock_timestamp(), updated_at = now()
where bot_id = :bot_id;

-- name: leave_collection
update bots set former_collection_id = null, changed_at = clock_timestamp(), updated_at = now()
where bot_id = :bot_id and former_collection_id = :collection_id;

-- name: insert_next_markers
-- For a stretch of passages, in the order of their ids; answers with the last of them. A marker that is being changed is left
-- out, so that none is made for a passage that has just died.
with stretch as (
    select k.passage_id, k.document_id, k.since_generation, k.row_hash
    from markers k
    join bots b on b.bot_id = k.bot_id
    where k.bot_id = :bot_id and b.bot_id = :bot_id and k.passage_id > :after and k.collection_id = b.collection_id
      and k.wanted = 'present'
    order by k.passage_id
    limit :limit
    for share of k skip locked
), inserted as (
    insert into markers (bot_id, passage_id, collection_id, document_id, since_generation, row_hash)
    select :bot_id, passage_id, :collection_id, document_id, since_generation, row_hash from stretch
    on conflict do nothing
)
select passage_id from stretch order by passage_id desc limit 1;

-- name: retry_markers
-- Whatever could not be delivered to that collection is tried again, and at once.
update markers
set state = 'pending', attempts = 0, next_attempt_at = clock_timestamp()
where bot_id = :bot_id and collection_id = :collection_id and wanted = 'present' and state <> 'delivered' and attempts > 0
  and (leased_until is null or leased_until < clock_timestamp());

-- name: retry_documents
-- What could not flip in the former collection may be able to now.
update documents set state = 'building', reason = null, updated_at = now()
where bot_id = :bot_id and state = 'failed' and building_generation is not null;

-- name: change_progress
-- What a bot needs before it can move: every member of a live or a kept generation, proven there on the collection as it is
-- now, and a marker for whatever else may become one.
with held as (
    select distinct m.passage_id
    from generations g
    join membership m on m.bot_id = :bot_id and m.document_id = g.document_id and m.generation = g.generation
    where g.bot_id = :bot_id and g.state in ('live', 'kept')
)
select
    (select count(*) from held) as passages,
    (select count(*) from held
     join markers k on k.bot_id = :bot_id and k.passage_id = held.passage_id and k.collection_id = :collection_id
     where k.wanted = 'present' and k.state = 'delivered'
       and k.proven_incarnation = (select c.incarnation from collections c where c.collection_id = :collection_id)
    ) as proven,
    (select count(*) from markers k
     join bots b on b.bot_id = :bot_id
     where k.bot_id = :bot_id and k.collection_id = b.collection_id and k.wanted = 'present'
       and not exists (
           select from markers n
           where n.bot_id = :bot_id and n.passage_id = k.passage_id and n.collection_id = :collection_id
       )
    ) as unmarked,
    (select count(*) from markers k
     where k.bot_id = :bot_id and k.collection_id = :collection_id and k.wanted = 'present' and k.state = 'pending'
       and k.leased_until >= clock_timestamp()
    ) as leased;

-- name: change_failures
select d.object_key, k.passage_id, k.last_error
from markers k
join documents d on d.bot_id = :bot_id and d.document_id = k.document_id
where k.bot_id = :bot_id and k.collection_id = :collection_id and k.wanted = 'present' and k.state <> 'delivered'
  and k.last_error is not null
order by k.attempts desc
limit :limit;

-- name: drop_left_markers
-- Of passages that live on in the bot's own collection, or that are proven gone. Those that are about to go stay, so that
-- whoever proves them gone removes the passages too.
delete from markers
where bot_id = :bot_id and collection_id = :collection_id and passage_id = any (array(
    select k.passage_id
    from markers k
    join bots b on b.bot_id = :bot_id
    join markers c on c.bot_id = :bot_id and c.passage_id = k.passage_id and c.collection_id = b.collection_id
    where k.bot_id = :bot_id and k.collection_id = :collection_id
      and (c.wanted = 'present' or k.wanted = 'absent' and k.state = 'delivered')
    limit :limit
    for update of k, c skip locked
));

-- name: drop_proven_markers
-- Those of passages that were swept before, of which the bot's own collection may know nothing any more.
delete from markers
where bot_id = :bot_id and collection_id = :collection_id and wanted = 'absent' and state = 'delivered';

-- name: has_markers
select exists (select from markers where bot_id = :bot_id and collection_id = :collection_id) as has_markers;
