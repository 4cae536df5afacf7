//! Keeping what is to be remembered.

use std::collections::HashMap;

use super::redact::{self, Redacted, redact};
use super::{Memories, MemoryError, similar, terms};
use crate::base::{MemoryId, Timestamp, content_hash};
use crate::store::{Added, AddedStatus, MemoryKind, NewMemory, Scope};

/// The most memories in one call.
pub const MEMORIES_MAX: usize = 1_000;
/// The longest text of a memory, in bytes: 64 KiB.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// The longest metadata of a memory, in bytes: 16 KiB.
const METADATA_BYTES_MAX: usize = 16 * 1024;
/// The longest name, tag, key or source, in bytes.
const FIELD_BYTES_MAX: usize = 512;
/// The most tags of a memory.
const TAGS_MAX: usize = 32;

/// Something to be remembered, as a caller gives it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    /// The text; what stands between `<private>` and `</private>` is not kept.
    pub text: String,
    /// What it is about.
    pub kind: MemoryKind,
    /// Who shares it. [`Scope::Session`] needs `session_id`, [`Scope::Agent`] needs `agent`.
    pub scope: Scope,
    /// The agent it belongs to.
    pub agent: Option<String>,
    /// Words to filter by.
    pub tags: Vec<String>,
    /// The session it comes from.
    pub session_id: Option<String>,
    /// Who said or did it.
    pub actor: Option<String>,
    /// When it happened; now, when absent.
    pub occurred_at: Option<Timestamp>,
    /// From 0 (trivial) to 1 (vital); 0.5 when absent.
    pub importance: Option<f64>,
    /// Whether it is kept whatever its age.
    pub pinned: bool,
    /// When recall stops finding it.
    pub expires_at: Option<Timestamp>,
    /// Where it comes from: a file, an address, a run.
    pub source: Option<String>,
    /// A JSON object, as text.
    pub metadata: Option<String>,
    /// A subject of which only the newest memory is current.
    pub topic_key: Option<String>,
    /// The memory that this one replaces.
    pub supersedes: Option<MemoryId>,
}

impl Draft {
    /// Returns what a caller would have given for a memory as it is kept.
    pub(super) fn of(content: &NewMemory) -> Self {
        Self {
            text: content.text.clone(),
            kind: content.kind,
            scope: content.scope,
            agent: content.agent.clone(),
            tags: content.tags.clone(),
            session_id: content.session_id.clone(),
            actor: content.actor.clone(),
            occurred_at: Some(content.occurred_at),
            importance: Some(content.importance),
            pinned: content.pinned,
            expires_at: content.expires_at,
            source: content.source.clone(),
            metadata: Some(content.metadata.clone()),
            topic_key: content.topic_key.clone(),
            supersedes: content.supersedes.clone(),
        }
    }
}

/// What became of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The id it has now, of the older one for a duplicate; `None`: it was rejected.
    pub id: Option<MemoryId>,
    /// What became of it.
    pub outcome: Outcome,
    /// The secrets that were replaced, and the private spans that were dropped.
    pub redacted: Vec<Redacted>,
    /// Other current memories that say nearly the same, or something else of the same: the caller
    /// may want to supersede one. Looked for where few memories arrive at once.
    pub similar: Vec<MemoryId>,
    /// The beginning of what it replaced.
    pub before: Option<String>,
}

/// What became of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is new.
    Stored,
    /// The same content is there already.
    Duplicate,
    /// It is new and took the place of this one, which stays in history.
    SupersededOther(MemoryId),
    /// It was not kept, for this reason.
    Rejected(String),
}

impl Outcome {
    /// Returns the status as callers read it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::SupersededOther(_) => "superseded_other",
            Self::Rejected(_) => "rejected",
        }
    }
}

impl Memories {
    /// Keeps up to [`MEMORIES_MAX`] drafts and tells, in the same order, what became of each. One
    /// that is rejected takes no other with it.
    pub async fn remember(&self, drafts: Vec<Draft>) -> Result<Vec<Remembered>, MemoryError> {
        if drafts.is_empty() || drafts.len() > MEMORIES_MAX {
            return Err(MemoryError::Count { given: drafts.len() });
        }
        let now = self.clock.now();
        let prepare = move || drafts.into_iter().map(|draft| prepared(draft, now)).collect::<Vec<_>>();
        let prepared = tokio::task::spawn_blocking(prepare).await.expect("preparing does not panic");

        // Ids of one moment are in random order; memories that arrive together keep theirs.
        let mut ids: Vec<MemoryId> = prepared.iter().flatten().map(|(new, _)| new.id.clone()).collect();
        ids.sort();
        let mut ids = ids.into_iter();

        let mut results: Vec<Option<Remembered>> = vec![None; prepared.len()];
        let mut batches: HashMap<bool, Vec<(usize, NewMemory, Vec<Redacted>)>> = HashMap::new();
        for (place, item) in prepared.into_iter().enumerate() {
            match item {
                Ok((mut new, redacted)) => {
                    new.id = ids.next().expect("there is an id for each");
                    batches.entry(new.scope == Scope::User).or_default().push((place, new, redacted));
                }
                Err(reason) => {
                    let outcome = Outcome::Rejected(reason);
                    results[place] =
                        Some(Remembered { id: None, outcome, redacted: Vec::new(), similar: Vec::new(), before: None });
                }
            }
        }
        for (of_user, batch) in batches {
            let store = self.store_of(if of_user { Scope::User } else { Scope::Project });
            let mut places = Vec::with_capacity(batch.len());
            let mut news = Vec::with_capacity(batch.len());
            for (place, new, redacted) in batch {
                places.push((place, redacted));
                news.push(new);
            }
            let news = self.with_meanings(news).await;
            let sought = similar::sought(&news);
            for (added, (place, redacted)) in store.add_memories(news).await?.into_iter().zip(&places) {
                results[*place] = Some(remembered(added, redacted.clone()));
            }
            let of_batch: Vec<Option<&mut Remembered>> = {
                let wanted: Vec<usize> = places.iter().map(|(place, _)| *place).collect();
                let mut by_place: HashMap<usize, &mut Remembered> =
                    results.iter_mut().enumerate().filter_map(|(place, one)| Some((place, one.as_mut()?))).collect();
                wanted.iter().map(|place| by_place.remove(place)).collect()
            };
            self.tell_what_is_there(store.as_ref(), &sought, of_batch.into_iter().flatten().collect()).await;
        }
        Ok(results.into_iter().map(|result| result.expect("every draft was answered")).collect())
    }
}

fn remembered(added: Added, redacted: Vec<Redacted>) -> Remembered {
    let outcome = match added.status {
        AddedStatus::Stored => Outcome::Stored,
        AddedStatus::Duplicate => Outcome::Duplicate,
        AddedStatus::Superseded(old) => Outcome::SupersededOther(old),
        AddedStatus::UnknownSuperseded(old) => {
            let reason = format!("supersedes: there is no current memory {old} in this scope");
            let outcome = Outcome::Rejected(reason);
            return Remembered { id: None, outcome, redacted, similar: Vec::new(), before: None };
        }
    };
    Remembered { id: Some(added.id), outcome, redacted, similar: Vec::new(), before: None }
}

/// Checks a draft and makes of it what the store keeps, but for what it means; the error says why it
/// cannot be kept.
pub(super) fn prepared(draft: Draft, now: Timestamp) -> Result<(NewMemory, Vec<Redacted>), String> {
    let (text, mut redacted) = clean_text(&draft.text)?;
    check_fields(&draft)?;
    let (metadata, mut in_metadata) = clean_metadata(draft.metadata.as_deref())?;
    redact::merge(&mut redacted, &mut in_metadata);
    let mut clean = |field: Option<String>| {
        field.filter(|field| !field.trim().is_empty()).map(|field| {
            let (field, mut more) = redact(&field);
            redact::merge(&mut redacted, &mut more);
            field
        })
    };
    let source = clean(draft.source);
    let actor = clean(draft.actor);
    let agent = clean(draft.agent);
    let session_id = clean(draft.session_id);
    let topic_key = clean(draft.topic_key);
    let tags = tidy_tags(draft.tags.into_iter().filter_map(|tag| clean(Some(tag))).collect());
    let occurred_at = draft.occurred_at.unwrap_or(now);
    let document = terms::of_document(&text, actor.as_deref(), occurred_at);
    let mut new = NewMemory {
        id: MemoryId::generate(now),
        terms: document.terms,
        length: document.length,
        asks: asks(&text),
        meaning: None,
        digest: String::new(),
        kind: draft.kind,
        scope: draft.scope,
        agent,
        tags,
        session_id,
        actor,
        occurred_at,
        created_at: now,
        importance: draft.importance.unwrap_or(0.5),
        pinned: draft.pinned,
        expires_at: draft.expires_at,
        source,
        metadata,
        topic_key,
        supersedes: draft.supersedes,
        text,
    };
    new.digest = digest(&new);
    Ok((new, redacted))
}

/// Whether a text asks something.
fn asks(text: &str) -> bool {
    text.trim_end().ends_with(['?', '？'])
}

/// Drops private spans and replaces secrets.
pub(super) fn clean_text(text: &str) -> Result<(String, Vec<Redacted>), String> {
    if text.trim().is_empty() {
        return Err("the text is empty".to_owned());
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!(
            "the text has {} bytes, a memory at most {TEXT_BYTES_MAX}: split it, or store a summary with its source",
            text.len()
        ));
    }
    let (text, private) = redact::without_private(text);
    if text.trim().is_empty() {
        return Err("nothing is left of the text outside <private>".to_owned());
    }
    let (text, mut redacted) = redact(&text);
    if private > 0 {
        redacted.push(Redacted { kind: "private", count: private });
    }
    Ok((text.trim().to_owned(), redacted))
}

/// Checks that metadata are a JSON object of a fair size, and replaces secrets.
pub(super) fn clean_metadata(metadata: Option<&str>) -> Result<(String, Vec<Redacted>), String> {
    let metadata = metadata.unwrap_or("{}").trim();
    if metadata.len() > METADATA_BYTES_MAX {
        return Err(format!("the metadata have {} bytes, at most {METADATA_BYTES_MAX} are kept", metadata.len()));
    }
    if !metadata.starts_with('{') {
        return Err("the metadata are not a JSON object".to_owned());
    }
    redact::redact_json(metadata).map_err(|error| format!("the metadata are not JSON: {error}"))
}

/// Checks importance, as every door must.
pub(super) fn check_importance(importance: Option<f64>) -> Result<(), String> {
    match importance {
        Some(importance) if !(0.0..=1.0).contains(&importance) => {
            Err(format!("the importance is {importance}, expected 0 to 1"))
        }
        _ => Ok(()),
    }
}

/// Drops empty and repeated tags.
pub(super) fn tidy_tags(tags: Vec<String>) -> Vec<String> {
    let mut tidy: Vec<String> = Vec::with_capacity(tags.len());
    for tag in tags {
        let tag: String = tag.chars().filter(|c| !c.is_control()).collect();
        let tag = tag.trim();
        if !tag.is_empty() && !tidy.iter().any(|known| known == tag) {
            tidy.push(tag.to_owned());
        }
    }
    tidy
}

fn check_fields(draft: &Draft) -> Result<(), String> {
    check_importance(draft.importance)?;
    let missing = |field: &Option<String>| field.as_deref().is_none_or(|field| field.trim().is_empty());
    if draft.scope == Scope::Session && missing(&draft.session_id) {
        return Err("scope session needs session_id".to_owned());
    }
    if draft.scope == Scope::Agent && missing(&draft.agent) {
        return Err("scope agent needs agent".to_owned());
    }
    if draft.tags.len() > TAGS_MAX {
        return Err(format!("{} tags, at most {TAGS_MAX} are kept", draft.tags.len()));
    }
    let fields = [
        ("agent", &draft.agent),
        ("session_id", &draft.session_id),
        ("actor", &draft.actor),
        ("source", &draft.source),
        ("topic_key", &draft.topic_key),
    ];
    let named = fields.into_iter().filter_map(|(name, field)| field.as_ref().map(|field| (name, field)));
    for (name, field) in named.chain(draft.tags.iter().map(|tag| ("tags", tag))) {
        if field.len() > FIELD_BYTES_MAX {
            return Err(format!("{name} has {} bytes, at most {FIELD_BYTES_MAX} are kept", field.len()));
        }
    }
    Ok(())
}

/// Identifies the content where it counts as the same.
///
/// A statement is the same whichever session repeats it. What an actor said is the same only from
/// that actor in that session: two people may both say yes.
pub(super) fn digest(new: &NewMemory) -> String {
    let text = terms::normalized(&new.text);
    // Where there is no letter and no digit, the text itself tells more than nothing.
    let text = if text.is_empty() { &new.text } else { &text };
    let of_agent = (new.scope == Scope::Agent).then_some(new.agent.as_deref()).flatten();
    let of_session =
        (new.scope == Scope::Session || new.actor.is_some()).then_some(new.session_id.as_deref()).flatten();
    let actor = new.actor.as_deref().map(str::to_lowercase);
    let parts =
        [new.scope.as_str(), of_agent.unwrap_or(""), of_session.unwrap_or(""), actor.as_deref().unwrap_or(""), text];
    content_hash(parts.join("\u{1f}").as_bytes())
}
