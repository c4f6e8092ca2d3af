-- What a person changes afterwards: retry, roll back.

-- name: stuck_documents
-- What a retry may help: documents that failed or were rejected, and passages of live ones that could not be delivered again.
select document_id from documents
where bot_id = :bot_id and state in ('failed', 'rejected')
union
select document_id from markers
where bot_id = :bot_id and state = 'failed'
order by document_id;

-- name: reopen_failed
update markers
set state = 'pending', attempts = 0, next_attempt_at = clock_timestamp(), lease_token = null, leased_until = null,
    last_error = null
where bot_id = :bot_id and document_id = :document_id and state = 'failed';

-- name: build_again
update documents set state = 'building', reason = null, updated_at = now()
where bot_id = :bot_id and document_id = :document_id and state = 'failed' and building_generation is not null;

-- name: forget_rejection
-- The version that was rejected counts as not seen: the next look parses it again.
update documents set seen_version = null, updated_at = now()
where bot_id = :bot_id and document_id = :document_id and state = 'rejected';

-- name: generations
select generation, state, version, title, coalesce(pair_count, 0) as pairs, coalesce(passage_count, 0) as passages,
       created_at, live_at
from generations
where bot_id = :bot_id and document_id = :document_id and state <> 'dead'
order by generation desc;

-- name: kept_generation
-- The one that is asked for, else the newest.
select generation from generations
where bot_id = :bot_id and document_id = :document_id and state = 'kept'
  and (cast(:generation as integer) is null or generation = cast(:generation as integer))
order by generation desc
limit 1;

-- name: begin_rollback
-- The newest version of the object stays the seen one: only a newer one replaces what is rolled back to. A look that is
-- under way, of a worker that stalled, can no longer commit.
update documents
set last_generation = last_generation + 1, building_generation = last_generation + 1, staging_generation = null,
    epoch = epoch + 1, lease_token = null, leased_until = null, state = 'building', reason = null, updated_at = now()
where bot_id = :bot_id and document_id = :document_id
returning last_generation as generation;

-- name: copy_generation
insert into generations (
    bot_id, document_id, generation, state, version, content_hash, title, pair_count, passage_count, sealed_at,
    corrects, corrects_document, corrects_hash
)
select bot_id, document_id, cast(:generation as integer), 'building', version, content_hash, title, pair_count,
       passage_count, now(), corrects, corrects_document, corrects_hash
from generations
where bot_id = :bot_id and document_id = :document_id and generation = :kept;

-- name: copy_membership
insert into membership (bot_id, document_id, generation, passage_id)
select bot_id, document_id, cast(:generation as integer), passage_id
from membership
where bot_id = :bot_id and document_id = :document_id and generation = :kept;
