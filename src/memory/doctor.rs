//! Looking after the memories: what is wrong with them, and putting it right.
//!
//! The store examines its own file; what needs the words of a memory is looked for here: secrets
//! that were stored before their pattern was known, and memories without a vector.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::redact::{self, Redacted};
use super::remember::{self, Draft};
use super::{Memories, MemoryError};
use crate::base::MemoryId;
use crate::store::{BackupInfo, Finding, Memory, NewMemory, Restored, Scope, Store};

/// How many memories are read at once.
pub(super) const PAGE: usize = 1_000;
/// How many examples a finding names.
const EXAMPLES: usize = 5;

/// What was found wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkup {
    /// What is wrong with the project's memories.
    pub project: Vec<Finding>,
    /// What is wrong with the user's own.
    pub user: Vec<Finding>,
    /// Backups that may still hold secrets that were removed just now.
    pub copies: Vec<PathBuf>,
}

impl Checkup {
    /// Whether nothing is wrong any more.
    pub fn is_well(&self) -> bool {
        self.project.iter().chain(&self.user).all(|finding| finding.mended)
    }
}

impl Memories {
    /// Looks for what is wrong with the memories; with `mend`, puts right what can be.
    pub async fn examine(&self, mend: bool) -> Result<Checkup, MemoryError> {
        let mut checkup = Checkup::default();
        for (store, of_user) in [(&self.project, false), (&self.user, true)] {
            let mut findings = store.examine(mend).await?;
            let damaged = findings.iter().any(|finding| finding.name == "damaged_file");
            if !damaged {
                let (secrets, copies) = self.stored_secrets(store.as_ref(), mend).await?;
                findings.extend(secrets);
                checkup.copies.extend(copies);
                findings.extend(without_meaning(store.as_ref(), self, mend).await?);
            }
            *(if of_user { &mut checkup.user } else { &mut checkup.project }) = findings;
        }
        Ok(checkup)
    }

    /// Copies the store of the project, or the user's own, to a file.
    pub async fn back_up(&self, of_user: bool, target: Option<&Path>) -> Result<BackupInfo, MemoryError> {
        Ok(self.one_store(of_user).back_up(target, self.clock.now()).await?)
    }

    /// Puts a backup in the place of the store of the project, or of the user's own.
    pub async fn restore_backup(
        &self,
        of_user: bool,
        from: &Path,
        replace_damaged: bool,
    ) -> Result<Restored, MemoryError> {
        Ok(self.one_store(of_user).restore(from, self.clock.now(), replace_damaged).await?)
    }

    fn one_store(&self, of_user: bool) -> &dyn Store {
        self.store_of(if of_user { Scope::User } else { Scope::Project }).as_ref()
    }

    /// Secrets in what is stored, forgotten memories included, and with `mend` the files that may
    /// hold them still.
    async fn stored_secrets(
        &self,
        store: &dyn Store,
        mend: bool,
    ) -> Result<(Option<Finding>, Vec<PathBuf>), MemoryError> {
        let (mut examples, mut kinds, mut count) = (Vec::new(), BTreeSet::new(), 0);
        let mut traceless = true;
        // Those that cannot be kept as they would be without their secrets.
        let mut refused = Vec::new();
        let mut after = None;
        loop {
            let page = store.stored_memories(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.content.id.clone());
            let clean = move || page.into_iter().filter_map(cleaned).collect::<Vec<_>>();
            let cleaned = tokio::task::spawn_blocking(clean).await.expect("redacting does not panic");
            count += cleaned.len() as u64;
            let mut clean = Vec::with_capacity(cleaned.len());
            for Cleaned { id, redacted, without } in cleaned {
                kinds.extend(redacted.iter().map(|one| one.kind));
                if examples.len() < EXAMPLES {
                    examples.push(id.to_string());
                }
                match without {
                    Ok(new) => clean.push(new),
                    Err(reason) => refused.push(format!("{id}: {reason}")),
                }
            }
            if mend && !clean.is_empty() {
                traceless &= store.rewrite_memories(self.with_meanings(clean).await).await?;
            }
        }
        if count == 0 {
            return Ok((None, Vec::new()));
        }
        let kinds: Vec<&str> = kinds.into_iter().collect();
        let mut detail =
            format!("memories hold secrets that were stored before they were recognised ({})", kinds.join(", "));
        if !traceless {
            detail.push_str(
                "; another process is reading, so the log beside the file may still hold them: run this again",
            );
        }
        if let Some(first) = refused.first() {
            let count = refused.len();
            detail.push_str(&format!("; {count} cannot be kept without them, so purge or edit them ({first})"));
        }
        let mended = mend && traceless && refused.is_empty();
        let finding = Finding { name: "stored_secrets", count, detail, examples, mended };
        Ok((Some(finding), if mend { store.copies() } else { Vec::new() }))
    }
}

/// Memories that only words can find.
async fn without_meaning(store: &dyn Store, memories: &Memories, mend: bool) -> Result<Option<Finding>, MemoryError> {
    if memories.embeddings.is_off() {
        return Ok(None);
    }
    let lacking = store.without_meaning(usize::MAX).await?;
    if lacking.is_empty() {
        return Ok(None);
    }
    if mend {
        memories.fill_in_meanings().await?;
    }
    let mended = mend && store.without_meaning(1).await?.is_empty();
    Ok(Some(Finding {
        name: "without_vector",
        count: lacking.len() as u64,
        detail: "memories have no vector, so only their words find them".to_owned(),
        examples: lacking.into_iter().take(EXAMPLES).map(|(id, _): (MemoryId, String)| id.to_string()).collect(),
        mended,
    }))
}

/// A memory that holds secrets.
struct Cleaned {
    id: MemoryId,
    redacted: Vec<Redacted>,
    /// The memory without them, or why it cannot be kept so.
    without: Result<NewMemory, String>,
}

/// The memory without its secrets, if it has any.
fn cleaned(mut memory: Memory) -> Option<Cleaned> {
    let redacted = redact::redact_memory(&mut memory);
    if redacted.is_empty() {
        return None;
    }
    // Terms, digest and vector are those of the text as it is now.
    let content = memory.content;
    let without = remember::prepared(Draft::of(&content), content.created_at);
    let without = without.map(|(new, _)| NewMemory { id: content.id.clone(), ..new });
    Some(Cleaned { id: content.id, redacted, without })
}
