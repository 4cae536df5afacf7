//! Events, health and logging.
