-- What memories mean, as a model sees it; and whether they ask something, because what follows a
-- question is likelier to tell.

ALTER TABLE memories ADD COLUMN asks INTEGER NOT NULL DEFAULT 0;
UPDATE memories SET asks = 1
  WHERE number IN (SELECT number FROM texts WHERE rtrim(text) LIKE '%?' OR rtrim(text) LIKE '%？');

CREATE TABLE meanings (
  number INTEGER PRIMARY KEY REFERENCES memories (number),
  model  TEXT NOT NULL,
  vector BLOB NOT NULL            -- a signed byte for each number, times 127
);
