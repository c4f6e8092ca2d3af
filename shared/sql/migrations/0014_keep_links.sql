-- Links of documents: the addresses by which they lead to a pair, and those that its text links to. In the graph an address is a
-- name, and a link mentions it.
alter table qa_pairs add column addresses text[] not null default '{}';
alter table qa_pairs add column links text[] not null default '{}';
alter table names drop constraint names_kind_check;
alter table names add constraint names_kind_check check (kind in ('focus', 'alias', 'heading', 'document', 'address'));
