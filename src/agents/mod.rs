//! Agent files: find, parse, check. Shared by `delegate` and, later, the LSP front.
