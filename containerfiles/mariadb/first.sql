-- Run once, when a database is made: it has no accounts but root's.
DELETE FROM mysql.proxies_priv WHERE Host != 'localhost';
DELETE FROM mysql.global_priv WHERE User = '';
