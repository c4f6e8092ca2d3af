-- A change of embedder: the collection that is built beside a bot's own, and the one that it has left and that is emptied.

alter table bots
    add column next_collection_id   uuid references collections,
    add column former_collection_id uuid references collections,
    add column changed_at           timestamptz,
    add constraint bots_one_change check (next_collection_id is null or former_collection_id is null);
