-- Questions: propose, vouch, log. The joins of what is asked run in the order in which they are written here.

-- name: pair_filter
-- A fragment, put in place of {pair_filter}: what a filter demands of the pair q. A null parameter demands nothing.
(cast(:category as text[]) is null or q.category = any(cast(:category as text[])))
and (cast(:subcategory as text[]) is null or q.subcategory = any(cast(:subcategory as text[])))
and (cast(:source as text[]) is null or q.source = any(cast(:source as text[])))
and (cast(:source_type as text[]) is null or q.source_type = any(cast(:source_type as text[])))
and (cast(:author as text[]) is null or q.author = any(cast(:author as text[])))
and (cast(:language as text[]) is null or q.language = any(cast(:language as text[])))
and (cast(:difficulty as text[]) is null or q.difficulty = any(cast(:difficulty as text[])))
and (cast(:external_id as text[]) is null or q.external_id = any(cast(:external_id as text[])))
and (cast(:document_id as uuid[]) is null or q.document_id = any(cast(:document_id as uuid[])))
and (cast(:tags as text[]) is null or q.tags @> cast(:tags as text[]))
and (cast(:published_from as timestamptz) is null or q.published_at >= cast(:published_from as timestamptz))
and (cast(:published_to as timestamptz) is null or q.published_at <= cast(:published_to as timestamptz))
and (cast(:metadata as text[]) is null or q.metadata @> any(cast(cast(:metadata as text[]) as jsonb[])))
and (cast(:other_metadata as jsonb) is null or not exists (
    select from jsonb_array_elements(cast(:other_metadata as jsonb)) as f (parts)
    where not exists (select from jsonb_array_elements(f.parts) as e (part) where q.metadata @> e.part offset 0)
    offset 0
))
and (cast(:must_not as jsonb) is null or not exists (
    select from jsonb_to_record(cast(:must_not as jsonb)) as n (
        category text[], subcategory text[], source text[], source_type text[], author text[], language text[],
        difficulty text[], external_id text[], document_id uuid[], tags text[], published_from timestamptz,
        published_to timestamptz, metadata jsonb
    )
    where q.category = any(n.category) or q.subcategory = any(n.subcategory) or q.source = any(n.source)
       or q.source_type = any(n.source_type) or q.author = any(n.author) or q.language = any(n.language)
       or q.difficulty = any(n.difficulty) or q.external_id = any(n.external_id)
       or q.document_id = any(n.document_id) or q.tags && n.tags
       or (coalesce(n.published_from, n.published_to) is not null
           and q.published_at between coalesce(n.published_from, '-infinity') and coalesce(n.published_to, 'infinity'))
       or exists (select from jsonb_array_elements(n.metadata) as e (part) where q.metadata @> e.part offset 0)
    offset 0
))

-- name: absent_terms
-- Those that no passage has. They are counted because that is done in the index, where nothing is to be read for them.
select a.term
from unnest(cast(:terms as text[]), cast(:queries as text[])) as a (term, query)
cross join lateral (
    select count(*) as passages from passages p where p.bot_id = :bot_id and p.lexemes @@ cast(a.query as tsquery)
) as found
where found.passages = 0;

-- name: term_statistics
-- No row if the bot was never counted; a term is null if none of those asked for was.
select n.passages, n.mean_terms, t.term, t.passages as containing
from passage_statistics n
left join term_statistics t on t.bot_id = :bot_id and t.term = any(cast(:terms as text[]))
where n.bot_id = :bot_id;

-- name: bm25
-- A fragment, put in place of {bm25}: the score of the passage p. For one term alone, ts_rank is the sum of 1/j² over its
-- occurrences j = 1 … n, divided by that of endlessly many; 1 / (1.644934 * (1 - ts_rank)) - 0.5 is n again, to within a
-- twentieth. OFFSET has the lexemes decompressed once, not for each term.
select sum(w.weight * o.occurrences * (c.k1 + 1) / (o.occurrences + c.k1 * (1 - c.b + c.b * p.term_count / c.mean_terms)))
    as score
from (select cast(:k1 as double precision) as k1, cast(:b as double precision) as b,
             cast(:mean_terms as double precision) as mean_terms) as c
cross join (select setweight(p.lexemes, 'D') as lexemes offset 0) as l
cross join unnest(cast(cast(:terms as text[]) as tsquery[]), cast(:weights as real[])) as w (term, weight)
cross join lateral (select ts_rank('{1,1,1,1}', l.lexemes, w.term) as rank offset 0) as r
cross join lateral (select 1 / (1.644934 * (1 - r.rank)) - 0.5 as occurrences) as o
where r.rank > 0

-- name: lexical_search
-- The best matches are ranked first and looked up after, one by one in their order, until enough are of live generations:
-- OFFSET keeps the planner from reading all of the bot's membership instead.
select r.passage_id, r.qa_id, r.document_id, r.score
from (
    select p.passage_id, p.qa_id, p.document_id, s.score
    from (
        select p.passage_id, p.qa_id, p.document_id, p.lexemes, p.term_count
        from passages p
        where p.bot_id = :bot_id and p.lexemes @@ any(cast(cast(:conjunctions as text[]) as tsquery[]))
        limit :considered
    ) as p
    cross join lateral ({bm25}) as s
    order by s.score desc, p.passage_id
    limit :ranked
) as r
where exists (
    select from documents d
    join membership m on m.bot_id = :bot_id and m.document_id = d.document_id
        and m.generation = d.live_generation and m.passage_id = r.passage_id
    where d.bot_id = :bot_id and d.document_id = r.document_id
    offset 0
)
order by r.score desc, r.passage_id
limit :limit;

-- name: filtered_lexical_search
select p.passage_id, p.qa_id, p.document_id, s.score
from (
    select p.passage_id, p.qa_id, p.document_id, p.lexemes, p.term_count
    from passages p
    join qa_pairs q on q.bot_id = :bot_id and q.qa_id = p.qa_id and q.since_generation = p.since_generation
    join documents d on d.bot_id = :bot_id and d.document_id = p.document_id
    join membership m on m.bot_id = :bot_id and m.document_id = p.document_id
        and m.generation = d.live_generation and m.passage_id = p.passage_id
    where p.bot_id = :bot_id and p.lexemes @@ any(cast(cast(:conjunctions as text[]) as tsquery[])) and q.is_active
      and {pair_filter}
    limit :considered
) as p
cross join lateral ({bm25}) as s
order by s.score desc, p.passage_id
limit :limit;

-- name: matching_passages
select p.passage_id
from qa_pairs q
join passages p on p.bot_id = :bot_id and p.qa_id = q.qa_id and p.since_generation = q.since_generation
join documents d on d.bot_id = :bot_id and d.document_id = p.document_id
join membership m on m.bot_id = :bot_id and m.document_id = p.document_id
    and m.generation = d.live_generation and m.passage_id = p.passage_id
where q.bot_id = :bot_id and q.is_active
  and {pair_filter}
limit :limit;

-- name: corrected_is_live
-- A fragment, put in place of {corrected_is_live}: the pair that the document d corrects is live, and is still what it was.
-- OFFSET keeps the planner from hashing all live pairs of the bot in order to look a few up.
exists (
    select from qa_pairs o
    join documents od on od.bot_id = :bot_id and od.document_id = o.document_id
    join passages op on op.bot_id = :bot_id and op.qa_id = o.qa_id and op.since_generation = o.since_generation
        and op.part = 0
    join membership om on om.bot_id = :bot_id and om.document_id = o.document_id
        and om.generation = od.live_generation and om.passage_id = op.passage_id
    where o.bot_id = :bot_id and o.qa_id = d.corrects and o.content_hash = d.corrects_hash
    offset 0
)

-- name: in_force
-- A fragment, put in place of {in_force}: of a pair and its correction, one answers. A live correction replaces the pair q
-- with the content that it corrects, and itself answers as long as that is live; both follow from the same rows.
not exists (
    select from documents c
    where c.bot_id = :bot_id and c.corrects = q.qa_id and c.corrects_hash = q.content_hash
)
and (d.corrects is null or {corrected_is_live})

-- name: hydrate
-- The one statement that decides what may enter an answer: bot active, document and pair not deleted, generation live,
-- pair active and in force. What it does not return does not exist.
select
    p.passage_id, p.document_id, coalesce(d.corrects, p.qa_id) as qa_id, d.corrects is not null as is_corrected,
    p.part, p.text, d.live_generation as generation,
    q.external_id, q.question, q.response, q.heading_path, q.category, q.subcategory, q.source, q.source_type, q.author,
    q.published_at, q.language, q.difficulty, q.tags, q.metadata, q.created_at, q.updated_at,
    s.name as source_name, s.object_path, s.page, s.section, s.excerpt
from passages p
join bots b on b.bot_id = :bot_id and b.state = 'active'
join documents d on d.bot_id = :bot_id and d.document_id = p.document_id and d.deleted_at is null
join membership m on m.bot_id = :bot_id and m.document_id = p.document_id
    and m.generation = d.live_generation and m.passage_id = p.passage_id
join qa_pairs q on q.bot_id = :bot_id and q.qa_id = p.qa_id and q.since_generation = p.since_generation and q.is_active
join document_sources s on s.bot_id = :bot_id and s.passage_id = p.passage_id
where p.bot_id = :bot_id and p.passage_id = any(cast(:passage_ids as uuid[]))
  and not exists (
      select from tombstones t
      where t.bot_id = :bot_id and t.document_id = p.document_id and t.qa_id = p.qa_id and t.swept_at is null
        and p.since_generation <= t.generation
  )
  and {in_force};

-- name: filtered_hydrate
-- The same for a filter, whose conditions take time to plan even where they demand nothing.
{hydrate} and {pair_filter};

-- name: vouch
-- The same verdict as hydrate, without the content.
select p.passage_id
from passages p
join bots b on b.bot_id = :bot_id and b.state = 'active'
join documents d on d.bot_id = :bot_id and d.document_id = p.document_id and d.deleted_at is null
join membership m on m.bot_id = :bot_id and m.document_id = p.document_id
    and m.generation = d.live_generation and m.passage_id = p.passage_id
join qa_pairs q on q.bot_id = :bot_id and q.qa_id = p.qa_id and q.since_generation = p.since_generation and q.is_active
where p.bot_id = :bot_id and p.passage_id = any(cast(:passage_ids as uuid[]))
  and not exists (
      select from tombstones t
      where t.bot_id = :bot_id and t.document_id = p.document_id and t.qa_id = p.qa_id and t.swept_at is null
        and p.since_generation <= t.generation
  )
  and {in_force};

-- name: passages_of_pair
-- The passages that may speak for a pair: its own, and those of its correction.
select p.passage_id from passages p
where p.bot_id = :bot_id and p.part = 0 and p.qa_id = :qa_id
union all
select p.passage_id
from documents d
join passages p on p.bot_id = :bot_id and p.document_id = d.document_id and p.part = 0
where d.bot_id = :bot_id and d.corrects = :qa_id;

-- name: corrections_of
-- Documents that correct pairs of these documents.
select document_id from documents
where bot_id = :bot_id and corrects_document = any(cast(:document_ids as uuid[]));

-- name: superseded
-- Documents that are live with one of these pairs, of which none of these passages is live: a newer generation, or a
-- correction, has what an older one was found by.
select distinct found.document_id
from (
    select p.document_id, p.qa_id, bool_or(p.passage_id = any(cast(:passage_ids as uuid[]))) as was_found
    from passages p
    join documents d on d.bot_id = :bot_id and d.document_id = p.document_id and d.deleted_at is null
    join membership m on m.bot_id = :bot_id and m.document_id = p.document_id
        and m.generation = d.live_generation and m.passage_id = p.passage_id
    where p.bot_id = :bot_id and p.qa_id = any(cast(:qa_ids as uuid[]))
    group by p.document_id, p.qa_id
    union all
    select d.document_id, d.corrects, bool_or(p.passage_id = any(cast(:passage_ids as uuid[])))
    from documents d
    join membership m on m.bot_id = :bot_id and m.document_id = d.document_id and m.generation = d.live_generation
    join passages p on p.bot_id = :bot_id and p.passage_id = m.passage_id
    join qa_pairs q on q.bot_id = :bot_id and q.qa_id = p.qa_id and q.since_generation = p.since_generation
        and q.is_active
    where d.bot_id = :bot_id and d.corrects = any(cast(:qa_ids as uuid[])) and d.deleted_at is null
      and {corrected_is_live}
    group by d.document_id, d.corrects
) as found
where not found.was_found;

-- name: insert_query_log
-- Only with the verdict that everything which the answer rests on may still be said.
insert into query_logs (
    bot_id, query_id, question, answer, abstained, user_id, session_id, response_time_ms, score, document_ids, citations
)
select
    :bot_id, cast(:query_id as uuid), :question, :answer, cast(:abstained as boolean), :user_id, :session_id,
    cast(:response_time_ms as integer), cast(:score as real), cast(:document_ids as uuid[]), cast(:citations as jsonb)
where cast(:passages as integer) = (select count(*) from ({vouch}) as vouched);

-- name: set_feedback
update query_logs set feedback = :feedback, feedback_comment = :comment
where bot_id = :bot_id and query_id = :query_id;

-- name: votes_of_pairs
-- On answers that cited one of these pairs. No more than :limit votes are looked at for each pair.
select w.qa_id, count(*) filter (where v.feedback > 0) as up, count(*) filter (where v.feedback < 0) as down
from unnest(cast(:qa_ids as uuid[])) as w (qa_id)
cross join lateral (
    select l.feedback
    from query_logs l
    where l.bot_id = :bot_id and l.feedback <> 0
      and l.citations @> jsonb_build_array(jsonb_build_object('qa_id', w.qa_id))
    limit :limit
) as v
group by w.qa_id;

-- name: roll_up_analytics
insert into analytics (
    bot_id, day, questions, abstentions, feedback_up, feedback_down, response_time_ms_p50, response_time_ms_p95
)
select bot_id, cast(created_at at time zone 'UTC' as date), count(*), count(*) filter (where abstained),
       count(*) filter (where feedback > 0), count(*) filter (where feedback < 0),
       percentile_disc(0.5) within group (order by response_time_ms),
       percentile_disc(0.95) within group (order by response_time_ms)
from query_logs
where bot_id = :bot_id and created_at >= date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' - interval '1 day'
group by bot_id, cast(created_at at time zone 'UTC' as date)
on conflict (bot_id, day) do update set
    questions = excluded.questions, abstentions = excluded.abstentions, feedback_up = excluded.feedback_up,
    feedback_down = excluded.feedback_down, response_time_ms_p50 = excluded.response_time_ms_p50,
    response_time_ms_p95 = excluded.response_time_ms_p95;

-- name: ping
select 1 as one;
