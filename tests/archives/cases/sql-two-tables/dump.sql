PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE questions (id INTEGER PRIMARY KEY, title TEXT, body TEXT);
INSERT INTO questions VALUES(1,'Knocking','Why does it knock; and how?');
INSERT INTO questions VALUES(2,'Flush','How often?
Really?');
CREATE TABLE answers (id INTEGER PRIMARY KEY, question_id INT, body TEXT, score INT);
INSERT INTO answers VALUES(1,1,'Limescale, it''s common.',5);
INSERT INTO answers VALUES(2,1,'Ghosts.',-1);
INSERT INTO answers VALUES(3,2,'Twice a year.',0);
COMMIT;
