-- The graph: names, mentions, and what is near a pair. Every look is bounded, whatever the size of the bot.

-- name: lock_graph
-- One at a time links or unlinks pairs of a bot: else a text and a name that come at once could miss each other.
select pg_advisory_xact_lock(hashtextextended(cast(cast(:bot_id as uuid) as text), 7402517003));

-- name: insert_unlinked
insert into unlinked (bot_id, qa_id, since_generation, document_id)
select :bot_id, r.qa_id, :generation, :document_id
from jsonb_to_recordset(cast(:rows as jsonb)) as r (qa_id uuid)
on conflict do nothing;

-- name: unlink_all
-- Of a bot that was restored: the graph is not in the snapshot.
insert into unlinked (bot_id, qa_id, since_generation, document_id)
select bot_id, qa_id, since_generation, document_id from qa_pairs where bot_id = :bot_id
on conflict do nothing;

-- name: insert_uncompared
insert into uncompared (bot_id, qa_id, since_generation, document_id)
select :bot_id, r.qa_id, :generation, :document_id
from jsonb_to_recordset(cast(:rows as jsonb)) as r (qa_id uuid)
on conflict do nothing;

-- name: compare_all_again
-- Of a bot that was restored, or has another embedder, to which other questions are alike.
insert into uncompared (bot_id, qa_id, since_generation, document_id)
select bot_id, qa_id, since_generation, document_id from qa_pairs where bot_id = :bot_id
on conflict do nothing;

-- name: uncompared_pairs
-- With the passage whose row in the index has the vector of their question. What has not gone live yet waits.
select u.qa_id, u.since_generation, u.document_id, p.passage_id
from uncompared u
join documents d on d.bot_id = :bot_id and d.document_id = u.document_id
    and u.since_generation is distinct from d.staging_generation
    and u.since_generation is distinct from d.building_generation
join passages p on p.bot_id = :bot_id and p.qa_id = u.qa_id and p.since_generation = u.since_generation and p.part = 0
join markers k on k.bot_id = :bot_id and k.passage_id = p.passage_id and k.collection_id = :collection_id
    and k.wanted = 'present' and k.state = 'delivered'
where u.bot_id = :bot_id
  and (u.qa_id, u.since_generation) > (cast(:after_qa_id as uuid), cast(:after_generation as integer))
order by u.qa_id, u.since_generation
limit :limit;

-- name: drop_uncompared
delete from uncompared u
using unnest(cast(:qa_ids as uuid[]), cast(:generations as integer[])) as r (qa_id, since_generation)
where u.bot_id = :bot_id and u.qa_id = r.qa_id and u.since_generation = r.since_generation
returning u.qa_id, u.since_generation, u.document_id;

-- name: drop_similar
delete from relations e
using unnest(cast(:qa_ids as uuid[]), cast(:generations as integer[])) as r (qa_id, since_generation)
where e.bot_id = :bot_id and e.source_qa_id = r.qa_id and e.since_generation = r.since_generation
  and e.origin = 'similarity';

-- name: drop_outdated_similar
-- What was like a pair before this content of it went live, when it may have asked something else.
delete from relations e
using unnest(cast(:qa_ids as uuid[]), cast(:generations as integer[]), cast(:document_ids as uuid[]))
    as r (qa_id, since_generation, document_id)
join generations g on g.bot_id = :bot_id and g.document_id = r.document_id and g.generation = r.since_generation
where e.bot_id = :bot_id and e.target_qa_id = r.qa_id and e.origin = 'similarity' and e.created_at < g.live_at;

-- name: insert_similar
-- Of the passages that were found near, the live ones. A correction and what it corrects are one pair to a reader.
insert into relations (bot_id, source_qa_id, target_qa_id, type, since_generation, document_id, confidence, origin)
select :bot_id, found.source_qa_id, found.target_qa_id, :type, found.since_generation, found.document_id, found.confidence,
       'similarity'
from (
    select r.source_qa_id, r.since_generation, r.document_id, near.target_qa_id, max(r.confidence) as confidence,
           row_number() over (
               partition by r.source_qa_id, r.since_generation order by max(r.confidence) desc, near.target_qa_id
           ) as place
    from jsonb_to_recordset(cast(:rows as jsonb)) as r (
        source_qa_id uuid, since_generation integer, document_id uuid, passage_id uuid, confidence real
    )
    cross join lateral (
        select p.qa_id as target_qa_id
        from passages p
        join documents d on d.bot_id = :bot_id and d.document_id = p.document_id
        join membership m on m.bot_id = :bot_id and m.document_id = p.document_id and m.generation = d.live_generation
            and m.passage_id = p.passage_id
        join documents own on own.bot_id = :bot_id and own.document_id = r.document_id
        where p.bot_id = :bot_id and p.passage_id = r.passage_id and p.qa_id <> r.source_qa_id
          and d.corrects is distinct from r.source_qa_id and own.corrects is distinct from p.qa_id
        limit 1
    ) as near
    group by r.source_qa_id, r.since_generation, r.document_id, near.target_qa_id
) as found
where found.place <= :per_pair
on conflict do nothing;

-- name: unlinked_pairs
-- The document's title is that of its newest generation. What has not gone live yet waits.
select u.qa_id, u.since_generation, u.document_id, q.question, q.external_id, q.heading_path, q.metadata,
       q.addresses, q.links,
       (select g.title from generations g
        where g.bot_id = :bot_id and g.document_id = u.document_id
        order by g.generation desc limit 1) as document_title,
       array(
           select p.text from passages p
           where p.bot_id = :bot_id and p.qa_id = u.qa_id and p.since_generation = u.since_generation
           order by p.part
           limit :passages
       ) as texts
from unlinked u
join qa_pairs q on q.bot_id = :bot_id and q.qa_id = u.qa_id and q.since_generation = u.since_generation
where u.bot_id = :bot_id
  and not exists (
      select from documents d
      where d.bot_id = :bot_id and d.document_id = u.document_id
        and u.since_generation in (d.staging_generation, d.building_generation)
  )
  and (cast(:document_ids as uuid[]) is null or u.document_id = any(cast(:document_ids as uuid[])))
limit :limit;

-- name: drop_unlinked
delete from unlinked u
using unnest(cast(:qa_ids as uuid[]), cast(:generations as integer[])) as r (qa_id, since_generation)
where u.bot_id = :bot_id and u.qa_id = r.qa_id and u.since_generation = r.since_generation;

-- name: known_names
select k.name_key
from unnest(cast(:name_keys as text[])) as k (name_key)
where exists (select from names n where n.bot_id = :bot_id and n.name_key = k.name_key);

-- name: longer_names
-- Names that begin with all the terms of a lead and go on: in their order, what follows a space lies before what follows a "!".
select distinct longer.name_key
from unnest(cast(:leads as text[])) as k (lead)
cross join lateral (
    select n.name_key from names n
    where n.bot_id = :bot_id and n.name_key > (k.lead || ' ') collate "C" and n.name_key < (k.lead || '!') collate "C"
    limit :limit
) as longer;

-- name: insert_names
insert into names (bot_id, name_key, qa_id, since_generation, document_id, name, kind)
select :bot_id, r.name_key, r.qa_id, r.since_generation, r.document_id, r.name, r.kind
from jsonb_to_recordset(cast(:rows as jsonb)) as r (
    name_key text, qa_id uuid, since_generation integer, document_id uuid, name text, kind text
)
on conflict do nothing;

-- name: insert_mentions
insert into mentions (bot_id, name_key, qa_id, since_generation, document_id)
select :bot_id, r.name_key, r.qa_id, r.since_generation, r.document_id
from jsonb_to_recordset(cast(:rows as jsonb)) as r (
    name_key text, qa_id uuid, since_generation integer, document_id uuid
)
on conflict do nothing;

-- name: passages_with_phrases
-- Older texts in which new names may stand: terms do not tell the forms of a word apart.
select k.name_key, found.qa_id, found.since_generation, found.document_id, q.question, found.text
from unnest(cast(:name_keys as text[]), cast(:queries as text[])) as k (name_key, query)
cross join lateral (
    select p.qa_id, p.since_generation, p.document_id, p.text
    from passages p
    where p.bot_id = :bot_id and p.part < :passages and p.lexemes @@ cast(k.query as tsquery)
    limit :passages_per_name
) as found
join qa_pairs q on q.bot_id = :bot_id and q.qa_id = found.qa_id and q.since_generation = found.since_generation;

-- name: drop_names_of_pairs
delete from names n
using unnest(cast(:qa_ids as uuid[]), cast(:generations as integer[])) as r (qa_id, since_generation)
where n.bot_id = :bot_id and n.qa_id = r.qa_id and n.since_generation = r.since_generation
returning n.name_key;

-- name: drop_mentions_of_pairs
delete from mentions m
using unnest(cast(:qa_ids as uuid[]), cast(:generations as integer[])) as r (qa_id, since_generation)
where m.bot_id = :bot_id and m.qa_id = r.qa_id and m.since_generation = r.since_generation;

-- name: drop_mentions_of_nothing
-- Of names that nobody bears any more. A link still waits for its address: it is not found again by reading texts.
delete from mentions m
where m.bot_id = :bot_id and m.name_key = any(cast(:name_keys as text[])) and m.name_key not like '/%'
  and not exists (select from names n where n.bot_id = :bot_id and n.name_key = m.name_key);

-- name: few_bear_it
-- A fragment, put in place of {few_bear_it}: the name of t. Nobody may bear an address that links lead to.
(select count(*) from (
     select from names c where c.bot_id = :bot_id and c.name_key = t.name_key
     limit cast(:pairs_per_name as integer) + 1
 ) as few) between 1 and cast(:pairs_per_name as integer)

-- name: few_mention_it
-- A fragment, put in place of {few_mention_it}: the name of t. One that many texts mention leads to those who bear it alone.
(select count(*) from (
     select from mentions c where c.bot_id = :bot_id and c.name_key = t.name_key
     limit cast(:pairs_per_name as integer) + 1
 ) as few) <= cast(:pairs_per_name as integer)

-- name: bearers
with t as materialized (
    select k.name_key
    from unnest(cast(:name_keys as text[])) as k (name_key)
    where exists (select from names n where n.bot_id = :bot_id and n.name_key = k.name_key)
)
select distinct n.qa_id, n.name_key, n.name, n.kind, not {few_mention_it} as is_mentioned_often
from t
cross join lateral (
    select n.qa_id, n.name_key, n.name, n.kind from names n where n.bot_id = :bot_id and n.name_key = t.name_key
    limit :pairs_per_name
) as n
where {few_bear_it};

-- name: names_of_pairs
select distinct n.qa_id, n.name_key, n.name, n.kind
from names n
where n.bot_id = :bot_id and n.qa_id = any(cast(:qa_ids as uuid[]))
limit :limit;

-- name: graph_around
-- The names that these pairs bear or mention and that are not known yet, with all who bear or mention them.
with touched as materialized (
    select x.name_key
    from unnest(cast(:qa_ids as uuid[])) as a (qa_id)
    cross join lateral (
        (select n.name_key from names n where n.bot_id = :bot_id and n.qa_id = a.qa_id limit :names_per_pair)
        union all
        (select m.name_key from mentions m
         where m.bot_id = :bot_id and m.qa_id = a.qa_id
           and (m.name_key not like '/%'
                or exists (select from names n where n.bot_id = :bot_id and n.name_key = m.name_key))  -- else it leads nowhere
         limit :names_per_pair)
    ) as x
), t as materialized (
    select name_key from touched where name_key <> all(cast(:known as text[]))
    group by name_key order by name_key like '/%', name_key limit :names
)
select t.name_key, near.qa_id, near.kind
from t
cross join lateral (
    (select n.qa_id, n.kind from names n where n.bot_id = :bot_id and n.name_key = t.name_key limit :pairs_per_name)
    union all
    (select m.qa_id, null from mentions m where m.bot_id = :bot_id and m.name_key = t.name_key limit :pairs_per_name)
) as near
where {few_bear_it} and {few_mention_it}
limit :edges;

-- name: relations_around
-- Those that lead to a pair: what a record names may be nowhere.
select distinct near.source_qa_id, near.target_qa_id, near.type, near.confidence
from unnest(cast(:qa_ids as uuid[])) as a (qa_id)
cross join lateral (
    (select r.source_qa_id, r.target_qa_id, r.type, r.confidence from relations r
     where r.bot_id = :bot_id and r.source_qa_id = a.qa_id and (:similar or r.origin <> 'similarity')
       and (
           select q.qa_id from qa_pairs q where q.bot_id = :bot_id and q.qa_id = r.target_qa_id limit 1
       ) is not null
     limit :pairs_per_name)
    union all
    (select r.source_qa_id, r.target_qa_id, r.type, r.confidence from relations r
     where r.bot_id = :bot_id and r.target_qa_id = a.qa_id and (:similar or r.origin <> 'similarity')
     limit :pairs_per_name)
) as near
limit :edges;

-- name: first_passages
-- By which a pair enters an answer: the first passage of its live content, and of its correction.
select a.qa_id, p.qa_id as own_qa_id, p.passage_id, p.document_id, p.since_generation
from unnest(cast(:qa_ids as uuid[])) as a (qa_id)
join passages p on p.bot_id = :bot_id and p.qa_id = a.qa_id and p.part = 0
join documents d on d.bot_id = :bot_id and d.document_id = p.document_id
join membership m on m.bot_id = :bot_id and m.document_id = p.document_id
    and m.generation = d.live_generation and m.passage_id = p.passage_id
union
select a.qa_id, p.qa_id, p.passage_id, p.document_id, p.since_generation
from unnest(cast(:qa_ids as uuid[])) as a (qa_id)
join documents d on d.bot_id = :bot_id and d.corrects = a.qa_id
join membership m on m.bot_id = :bot_id and m.document_id = d.document_id and m.generation = d.live_generation
join passages p on p.bot_id = :bot_id and p.passage_id = m.passage_id and p.part = 0;

-- name: edges_between
-- How contents of pairs are connected among each other, by those names and by their relations.
with asked as materialized (
    select r.qa_id, r.since_generation
    from unnest(cast(:qa_ids as uuid[]), cast(:generations as integer[])) as r (qa_id, since_generation)
), bearing as materialized (
    select n.qa_id, n.name_key, n.name, n.kind
    from asked a
    join names n on n.bot_id = :bot_id and n.qa_id = a.qa_id and n.since_generation = a.since_generation
    where n.name_key = any(cast(:name_keys as text[]))
), mentioning as materialized (
    select m.qa_id, m.name_key
    from asked a
    join mentions m on m.bot_id = :bot_id and m.qa_id = a.qa_id and m.since_generation = a.since_generation
    where m.name_key = any(cast(:name_keys as text[]))
)
select m.qa_id as source_qa_id, b.qa_id as target_qa_id, 'mentions' as type, b.kind, null as other_kind, b.name,
       cast(null as real) as confidence
from mentioning m join bearing b on b.name_key = m.name_key and b.qa_id <> m.qa_id
union all
select b.qa_id, o.qa_id, 'name', b.kind, o.kind, b.name, null
from bearing b join bearing o on o.name_key = b.name_key and o.qa_id > b.qa_id and b.kind <> 'address'
union all
select r.source_qa_id, r.target_qa_id, r.type, null, null, null, r.confidence
from asked a
join relations r on r.bot_id = :bot_id and r.source_qa_id = a.qa_id and r.since_generation = a.since_generation
where r.target_qa_id = any(cast(:qa_ids as uuid[])) and r.target_qa_id <> r.source_qa_id
limit :edges;
