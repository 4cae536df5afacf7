//! Running sub-agents: plan, packet, dispatch, journal, outcome.
