-- Everything of a bot, partitioned by bot. There is no default partition and no foreign key between these tables:
-- either would let the coming or going of one bot block another.

create table documents (
    bot_id              uuid not null,
    document_id         uuid not null,
    object_key          text collate "C" not null,  -- the order of a bucket listing
    state               text not null default 'observing'
                        check (state in ('observing', 'building', 'live', 'rejected', 'failed', 'deleting')),
    reason              text,
    epoch               bigint not null default 0,
    lease_token         uuid,
    leased_until        timestamptz,
    look_again          boolean not null default false,
    seen_version        text,
    last_generation     integer not null default 0,
    staging_generation  integer,
    building_generation integer,
    live_generation     integer,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now(),
    deleted_at          timestamptz,
    primary key (bot_id, document_id)
) partition by list (bot_id);
create unique index documents_object on documents (bot_id, object_key) where deleted_at is null;
create index documents_unfinished on documents (bot_id, document_id)
    where building_generation is not null or look_again or deleted_at is not null;

create table observations (
    bot_id      uuid not null,
    document_id uuid not null,
    epoch       bigint not null,
    version     text,
    size        bigint,
    outcome     text not null default 'looking'
                check (outcome in ('looking', 'accepted', 'unchanged', 'rejected', 'removed')),
    reason      text,
    generation  integer,
    started_at  timestamptz not null default now(),
    finished_at timestamptz,
    primary key (bot_id, document_id, epoch)
) partition by list (bot_id);

create table generations (
    bot_id        uuid not null,
    document_id   uuid not null,
    generation    integer not null,
    state         text not null default 'staging' check (state in ('staging', 'building', 'live', 'kept', 'dead')),
    version       text not null,
    content_hash  text,
    title         text,
    pair_count    integer,
    passage_count integer,
    created_at    timestamptz not null default now(),
    sealed_at     timestamptz,
    live_at       timestamptz,
    primary key (bot_id, document_id, generation)
) partition by list (bot_id);
create index generations_dead on generations (bot_id, document_id) where state = 'dead';

-- One row per content of a pair; `since_generation` is the generation that brought it.
create table qa_pairs (
    bot_id           uuid not null,
    qa_id            uuid not null,
    since_generation integer not null,
    document_id      uuid not null,
    external_id      text,
    content_hash     text not null,
    question         text not null,
    response         text not null,
    heading_path     text[] not null default '{}',
    category         text,
    subcategory      text,
    source           text,
    source_type      text,
    author           text,
    published_at     timestamptz,
    language         text,
    difficulty       text,
    tags             text[] not null default '{}',
    metadata         jsonb not null default '{}',
    is_active        boolean not null default true,
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    primary key (bot_id, qa_id, since_generation)
) partition by list (bot_id);
create index qa_pairs_of_document on qa_pairs (bot_id, document_id);
create index qa_pairs_external on qa_pairs (bot_id, external_id) where external_id is not null;
create index qa_pairs_metadata on qa_pairs using gin (metadata jsonb_path_ops);

create table passages (
    bot_id           uuid not null,
    passage_id       uuid not null,
    document_id      uuid not null,
    qa_id            uuid not null,
    since_generation integer not null,
    part             integer not null,
    text             text not null,
    text_hash        text not null,
    related_nodes    jsonb not null default '[]',
    lexemes          tsvector not null,
    created_at       timestamptz not null default now(),
    primary key (bot_id, passage_id)
) partition by list (bot_id);
create index passages_of_pair on passages (bot_id, qa_id, since_generation);
create index passages_of_document on passages (bot_id, document_id);
create index passages_text on passages (bot_id, document_id, text_hash);
create index passages_lexemes on passages using gin (lexemes);

create table membership (
    bot_id      uuid not null,
    document_id uuid not null,
    generation  integer not null,
    passage_id  uuid not null,
    primary key (bot_id, document_id, generation, passage_id)
) partition by list (bot_id);

-- Where in which document a passage comes from: what a citation shows.
create table document_sources (
    bot_id      uuid not null,
    passage_id  uuid not null,
    document_id uuid not null,
    name        text not null,
    object_path text not null,
    page        integer,
    section     text,
    excerpt     text not null,
    primary key (bot_id, passage_id)
) partition by list (bot_id);

create table relations (
    bot_id           uuid not null,
    source_qa_id     uuid not null,
    target_qa_id     uuid not null,
    type             text not null,
    since_generation integer not null,
    document_id      uuid not null,
    confidence       real not null check (confidence between 0 and 1),
    origin           text not null default 'explicit',
    created_at       timestamptz not null default now(),
    primary key (bot_id, source_qa_id, target_qa_id, type, since_generation)
) partition by list (bot_id);
create index relations_of_target on relations (bot_id, target_qa_id);

create table query_logs (
    bot_id           uuid not null,
    query_id         uuid not null,
    question         text not null,
    answer           text,
    abstained        boolean not null default false,
    user_id          text,
    session_id       text,
    response_time_ms integer not null,
    score            real,
    document_ids     uuid[] not null default '{}',
    citations        jsonb not null default '[]',
    feedback         smallint check (feedback between -1 and 1),
    feedback_comment text,
    created_at       timestamptz not null default now(),
    primary key (bot_id, query_id)
) partition by list (bot_id);
create index query_logs_time on query_logs (bot_id, created_at);
create index query_logs_documents on query_logs using gin (document_ids);

-- One row per bot and day, rolled up from the logs.
create table analytics (
    bot_id                 uuid not null,
    day                    date not null,
    questions              integer not null,
    abstentions            integer not null,
    feedback_up            integer not null,
    feedback_down          integer not null,
    response_time_ms_p50   integer not null,
    response_time_ms_p95   integer not null,
    primary key (bot_id, day)
) partition by list (bot_id);
