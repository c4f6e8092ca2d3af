-- What ranking by words needs: how long each passage is, and in how many passages of its bot a term occurs.

-- `analysis` is the version of the rules that made the lexemes: sync makes anew what older rules made. Lexemes are kept inline:
-- ranking reads those of many passages, and little else does.
alter table passages
    add column analysis smallint not null default 1,
    add column term_count integer not null default 0;
alter table passages alter column lexemes set storage main;
create index passages_analysis on passages (bot_id, analysis);

-- Derived from the passages, counted anew when they have changed enough: never saved, never restored.
create table term_statistics (
    bot_id   uuid not null,
    term     text collate "C" not null,
    passages integer not null,
    primary key (bot_id, term)
) partition by list (bot_id);

create table passage_statistics (
    bot_id      uuid not null,
    passages    integer not null,
    mean_terms  real not null,
    table_bytes bigint not null,  -- of the passages when they were counted
    counted_at  timestamptz not null default now(),
    primary key (bot_id)
) partition by list (bot_id);

-- Whether something was deleted since the terms were counted.
create index tombstones_swept on tombstones (bot_id, swept_at);

do $$
declare
    bot uuid;
begin
    for bot in select bot_id from bots where state <> 'deleted' loop
        execute format(
            'create table %I partition of term_statistics for values in (%L)',
            'term_statistics_' || replace(bot::text, '-', ''), bot
        );
        execute format(
            'create table %I partition of passage_statistics for values in (%L)',
            'passage_statistics_' || replace(bot::text, '-', ''), bot
        );
    end loop;
end
$$;
