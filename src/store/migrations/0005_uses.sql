-- When episodes were last recalled, to about a day, so that tidying leaves those alone that somebody
-- uses.

CREATE TABLE uses (
  number  INTEGER PRIMARY KEY REFERENCES memories (number),
  used_at INTEGER NOT NULL
);
