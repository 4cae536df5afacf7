-- Times are microseconds since 1970 in UTC. Lists are JSON arrays.

CREATE TABLE memories (
  number        INTEGER PRIMARY KEY,  -- never used again: rows are never deleted
  revision      INTEGER NOT NULL,     -- grows with every change of any memory
  id            TEXT NOT NULL UNIQUE,
  digest        TEXT NOT NULL,
  kind          TEXT NOT NULL,
  scope         TEXT NOT NULL,
  agent         TEXT,
  tags          TEXT NOT NULL,
  session_id    TEXT,
  actor         TEXT,
  place         INTEGER NOT NULL,     -- in its session
  occurred_at   INTEGER NOT NULL,
  created_at    INTEGER NOT NULL,
  importance    REAL NOT NULL,
  pinned        INTEGER NOT NULL,
  expires_at    INTEGER,
  topic_key     TEXT,
  supersedes    TEXT,
  superseded_by TEXT,
  superseded_at INTEGER,
  forgotten_at  INTEGER,
  purged        INTEGER NOT NULL DEFAULT 0,
  length        INTEGER NOT NULL      -- in ranking
);
CREATE UNIQUE INDEX memories_revision ON memories (revision);
CREATE INDEX memories_digest ON memories (digest);
CREATE INDEX memories_session ON memories (session_id, place);
CREATE INDEX memories_topic ON memories (topic_key) WHERE topic_key IS NOT NULL;

-- What is long lies apart, so that the index in memory can be read quickly.
CREATE TABLE texts (
  number   INTEGER PRIMARY KEY REFERENCES memories (number),
  text     TEXT NOT NULL,
  terms    TEXT NOT NULL,             -- joined by blanks
  source   TEXT,
  metadata TEXT NOT NULL
);

-- The tokenizer only splits at blanks: every other ASCII character is part of a term, and
-- characters beyond ASCII always are.
CREATE VIRTUAL TABLE words USING fts5 (
  terms,
  content = 'texts',
  content_rowid = 'number',
  columnsize = 0,
  tokenize = "ascii tokenchars '!""#$%&''()*+,-./:;<=>?@[\]^_`{|}~'"
);
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
-- One row for every place at which a term stands.
CREATE VIRTUAL TABLE places USING fts5vocab (words, instance);

CREATE TABLE originals (
  hash       TEXT PRIMARY KEY,
  handle     TEXT NOT NULL UNIQUE,
  content    BLOB NOT NULL,
  source     TEXT,
  created_at INTEGER NOT NULL
);

CREATE TABLE runs (
  number              INTEGER PRIMARY KEY,
  id                  TEXT NOT NULL UNIQUE,
  tool                TEXT NOT NULL,
  title               TEXT NOT NULL,
  state               TEXT NOT NULL,
  idempotency_key     TEXT,
  parent              TEXT,
  owner               TEXT NOT NULL,
  lease_until         INTEGER NOT NULL,
  created_at          INTEGER NOT NULL,
  finished_at         INTEGER,
  cancel_requested_at INTEGER,
  outcome             TEXT,
  error               TEXT
);
CREATE UNIQUE INDEX runs_idempotency ON runs (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX runs_created ON runs (created_at);
CREATE INDEX runs_parent ON runs (parent) WHERE parent IS NOT NULL;

CREATE TABLE steps (
  run         TEXT NOT NULL REFERENCES runs (id),
  name        TEXT NOT NULL,
  position    INTEGER NOT NULL,
  needs       TEXT NOT NULL,
  agent       TEXT NOT NULL,
  task        TEXT NOT NULL,
  state       TEXT NOT NULL,
  attempt     INTEGER NOT NULL,
  started_at  INTEGER,
  finished_at INTEGER,
  outcome     TEXT,
  error       TEXT,
  PRIMARY KEY (run, name)
) WITHOUT ROWID;
CREATE INDEX steps_agent ON steps (agent);

CREATE TABLE events (
  number INTEGER PRIMARY KEY,
  run    TEXT NOT NULL REFERENCES runs (id),
  step   TEXT,
  at     INTEGER NOT NULL,
  kind   TEXT NOT NULL,
  detail TEXT NOT NULL
);
CREATE INDEX events_run ON events (run, number);
