-- What an export reads of a bot, page by page in one read view. What is live is decided by `hydrate`, as for an answer.

-- name: export_passages
-- Passages in the order of their pairs. With `since`, of pairs that were written or went live at or after that moment.
select p.passage_id, p.qa_id, p.since_generation
from passages p
where p.bot_id = :bot_id
  and (p.qa_id, p.since_generation, p.passage_id)
      > (cast(:after_qa_id as uuid), cast(:after_generation as integer), cast(:after_passage_id as uuid))
  and (cast(:since as timestamptz) is null or exists (
      select from qa_pairs q
      join documents d on d.bot_id = :bot_id and d.document_id = q.document_id
      left join generations born on born.bot_id = :bot_id and born.document_id = q.document_id
          and born.generation = q.since_generation
      left join generations live on live.bot_id = :bot_id and live.document_id = q.document_id
          and live.generation = d.live_generation
      where q.bot_id = :bot_id and q.qa_id = p.qa_id and q.since_generation = p.since_generation
        and greatest(q.updated_at, coalesce(born.live_at, live.live_at)) >= cast(:since as timestamptz)
  ))
order by p.qa_id, p.since_generation, p.passage_id
limit :limit;

-- name: export_relations
-- Those that lead to a live pair: what a record names may be nowhere.
select e.source_qa_id, e.target_qa_id, e.type, e.confidence, e.origin, e.created_at
from unnest(cast(:qa_ids as uuid[]), cast(:generations as integer[])) as r (qa_id, since_generation)
join relations e on e.bot_id = :bot_id and e.source_qa_id = r.qa_id and e.since_generation = r.since_generation
where (
    select p.qa_id
    from passages p
    join documents d on d.bot_id = :bot_id and d.document_id = p.document_id
    join membership m on m.bot_id = :bot_id and m.document_id = p.document_id and m.generation = d.live_generation
        and m.passage_id = p.passage_id
    where p.bot_id = :bot_id and p.qa_id = e.target_qa_id and p.part = 0
    limit 1
) is not null
order by e.source_qa_id, e.target_qa_id, e.type;

-- name: export_logs
select query_id, question, answer, abstained, user_id, session_id, response_time_ms, score, document_ids, citations,
       feedback, feedback_comment, created_at
from query_logs
where bot_id = :bot_id
  and (created_at, query_id) > (cast(:after_moment as timestamptz), cast(:after_query_id as uuid))
  and created_at >= cast(:since as timestamptz)
order by created_at, query_id
limit :limit;
