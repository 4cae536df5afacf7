-- What compressing saved, added up by day. A row for each whole percent that calls saved, so that
-- the median of any selection can be told.

CREATE TABLE savings (
  day     TEXT NOT NULL,        -- 2026-01-31, UTC
  tool    TEXT NOT NULL,
  kind    TEXT NOT NULL,
  percent INTEGER NOT NULL,     -- of the tokens before
  calls   INTEGER NOT NULL,
  before  INTEGER NOT NULL,     -- tokens, all calls together
  after   INTEGER NOT NULL,
  marks   INTEGER NOT NULL,     -- of those after, what the marks cost
  PRIMARY KEY (day, tool, kind, percent)
) WITHOUT ROWID;
