-- Relations that name a record of another document by its id. What a record names is 'explicit', as it was staged; where it leads
-- in other documents is a 'reference', derived, and found again whenever a pair that has the id comes or goes.

-- name: live_bearers
-- A fragment, put in place of {live_bearers}: live pairs that have the id of k, at most one more than may be led to.
select q.qa_id, q.document_id
from qa_pairs q
join documents d on d.bot_id = :bot_id and d.document_id = q.document_id and d.corrects is null
join passages p on p.bot_id = :bot_id and p.qa_id = q.qa_id and p.since_generation = q.since_generation and p.part = 0
join membership m on m.bot_id = :bot_id and m.document_id = q.document_id and m.generation = d.live_generation
    and m.passage_id = p.passage_id
where q.bot_id = :bot_id and q.external_id = k.external_id
limit cast(:pairs_per_id as integer) + 1

-- name: pairs_of_others
-- Where these ids lead in other documents now: those that no live pair of this document has.
select n.external_id, n.qa_id
from (
    select k.external_id, near.qa_id, count(*) over same as pairs, bool_or(near.document_id = :document_id) over same as is_own
    from unnest(cast(:external_ids as text[])) as k (external_id)
    cross join lateral (
        {live_bearers}
    ) as near
    window same as (partition by k.external_id)
) as n
where n.pairs <= cast(:pairs_per_id as integer) and not n.is_own
order by n.external_id, n.qa_id;

-- name: wanted_references
-- A fragment, put in place of {wanted_references}: where the relations of these contents, and those that name one of these ids,
-- lead. Their own document comes first. Several pairs that have an id share the confidence; too many lead nowhere. Each is looked
-- for by itself: as a join, each would be compared with every passage of a bot that was taken for small.
asked as materialized (
    select r.qa_id, r.since_generation
    from unnest(cast(:qa_ids as uuid[]), cast(:generations as integer[])) as r (qa_id, since_generation)
), ids as materialized (
    select k.external_id
    from unnest(cast(:external_ids as text[])) as k (external_id)
    where exists (select from relations e where e.bot_id = :bot_id and e.target_external_id = k.external_id)
), own as materialized (
    select e.source_qa_id, e.target_qa_id, e.type, e.since_generation, e.document_id, e.confidence, e.target_external_id
    from asked a
    join relations e on e.bot_id = :bot_id and e.source_qa_id = a.qa_id and e.since_generation = a.since_generation
    where e.origin = 'explicit' and e.target_external_id is not null
), bearers as materialized (
    select k.external_id, near.qa_id, count(*) over (partition by k.external_id) as pairs
    from (select external_id from ids union select target_external_id from own) as k (external_id)
    cross join lateral (
        {live_bearers}
    ) as near
), few as materialized (
    select external_id, qa_id, pairs from bearers where pairs <= cast(:pairs_per_id as integer)
), naming as materialized (
    select * from own
    union
    select e.source_qa_id, e.target_qa_id, e.type, e.since_generation, e.document_id, e.confidence, e.target_external_id
    from (select external_id from ids intersect select external_id from few) as k
    join relations e on e.bot_id = :bot_id and e.target_external_id = k.external_id and e.origin = 'explicit'
), wanted as materialized (
    select n.source_qa_id, few.qa_id as target_qa_id, n.type, n.since_generation, n.document_id,
           cast(n.confidence / few.pairs as real) as confidence, n.target_external_id
    from naming n
    join few on few.external_id = n.target_external_id and few.qa_id <> n.source_qa_id
    where (
        select p.qa_id
        from passages p
        join documents d on d.bot_id = :bot_id and d.document_id = p.document_id
        join membership m on m.bot_id = :bot_id and m.document_id = p.document_id and m.generation = d.live_generation
            and m.passage_id = p.passage_id
        where p.bot_id = :bot_id and p.qa_id = n.target_qa_id and p.part = 0
        limit 1
    ) is null
)

-- name: drop_references
-- Those that are not wanted any more.
with {wanted_references}, outdated as (
    select e.source_qa_id, e.target_qa_id, e.type, e.since_generation
    from asked a
    join relations e on e.bot_id = :bot_id and e.source_qa_id = a.qa_id and e.since_generation = a.since_generation
    where e.origin = 'reference'
    union
    select e.source_qa_id, e.target_qa_id, e.type, e.since_generation
    from ids
    join relations e on e.bot_id = :bot_id and e.target_external_id = ids.external_id and e.origin = 'reference'
    except
    select source_qa_id, target_qa_id, type, since_generation from wanted
)
delete from relations e
using outdated o
where e.bot_id = :bot_id and e.source_qa_id = o.source_qa_id and e.target_qa_id = o.target_qa_id and e.type = o.type
  and e.since_generation = o.since_generation and e.origin = 'reference';

-- name: insert_references
with {wanted_references}
insert into relations as e (
    bot_id, source_qa_id, target_qa_id, type, since_generation, document_id, confidence, origin, target_external_id
)
select distinct on (source_qa_id, target_qa_id, type, since_generation)
       :bot_id, source_qa_id, target_qa_id, type, since_generation, document_id, confidence, 'reference', target_external_id
from wanted
order by source_qa_id, target_qa_id, type, since_generation, confidence desc
on conflict (bot_id, source_qa_id, target_qa_id, type, since_generation) do update
set confidence = excluded.confidence
where e.origin = 'reference' and e.confidence <> excluded.confidence;

-- name: names_ids
-- One, if any record of the bot names others.
select e.target_external_id from relations e
where e.bot_id = :bot_id and e.target_external_id > ''
order by e.target_external_id
limit 1;

-- name: link_again
-- Pairs whose ids relations name and that come with this generation, or go with the former: that only one of the two has. What
-- is new waits already.
insert into unlinked (bot_id, qa_id, since_generation, document_id)
select :bot_id, held.qa_id, held.since_generation, :document_id
from (
    select p.qa_id, p.since_generation, count(*) over (partition by p.qa_id) as generations
    from membership m
    join passages p on p.bot_id = :bot_id and p.passage_id = m.passage_id and p.part = 0
    where m.bot_id = :bot_id and m.document_id = :document_id and m.generation in (:generation, cast(:former as integer))
) as held
join qa_pairs q on q.bot_id = :bot_id and q.qa_id = held.qa_id and q.since_generation = held.since_generation
where held.generations = 1
  and exists (select from relations e where e.bot_id = :bot_id and e.target_external_id = q.external_id)
on conflict do nothing;
