//! The records that a store keeps, as plain data.

use std::path::PathBuf;

use jiff::SignedDuration;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Handle, MemoryId, Name, RunId, Timestamp};

/// Gives a closed enum its words: the same ones that serde reads and writes.
macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $name {
            /// Returns its word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Returns what the word stands for.
            pub fn of_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words!(MemoryKind {
    Fact = "fact",
    Decision = "decision",
    Preference = "preference",
    Procedure = "procedure",
    Episode = "episode",
    Note = "note",
});
words!(Removal { Purged = "purged", Expired = "expired", Crowded = "crowded_out" });
words!(Scope { Project = "project", User = "user", Session = "session", Agent = "agent" });
words!(RunState {
    Queued = "queued",
    Running = "running",
    Succeeded = "succeeded",
    Failed = "failed",
    TimedOut = "timed_out",
    Cancelled = "cancelled",
    Skipped = "skipped",
    Interrupted = "interrupted",
});

/// What a memory is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemoryKind {
    /// Something that is so.
    Fact,
    /// Something that was decided, with its reason.
    Decision,
    /// What somebody likes or wants.
    Preference,
    /// How something is done.
    Procedure,
    /// Something that happened: a run and its outcome, a turn of a conversation.
    Episode,
    /// Anything else.
    #[default]
    Note,
}

/// Who shares a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everyone who works on this project.
    #[default]
    Project,
    /// This user, in every project.
    User,
    /// One session.
    Session,
    /// One agent.
    Agent,
}

/// What a text means, as a model sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// The model; vectors of different models are never compared.
    pub model: String,
    /// The direction, each number times 127.
    pub vector: Vec<i8>,
}

/// A memory to be added.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMemory {
    /// Its id, chosen by the caller.
    pub id: MemoryId,
    /// The text, redacted.
    pub text: String,
    /// The words of text, actor and date as the index keeps them, in order, repeats included. A
    /// term has no blank, no control character and no ASCII capital.
    pub terms: Vec<String>,
    /// Its length in ranking: how many of the terms count.
    pub length: u32,
    /// Whether it asks something.
    pub asks: bool,
    /// What it means; it goes into the index, and a store does not give it back.
    pub meaning: Option<Meaning>,
    /// Identifies the content within its scope: equal digests are duplicates.
    pub digest: String,
    /// What it is about.
    pub kind: MemoryKind,
    /// Who shares it.
    pub scope: Scope,
    /// The agent it belongs to, for [`Scope::Agent`] and for episodes.
    pub agent: Option<String>,
    /// Words to filter by.
    pub tags: Vec<String>,
    /// The session it comes from.
    pub session_id: Option<String>,
    /// Who said or did it.
    pub actor: Option<String>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When it was stored.
    pub created_at: Timestamp,
    /// From 0 (trivial) to 1 (vital).
    pub importance: f64,
    /// Whether it is kept whatever its age.
    pub pinned: bool,
    /// When recall stops finding it.
    pub expires_at: Option<Timestamp>,
    /// Where it comes from: a file, an address, a run.
    pub source: Option<String>,
    /// A JSON object, as text.
    pub metadata: String,
    /// A subject of which only the newest memory is current.
    pub topic_key: Option<String>,
    /// The memory that this one replaces.
    pub supersedes: Option<MemoryId>,
}

/// A stored memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// What was added.
    pub content: NewMemory,
    /// Its place in its session, counted by the store from 0. A memory put in another's place by
    /// [`super::Store::supersede`] takes its place in the session as well.
    pub order: i64,
    /// The memory that replaced it, if any.
    pub superseded_by: Option<MemoryId>,
    /// When it stopped being current by being superseded.
    pub superseded_at: Option<Timestamp>,
    /// When it was forgotten; its text is empty then.
    pub forgotten_at: Option<Timestamp>,
}

/// What became of a memory that was to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The id it has now; of the older one for a duplicate.
    pub id: MemoryId,
    /// What became of it.
    pub status: AddedStatus,
}

/// What became of a memory that was to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddedStatus {
    /// It is new.
    Stored,
    /// The same content is there already.
    Duplicate,
    /// It is new and took the place of this one.
    Superseded(MemoryId),
    /// It names a memory to supersede that is not there or not current.
    UnknownSuperseded(MemoryId),
}

/// What is kept already that a memory would repeat or replace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Alike {
    /// A memory with the same digest: a current one, or else the last of those that were superseded
    /// or forgotten.
    pub same: Option<Memory>,
    /// The current memory of the same topic.
    pub topic: Option<Memory>,
}

/// A memory to be put in as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Put {
    /// The memory, with its place and its history.
    pub memory: Memory,
    /// A current memory that it takes the place of.
    pub replaces: Option<MemoryId>,
}

/// A change of what is not text; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// New tags.
    pub tags: Option<Vec<String>>,
    /// New metadata, a JSON object as text.
    pub metadata: Option<String>,
    /// New importance.
    pub importance: Option<f64>,
    /// Pins or unpins.
    pub pinned: Option<bool>,
    /// A new expiry, or none.
    pub expires_at: Option<Option<Timestamp>>,
    /// Takes back that it was forgotten, unless it was purged.
    pub restore: bool,
}

/// A memory that was forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// Its id.
    pub id: MemoryId,
    /// Whether its text is gone from the file as well; not so while another process reads what was
    /// there before, which keeps the write-ahead log alive.
    pub purged: bool,
}

/// An original to be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewOriginal {
    /// The bytes.
    pub content: Vec<u8>,
    /// Their hash, as [`content_hash`](crate::base::content_hash) gives it, where somebody has it already.
    pub hash: Option<String>,
    /// What kind of text it is, as one word.
    pub kind: Option<String>,
    /// Its tokens, where somebody has counted them.
    pub tokens: Option<u64>,
    /// The encoding that they were counted with.
    pub encoding: Option<String>,
    /// Its first line, shortened, for people.
    pub first_line: Option<String>,
    /// Where it comes from, for people.
    pub source: Option<String>,
    /// When it was kept.
    pub created_at: Timestamp,
}

/// A kept original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// Its handle.
    pub handle: Handle,
    /// The bytes.
    pub content: Vec<u8>,
    /// Where they come from.
    pub source: Option<String>,
    /// When they were kept.
    pub created_at: Timestamp,
}

/// What is known of an original, besides its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OriginalInfo {
    /// Its handle.
    pub handle: Handle,
    /// Its size.
    pub bytes: u64,
    /// What kind of text it is.
    pub kind: Option<String>,
    /// Its tokens.
    pub tokens: Option<u64>,
    /// The encoding that they were counted with.
    pub encoding: Option<String>,
    /// Its first line, shortened; gone with the content.
    pub first_line: Option<String>,
    /// Where it comes from; gone with the content.
    pub source: Option<String>,
    /// When it was kept.
    pub created_at: Timestamp,
    /// When it was last kept again or fetched.
    pub used_at: Timestamp,
    /// Its end, when its content is there no more.
    pub removed: Option<Removed>,
}

/// The end of an original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// When it was.
    pub at: Timestamp,
    /// Why.
    pub why: Removal,
}

/// Why an original was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// Somebody wanted it so.
    Purged,
    /// Nobody had used it for too long.
    Expired,
    /// Newer ones needed the room.
    #[serde(rename = "crowded_out")]
    Crowded,
}

/// How much is kept of originals. The one that is being kept is never removed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginalLimits {
    /// The bytes of all of them together.
    pub bytes_max: u64,
    /// How many days one is kept that nobody uses.
    pub unused_days_max: u32,
}

impl OriginalLimits {
    /// How many days it is known that an original was removed.
    const KNOWN_DAYS: u32 = 365;

    /// Returns the time since when an original must have been used.
    pub fn unused_since(&self, now: Timestamp) -> Timestamp {
        days_before(now, self.unused_days_max)
    }

    /// Returns the time since when an original must have been removed for its end to be known.
    pub fn forgotten_since(now: Timestamp) -> Timestamp {
        days_before(now, Self::KNOWN_DAYS)
    }
}

impl Default for OriginalLimits {
    fn default() -> Self {
        Self { bytes_max: 512 << 20, unused_days_max: 30 }
    }
}

/// Which originals are to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purge {
    /// Every one.
    All,
    /// Those that nobody has used since then.
    UnusedSince(Timestamp),
    /// These.
    These(Vec<Handle>),
}

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purged {
    /// What was known of each.
    pub originals: Vec<OriginalInfo>,
    /// Whether no trace is left in the file; not so while another process reads what was there
    /// before.
    pub traceless: bool,
}

/// What compressing saved: the sum of the calls of a day, tool and kind of text that saved as many
/// percent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavingRow {
    /// The day, in UTC.
    pub day: Date,
    /// The tool.
    pub tool: String,
    /// The kind of text.
    pub kind: String,
    /// The whole percent that each call saved; negative where its text became more.
    pub percent: i32,
    /// How many calls.
    pub calls: u64,
    /// Their tokens before.
    pub before: u64,
    /// Their tokens after.
    pub after: u64,
    /// Of those after, what the marks cost.
    pub marks: u64,
}

fn days_before(now: Timestamp, days: u32) -> Timestamp {
    now.saturating_sub(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MIN)
}

/// The state of a run or of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Recorded, not started.
    Queued,
    /// A process exists.
    Running,
    /// It ended well.
    Succeeded,
    /// It ended with an error.
    Failed,
    /// Its time was up.
    TimedOut,
    /// Somebody cancelled it.
    Cancelled,
    /// It never started, because something before it failed.
    Skipped,
    /// The process that ran it died.
    Interrupted,
}

impl RunState {
    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// A run of an agent or of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// `delegate_task` or `run_workflow`.
    pub tool: String,
    /// What was asked, shortened for people.
    pub title: String,
    /// Its state.
    pub state: RunState,
    /// A caller's key: the same key means the same run.
    pub idempotency_key: Option<String>,
    /// The run that started this one.
    pub parent: Option<RunId>,
    /// The process that runs it.
    pub owner: String,
    /// Until when that process has said it lives.
    pub lease_until: Timestamp,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When somebody asked for it to be cancelled.
    pub cancel_requested_at: Option<Timestamp>,
    /// The outcome as the tool gives it, JSON as text.
    pub outcome: Option<String>,
    /// What went wrong, for people.
    pub error: Option<String>,
}

/// A step of a run: one agent, one task.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The run it belongs to.
    pub run: RunId,
    /// Its name within the run.
    pub name: Name,
    /// Its place within the run, from 0.
    pub position: usize,
    /// The steps that must succeed before it.
    pub needs: Vec<Name>,
    /// The agent that does it.
    pub agent: Name,
    /// What the agent is asked.
    pub task: String,
    /// Its state.
    pub state: RunState,
    /// How often it was started.
    pub attempt: u32,
    /// When its latest attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The outcome as the tool gives it, JSON as text.
    pub outcome: Option<String>,
    /// What went wrong, for people.
    pub error: Option<String>,
}

/// A run to be recorded: it is new, or the idempotency key names an older one.
#[derive(Debug, Clone, PartialEq)]
pub enum Created {
    /// It was recorded.
    New,
    /// This run has the same idempotency key.
    Existing(Box<Run>),
}

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number in the store, set when it is added.
    pub number: i64,
    /// The run.
    pub run: RunId,
    /// The step, if it concerns one.
    pub step: Option<Name>,
    /// When.
    pub at: Timestamp,
    /// What, as one word: `started`, `output`, `finished`, ...
    pub kind: String,
    /// The details, for people.
    pub detail: String,
}

/// What a store holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreStatus {
    /// The backend: `sqlite` or `in_memory`.
    pub backend: &'static str,
    /// The version of the schema.
    pub schema_version: i64,
    /// The current memories.
    pub memories: u64,
    /// The memories with a vector of what they mean, history included.
    pub embeddings: u64,
    /// The kept originals.
    pub originals: u64,
    /// The bytes of the kept originals.
    pub originals_bytes: u64,
    /// The runs.
    pub runs: u64,
    /// The size in bytes, where it has one.
    pub bytes: u64,
    /// Where it is.
    pub location: String,
}

/// A copy of a store that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupInfo {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// The version of its schema.
    pub schema_version: i64,
    /// How many rows each of its tables has.
    pub rows: Vec<(String, u64)>,
}

impl BackupInfo {
    /// Returns how many rows a table has.
    pub fn rows_of(&self, table: &str) -> u64 {
        self.rows.iter().find(|(name, _)| name == table).map_or(0, |(_, rows)| *rows)
    }
}

/// A backup that was put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// What was put back: rows as they are now, the version as it was in the backup.
    pub from: BackupInfo,
    /// Where the content before is kept; `None`: there was none.
    pub kept: Option<PathBuf>,
}

/// Something that is wrong with a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What, in one word.
    pub name: &'static str,
    /// How often.
    pub count: u64,
    /// What it means, for people; it follows the number.
    pub detail: String,
    /// Some of those concerned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// Whether it was put right.
    pub mended: bool,
}
