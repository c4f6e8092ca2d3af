-- How far the catalog has followed the deletion ledger, which lies in the object store and outlives the catalog: what a
-- catalog that was set back in time has not followed yet is missing here.

-- Every entry up to the settled one is applied, and none with a lower number can come any more.
create table ledger_positions (
    bot_id  uuid primary key,
    settled text collate "C" not null
);

-- Applied entries after the settled one.
create table ledger_entries (
    bot_id     uuid not null,
    entry      text collate "C" not null,
    applied_at timestamptz not null default now(),
    primary key (bot_id, entry)
);

-- A pair keeps its id when it comes back in a later generation: its tombstone covers those up to this one.
alter table tombstones add column generation integer;
create index tombstones_open on tombstones (bot_id, document_id) where swept_at is null;

-- What the second look counted behind the delete: zeros.
alter table receipts add column verified jsonb;
create index receipts_time on receipts (provisional_at desc);

-- For the second look.
create index relations_of_document on relations (bot_id, document_id);
