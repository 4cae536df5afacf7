-- Which memories one took the place of: whoever purges it wants those gone as well.

CREATE INDEX memories_superseded ON memories (superseded_by) WHERE superseded_by IS NOT NULL;
