-- A bot that is being restored answers nothing until it is whole. The slug of a scratch bot begins with a dot, so that nobody
-- can have taken it, and no object can be its own.

alter table bots drop constraint bots_state_check;
alter table bots add constraint bots_state_check check (state in ('active', 'restoring', 'deleting', 'deleted'));
alter table bots drop constraint bots_slug_check;
alter table bots add constraint bots_slug_check check (slug ~ '^[.]?[a-z0-9][a-z0-9-]{0,62}$');
