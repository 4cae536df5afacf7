//! Assembling files, memories, diffs and text into one packet of an exact size.
