//! Builds the services from the resolved settings; the only file that sees every room.
