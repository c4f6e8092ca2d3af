-- What an operator is shown and told.

-- name: waiting_since
-- A fragment, put in place of {waiting_since}: since when the marker k is pending. A first attempt is due at once; each
-- further one is put off for about as long as all before it took.
k.next_attempt_at - case when k.attempts = 0 then interval '0'
    else make_interval(secs => least(600, power(2, least(10, k.attempts))) + 600 * greatest(0, k.attempts - 9)) end

-- name: gauges
-- In one look: what waits, what there is, and when the deployment began.
select 'markers' as what, case when k.state = 'failed' then 'failed' else 'pending_' || k.wanted end as state,
       count(*) as number, extract(epoch from now() - min({waiting_since})) as seconds
from markers k
where k.state <> 'delivered'
group by 2
union all
select 'documents', case when d.deleted_at is null then d.state else 'deleting' end, count(*), null
from documents d
group by 2
union all
select 'deployment', null, null, extract(epoch from now() - created_at) from deployments;

-- name: outcomes
-- The subject of an audit is a collection: one that no bot uses any more is of no interest.
select o.operation, o.subject, o.figures, o.finished_at, extract(epoch from now() - o.finished_at) as age_seconds
from outcomes o
where o.operation <> 'audit' or exists (
    select from collections c join bots b on b.collection_id = c.collection_id and b.state = 'active'
    where c.name = o.subject
)
order by o.operation, o.subject;

-- name: record_outcome
insert into outcomes (operation, subject, figures)
values (:operation, :subject, cast(:figures as jsonb))
on conflict (operation, subject) do update set figures = excluded.figures, finished_at = now();

-- name: news
-- A fragment, put in place of {news}: what there is to tell of the document d.
d.state || '/' || case when d.state = 'live' then cast(d.live_generation as text)
    else coalesce(d.seen_version, '') || '/' || d.last_generation end

-- name: untold_documents
select d.document_id, d.object_key, d.state, d.reason, d.seen_version as version, d.updated_at, {news} as news
from documents d
where d.bot_id = :bot_id and d.updated_at >= now() - make_interval(secs => :age_seconds)
  and d.deleted_at is null and d.state in ('live', 'rejected', 'failed') and d.told is distinct from {news}
order by d.updated_at, d.document_id
limit :limit;

-- name: mark_told
update documents set told = :news where bot_id = :bot_id and document_id = :document_id;
