-- What an operator is shown: how the last run of each operation ended, and which documents somebody was told of.

create table outcomes (
    operation   text not null check (operation in ('audit', 'snapshot', 'drill')),
    subject     text not null default '',
    figures     jsonb not null,
    finished_at timestamptz not null default now(),
    primary key (operation, subject)
);

-- What was last told of the document: its state, and what brought it there.
alter table documents add column told text;
create index documents_updated on documents (bot_id, updated_at);
