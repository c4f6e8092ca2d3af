-- The deployment, its collections and its bots.

-- name: deployment
select deployment_id from deployments;

-- name: insert_deployment
insert into deployments (deployment_id) values (:deployment_id) on conflict do nothing;

-- name: collection_by_name
select * from collections where name = :name;

-- name: insert_collection
insert into collections (collection_id, name, model_id, model_revision, dimension, metric, index_type, index_params)
values (:collection_id, :name, :model_id, :model_revision, :dimension, :metric, :index_type, cast(:index_params as jsonb))
on conflict (name) do nothing;

-- name: collections
select * from collections order by created_at;

-- name: set_incarnation
update collections set incarnation = :incarnation where collection_id = :collection_id;

-- name: insert_bot
insert into bots (bot_id, slug, name, collection_id, settings)
values (:bot_id, :slug, :name, :collection_id, cast(:settings as jsonb));

-- name: bot_by_slug
-- Answers with the deployment and the collection, so that a question needs one look only.
select b.bot_id, b.slug, b.name as bot_name, b.settings, b.created_at as bot_created_at, {other_collections},
       d.deployment_id, c.*
from bots b
join collections c on c.collection_id = b.collection_id
cross join deployments d
where b.slug = :slug and b.state = 'active';

-- name: bot_by_id
-- Of a bot in any state: what is behind it may still have to go.
select b.bot_id, b.slug, b.name as bot_name, b.settings, b.created_at as bot_created_at, {other_collections},
       d.deployment_id, c.*
from bots b
join collections c on c.collection_id = b.collection_id
cross join deployments d
where b.bot_id = :bot_id;

-- name: active_bots
select b.bot_id, b.slug, b.name as bot_name, b.settings, b.created_at as bot_created_at, {other_collections},
       d.deployment_id, c.*
from bots b
join collections c on c.collection_id = b.collection_id
cross join deployments d
where b.state = 'active'
order by b.slug;

-- name: bot_states
select bot_id, state from bots;

-- name: deleting_bots
select b.bot_id, b.slug, b.name as bot_name, b.settings, b.created_at as bot_created_at, {other_collections},
       d.deployment_id, c.*
from bots b
join collections c on c.collection_id = b.collection_id
cross join deployments d
where b.state = 'deleting'
order by b.slug;

-- name: lock_bot
select bot_id, state from bots where slug = :slug for update;

-- name: share_bot
-- Held while a document is written, so that the bot cannot begin to go in between.
select state from bots where bot_id = :bot_id for share;

-- name: set_bot_state
update bots
set state = :state,
    updated_at = now(),
    deleted_at = case when cast(:state as text) = 'active' then null else coalesce(deleted_at, now()) end
where bot_id = :bot_id;

-- name: change_bot
update bots
set name = coalesce(:name, name), settings = settings || cast(:settings as jsonb), updated_at = now()
where bot_id = :bot_id and state = 'active';

-- name: count_bot_documents
select count(*) as documents,
       (select count(*) from qa_pairs where bot_id = :bot_id) as qa_pairs,
       (select count(*) from passages where bot_id = :bot_id) as passages,
       (select count(*) from document_sources where bot_id = :bot_id) as document_sources,
       (select count(*) from relations where bot_id = :bot_id) as relations,
       (select count(*) from query_logs where bot_id = :bot_id) as query_logs,
       (select count(*) from markers
        where bot_id = :bot_id and state = 'delivered' and wanted = 'present') as index_rows
from documents
where bot_id = :bot_id and deleted_at is null;

-- name: drop_bot_markers
delete from markers where bot_id = :bot_id;

-- name: bot_partitions
-- The partitions that a bot still has, attached or detached.
select c.relname as name, p.relname as parent, coalesce(i.inhdetachpending, false) as is_detaching
from pg_class c
left join pg_inherits i on i.inhrelid = c.oid
left join pg_class p on p.oid = i.inhparent
where c.relkind = 'r' and c.relname like :pattern escape '\'
order by c.relname;

-- name: partitioned_tables
select c.relname as name
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'p' and n.nspname = current_schema()
order by c.relname;

-- name: claim_lease
insert into claims as c (name, holder, leased_until)
values (:name, :holder, clock_timestamp() + make_interval(secs => :seconds))
on conflict (name) do update
set holder = excluded.holder, leased_until = excluded.leased_until
where c.leased_until < clock_timestamp() or c.holder = excluded.holder
returning progress;

-- name: save_progress
update claims set progress = cast(:progress as jsonb) where name = :name and holder = :holder;

-- name: release_lease
update claims set leased_until = clock_timestamp() where name = :name and holder = :holder;

-- name: drop_lease
delete from claims where name = :name and holder = :holder;

-- name: applied_migrations
select version, checksum from schema_migrations order by version;

-- name: insert_migration
insert into schema_migrations (version, name, checksum) values (:version, :name, :checksum);

-- name: database_exists
select 1 as one from pg_database where datname = :name;

-- name: overview
-- One row per bot: its documents by state, its live pairs, and the passages that wait to be delivered.
select b.slug as bot,
       count(d.document_id) as documents,
       count(*) filter (where d.live_generation is not null) as live,
       count(*) filter (where d.state = 'building') as building,
       count(*) filter (where d.state = 'rejected') as rejected,
       count(*) filter (where d.state = 'failed') as failed,
       coalesce(sum(g.pair_count), 0) as pairs,
       (select count(*) from markers k where k.bot_id = b.bot_id and k.state <> 'delivered'
        and k.collection_id = b.collection_id) as waiting,
       (select min({waiting_since}) from markers k where k.bot_id = b.bot_id and k.state = 'pending'
        and k.collection_id = b.collection_id) as oldest_waiting
from bots b
left join documents d on d.bot_id = b.bot_id and d.deleted_at is null
left join generations g
    on g.bot_id = b.bot_id and g.document_id = d.document_id and g.generation = d.live_generation
where b.state = 'active'
group by b.bot_id, b.slug
order by b.slug;

-- name: outgrown_tables
-- The bot's partitions and the markers, as far as they are twice as large as when they were analysed.
select c.oid::regclass::text as name
from pg_class t
join pg_class c on c.oid = to_regclass(case t.relkind when 'p' then t.relname || cast(:suffix as text) else t.relname end)
where (t.relkind = 'p' or t.relname = 'markers') and t.relnamespace = current_schema()::regnamespace
  and (pg_relation_size(c.oid) > current_setting('block_size')::bigint * (2 * greatest(c.relpages, 0) + 4)
       or t.relname = 'markers' and cast(:has_new_markers as boolean));
