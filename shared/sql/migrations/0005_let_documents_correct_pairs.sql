-- A correction is a document whose one pair replaces a pair of another document, as long as that one is what it was:
-- which pair of which document, and the hash of the content that is corrected. Known of each generation; the document
-- itself has what its live generation says, so that one statement can tell which of the two answers.

alter table generations
    add column corrects uuid, add column corrects_document uuid, add column corrects_hash text;
alter table documents
    add column corrects uuid, add column corrects_document uuid, add column corrects_hash text;
create index documents_corrects on documents (bot_id, corrects) where corrects is not null;
create index documents_corrected on documents (bot_id, corrects_document) where corrects_document is not null;

-- What a retry looks for.
create index documents_stuck on documents (bot_id, document_id) where state in ('failed', 'rejected');
