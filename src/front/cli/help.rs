//! What the options of tools are for, where the schema of the tool leaves it to the name.
//!
//! An assistant pays for every word of a tool's schema in every session; a person who asks for help
//! reads it once. So the schema tells what a name does not, and this list the rest.

/// Returns what the field `name` of the tool `tool` is for.
pub fn of(tool: &str, name: &str) -> Option<&'static str> {
    let known = FIELDS.iter().find(|(field, _)| *field == name || field.split_once('.') == Some((tool, name)));
    known.map(|(_, help)| *help)
}

/// Returns what stands below the options: the form of what is given as JSON.
pub fn examples(tool: &str) -> Option<&'static str> {
    EXAMPLES.iter().find(|(name, _)| *name == tool).map(|(_, text)| *text)
}

/// A field, or one of a certain tool, before the field alone.
const FIELDS: &[(&str, &str)] = &[
    ("context_compress.text", "The text itself, instead of files or standard input"),
    ("context_compress.path", "A single file"),
    ("context_compress.paths", "Files; `-` or nothing: standard input"),
    ("context_pack.sources", "What to pack: a JSON list (see below), @FILE with one, or `-`"),
    ("context_retrieve.handle", "What was named when the text was cut: ctx:..."),
    ("context_retrieve.query", "Only the parts about this"),
    ("count_tokens.text", "The text itself, instead of files or standard input"),
    ("count_tokens.paths", "Files, folders and globs; `-` or nothing: standard input"),
    ("count_tokens.top", "Show the N largest, and sum up the others"),
    ("delegate_task.task", "What to do; `-`: standard input"),
    ("delegate_task.text", "Text to give the agent besides its task"),
    ("get_run.agent", "Only runs with this agent"),
    ("get_run.limit", "The most runs listed"),
    ("get_run.parent_run", "Only runs that this run started"),
    ("get_run.run_id", "The run to show; without it, runs are listed"),
    ("get_run.status", "Only runs in these states, with commas between them"),
    ("memory_forget.ids", "The memories to forget: mem_..."),
    ("memory_forget.filter", "Forget what passes this filter: JSON (see below)"),
    ("memory_recall.detail", "A line for each memory, or all of it"),
    ("memory_recall.ids", "Show these memories instead of searching: mem_..., or the end of it from a line"),
    ("memory_recall.agent", "Only what this agent remembered"),
    ("memory_recall.kind", "Only this kind"),
    ("memory_recall.scope", "Only this scope"),
    ("memory_recall.session_id", "Only from this session"),
    ("memory_recall.actor", "Only what this person or program said"),
    ("memory_recall.since", "Only from this time on, such as 2026-01-31"),
    ("memory_recall.until", "Only until this time"),
    ("memory_recall.tags", "Only with all of these tags: a,b"),
    ("memory_recall.limit", "The most memories returned"),
    ("memory_store.text", "One self-contained statement; `-` or nothing: standard input"),
    ("memory_store.agent", "The agent whose memory it is, with --scope agent"),
    ("memory_store.memories", "Many at once: a JSON list of objects with these fields, or @FILE"),
    ("memory_update.id", "The memory to change: mem_..."),
    ("run_workflow.steps", "The steps: a JSON list (see below), @FILE with one, or `-`"),
    ("run_workflow.result_tokens", "Most tokens of each step's result"),
    ("run_workflow.timeout_seconds", "Most seconds of each step"),
    ("encoding", "Count with this encoding (default: context.encoding)"),
    ("expires_at", "When it is no longer true"),
    ("explain", "Show what each score is made of"),
    ("dry_run", "Only say what would be forgotten"),
    ("from_line", "From this line on"),
    ("idempotency_key", "A second run with this key is the first one"),
    ("importance", "From 0 to 1"),
    ("kind", "What it is about"),
    ("max_tokens", "Most tokens of the result"),
    ("metadata", "A JSON object that is kept with it"),
    ("model", "Count for this model instead"),
    ("offset", "Leave out this many at the beginning"),
    ("parent_run", "The run that this one belongs to"),
    ("pinned", "Recall it before others"),
    ("regex", "Only lines that match"),
    ("run_id", "The run: run_..."),
    ("scope", "Who shares it"),
    ("session_id", "The session it belongs to"),
    ("source", "Where it comes from: a file, an address"),
    ("supersedes", "The memory that it replaces: mem_..."),
    ("tags", "Words to find it by: a,b"),
    ("timeout_seconds", "Most seconds"),
    ("to_line", "Up to this line"),
    ("until", "Until this time"),
];

const EXAMPLES: &[(&str, &str)] = &[
    (
        "context_pack",
        "Each source is an object with exactly one of files (a path or glob), text, memory (an id or a\n\
         query) and diff (true), and if you like a label and a priority from 1 to 10:\n\n  \
         ctx pack '[{\"files\": \"src/**/*.rs\"}, {\"diff\": true, \"priority\": 9}]' --max-tokens 4000",
    ),
    (
        "run_workflow",
        "Each step is an object with agent and task, and if you like name, context (files, text,\n\
         memories, diff), needs (names of steps, with --mode dag), isolation and retries:\n\n  \
         ctx workflow '[{\"agent\": \"tester\", \"task\": \"Run the tests\"},\n                \
         {\"agent\": \"reviewer\", \"task\": \"Review what failed\"}]'",
    ),
    (
        "memory_forget",
        "A filter has the fields of `ctx recall`, without its query and limits:\n\n  \
         ctx memory forget --dry-run --filter '{\"tags\": [\"old\"], \"until\": \"2026-01-01\"}'",
    ),
];
