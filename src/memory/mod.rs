//! Remembering and recalling: redaction, the words of the index, ranking, superseding, forgetting.
