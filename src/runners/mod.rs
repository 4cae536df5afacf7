//! How an agent of a kind is started. Turns agent and packet into a launch; starts nothing itself.
