-- What is known of an original, apart from its content: listing reads no content, and a row stays
-- when the content goes, so that its handle can say why there is nothing any more.

ALTER TABLE originals RENAME TO originals_before;

CREATE TABLE originals (
  hash        TEXT PRIMARY KEY,
  handle      TEXT NOT NULL UNIQUE,
  bytes       INTEGER NOT NULL,
  kind        TEXT,
  tokens      INTEGER,
  encoding    TEXT,              -- that the tokens were counted with
  first_line  TEXT,
  source      TEXT,
  created_at  INTEGER NOT NULL,
  used_at     INTEGER NOT NULL,
  removed_at  INTEGER,
  removed_why TEXT
);
CREATE TABLE contents (
  hash    TEXT PRIMARY KEY REFERENCES originals (hash),
  content BLOB NOT NULL
);
INSERT INTO originals (hash, handle, bytes, source, created_at, used_at)
  SELECT hash, handle, length(content), source, created_at, created_at FROM originals_before;
INSERT INTO contents (hash, content) SELECT hash, content FROM originals_before;
DROP TABLE originals_before;

-- Holds all that keeping within the limits asks for.
CREATE INDEX originals_used ON originals (used_at, hash, bytes, removed_at) WHERE removed_at IS NULL;
CREATE INDEX originals_removed ON originals (removed_at) WHERE removed_at IS NOT NULL;
