-- What outlives a bot, and therefore is not partitioned: the registry, markers, claims, tombstones, receipts.

create table deployments (
    deployment_id uuid primary key,
    is_only       boolean not null default true unique check (is_only),
    created_at    timestamptz not null default now()
);

create table collections (
    collection_id  uuid primary key,
    name           text not null unique,
    model_id       text not null,
    model_revision text not null,
    dimension      integer not null check (dimension > 0),
    metric         text not null check (metric in ('COSINE', 'IP', 'L2')),
    index_type     text not null check (index_type in ('AUTOINDEX', 'FLAT', 'IVF_FLAT', 'HNSW')),
    index_params   jsonb not null default '{}',
    incarnation    uuid,
    created_at     timestamptz not null default now()
);

-- A row stays for ever, so that a slug is never given out twice.
create table bots (
    bot_id        uuid primary key,
    slug          text not null unique check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name          text not null,
    collection_id uuid not null references collections,
    settings      jsonb not null default '{}',
    state         text not null default 'active' check (state in ('active', 'deleting', 'deleted')),
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    deleted_at    timestamptz
);

-- What the index must hold for a passage, and what was proven about it.
create table markers (
    bot_id             uuid not null,
    passage_id         uuid not null,
    collection_id      uuid not null,
    document_id        uuid not null,
    since_generation   integer not null,
    wanted             text not null default 'present' check (wanted in ('present', 'absent')),
    state              text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
    row_hash           text not null,
    vector_digest      text,
    copy_from          uuid,
    proven_incarnation uuid,
    attempts           integer not null default 0,
    next_attempt_at    timestamptz not null default now(),
    lease_token        uuid,
    leased_until       timestamptz,
    last_error         text,
    created_at         timestamptz not null default now(),
    delivered_at       timestamptz,
    primary key (bot_id, passage_id, collection_id)
);
create index markers_open on markers (bot_id, document_id, wanted) where state <> 'delivered';
create index markers_of_document on markers (bot_id, document_id);
create index markers_proven on markers (bot_id, collection_id, proven_incarnation)
    where state = 'delivered' and wanted = 'present';
create index markers_absent on markers (bot_id, delivered_at) where state = 'delivered' and wanted = 'absent';

create table claims (
    name         text primary key,
    holder       uuid not null,
    leased_until timestamptz not null,
    progress     jsonb not null default '{}'
);

-- A delete that stopped answers when it was committed.
create table tombstones (
    tombstone_id uuid primary key,
    kind         text not null check (kind in ('bot', 'document', 'pair')),
    bot_id       uuid not null,
    document_id  uuid,
    qa_id        uuid,
    object_key   text,
    counts       jsonb not null default '{}',
    created_at   timestamptz not null default now(),
    swept_at     timestamptz
);
create index tombstones_of_document on tombstones (bot_id, document_id);

-- The proof that everything behind a tombstone is gone.
create table receipts (
    tombstone_id   uuid primary key references tombstones,
    bot_id         uuid not null,
    state          text not null default 'provisional' check (state in ('provisional', 'final')),
    counts         jsonb not null,
    provisional_at timestamptz not null default now(),
    final_at       timestamptz
);
create index receipts_of_bot on receipts (bot_id, provisional_at);
create index receipts_provisional on receipts (provisional_at) where state = 'provisional';
