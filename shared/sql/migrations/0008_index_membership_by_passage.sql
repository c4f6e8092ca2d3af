-- Which generations hold a passage. Without it, sweeping a document compares each of its passages with each of its members
-- whenever the planner takes the document for a small one.
create index membership_of_passage on membership (bot_id, passage_id);
