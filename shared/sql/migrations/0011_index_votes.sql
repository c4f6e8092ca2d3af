-- Votes by the pairs that the answers cited. Only answers that somebody voted on are in it.
create index query_logs_votes on query_logs using gin (citations jsonb_path_ops) where feedback <> 0;
