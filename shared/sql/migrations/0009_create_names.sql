-- The graph: the names that pairs bear, and the pairs whose texts mention a name. Two pairs are neighbours where they meet at a
-- name; one row for each pair of them would be quadratic. All of it is derived from the pairs, and can be built anew.

create table names (
    bot_id           uuid not null,
    name_key         text collate "C" not null,
    qa_id            uuid not null,
    since_generation integer not null,
    document_id      uuid not null,
    name             text not null,
    kind             text not null check (kind in ('focus', 'alias', 'heading', 'document')),
    primary key (bot_id, name_key, qa_id, since_generation)
) partition by list (bot_id);
create index names_of_pair on names (bot_id, qa_id, since_generation);
create index names_of_document on names (bot_id, document_id);

create table mentions (
    bot_id           uuid not null,
    name_key         text collate "C" not null,
    qa_id            uuid not null,
    since_generation integer not null,
    document_id      uuid not null,
    primary key (bot_id, name_key, qa_id, since_generation)
) partition by list (bot_id);
create index mentions_of_pair on mentions (bot_id, qa_id, since_generation);
create index mentions_of_document on mentions (bot_id, document_id);

-- Contents of pairs that are not in the graph yet.
create table unlinked (
    bot_id           uuid not null,
    qa_id            uuid not null,
    since_generation integer not null,
    document_id      uuid not null,
    primary key (bot_id, qa_id, since_generation)
) partition by list (bot_id);
create index unlinked_of_document on unlinked (bot_id, document_id);

-- The bots that there are get their partitions, and everything that they hold is linked by the next sync.
do $$
declare
    bot text;
    tablename text;
begin
    for bot in
        select right(c.relname, 32) from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'qa_pairs'::regclass
    loop
        foreach tablename in array array['names', 'mentions', 'unlinked'] loop
            execute format('create table %I (like %I including all)', tablename || '_' || bot, tablename);
            execute format(
                'alter table %I attach partition %I for values in (%L)', tablename, tablename || '_' || bot, bot::uuid
            );
        end loop;
    end loop;
end $$;
insert into unlinked (bot_id, qa_id, since_generation, document_id)
select bot_id, qa_id, since_generation, document_id from qa_pairs;
