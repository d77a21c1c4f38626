-- Who did what on the page.
insert into sync.audit (user_id, user_name, action, subject)
values (%(user_id)s, %(user_name)s, %(action)s, %(subject)s);
