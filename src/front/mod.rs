//! The doors to the outside, and the only room that knows a protocol.
