-- Similarity: contents of pairs whose questions are not compared with the others' yet. What is found becomes relations of the
-- type `similar` and the origin `similarity`; they are derived, like the index, and never saved.
create table uncompared (
    bot_id           uuid not null,
    qa_id            uuid not null,
    since_generation integer not null,
    document_id      uuid not null,
    primary key (bot_id, qa_id, since_generation)
) partition by list (bot_id);
create index uncompared_of_document on uncompared (bot_id, document_id);

-- Bots that there are get their partitions; the next sync compares everything that they hold.
do $$
declare
    bot uuid;
begin
    for bot in select bot_id from bots where state <> 'deleted' loop
        execute format(
            'create table %I partition of uncompared for values in (%L)', 'uncompared_' || replace(bot::text, '-', ''), bot
        );
    end loop;
end
$$;
insert into uncompared (bot_id, qa_id, since_generation, document_id)
select bot_id, qa_id, since_generation, document_id from qa_pairs;
