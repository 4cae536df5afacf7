//! Writing every memory down: JSON Lines, or a folder of Markdown files.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use super::markdown;
use super::record::Record;
use crate::base::MemoryId;
use crate::memory::{Memories, MemoryError, redact};
use crate::store::{Memory, Scope};

/// How many memories are read at once.
const PAGE: usize = 1_000;
/// How many pages wait to be written.
const PAGES_WAITING: usize = 2;

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// How many memories.
    pub memories: usize,
    /// How many of them are history: superseded by others.
    pub history: usize,
    /// Files that are in the folder and not exported any more, because their memories have been forgotten
    /// since or have a file of another name. Files of memories that are not known here are none of them.
    pub stale: Vec<PathBuf>,
}

impl Memories {
    /// Writes every memory as a line of JSON, in the order in which they were added; those of
    /// `scopes` only, where any are named. What was forgotten is left out.
    pub async fn export_lines(&self, scopes: &[Scope], out: &mut (dyn Write + Send)) -> Result<Exported, MemoryError> {
        self.export(scopes, &mut |record| {
            let line = serde_json::to_string(record).map_err(io::Error::other)?;
            out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n"))
        })
        .await
    }

    /// Writes every memory to a Markdown file of its own in `folder`, which is made where it is
    /// missing. Other files in it are left alone.
    pub async fn export_folder(&self, scopes: &[Scope], folder: &Path) -> Result<Exported, MemoryError> {
        let unwritable = |error: &io::Error| MemoryError::Unreadable {
            place: folder.display().to_string(),
            reason: format!("it cannot be written: {error}"),
        };
        fs::create_dir_all(folder).map_err(|error| unwritable(&error))?;
        let mut written = HashSet::new();
        let mut exported = self
            .export(scopes, &mut |record| {
                let name = markdown::file_name(record);
                fs::write(folder.join(&name), markdown::written(record))?;
                written.insert(name);
                Ok(())
            })
            .await?;
        let ids: HashSet<MemoryId> = written.iter().filter_map(|name| markdown::id_in_name(name)).collect();
        for entry in fs::read_dir(folder).map_err(|error| unwritable(&error))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(id) = markdown::id_in_name(&name).filter(|_| !written.contains(&name)) else { continue };
            // A file of another scope, or of another project, is none of ours to judge.
            let is_forgotten = || async { self.find(&id).await.is_ok_and(|(_, memory)| memory.forgotten_at.is_some()) };
            if ids.contains(&id) || is_forgotten().await {
                exported.stale.push(entry.path());
            }
        }
        exported.stale.sort();
        Ok(exported)
    }

    async fn export(
        &self,
        scopes: &[Scope],
        write: &mut (dyn FnMut(&Record) -> io::Result<()> + Send),
    ) -> Result<Exported, MemoryError> {
        let mut exported = Exported::default();
        self.each(&mut |memory| {
            if !scopes.is_empty() && !scopes.contains(&memory.content.scope) {
                return Ok(());
            }
            let unwritable = |error: io::Error| MemoryError::Unreadable {
                place: "the export".to_owned(),
                reason: format!("it cannot be written: {error}"),
            };
            write(&Record::of(memory)).map_err(unwritable)?;
            exported.memories += 1;
            exported.history += usize::from(memory.superseded_at.is_some());
            Ok(())
        })
        .await?;
        Ok(exported)
    }

    /// Visits every memory, history included, in the order in which they were added: each store as it
    /// is at one moment, whatever others write meanwhile.
    pub(in crate::memory) async fn each(
        &self,
        visit: &mut (dyn FnMut(&Memory) -> Result<(), MemoryError> + Send),
    ) -> Result<(), MemoryError> {
        for store in [&self.project, &self.user] {
            let (sender, pages) = mpsc::channel(PAGES_WAITING);
            let visiting = async {
                // Closed on the way out, so that nobody goes on reading for nothing.
                let mut pages = pages;
                while let Some(page) = pages.recv().await {
                    for mut memory in page {
                        redact::redact_memory(&mut memory);
                        visit(&memory)?;
                    }
                }
                Ok::<(), MemoryError>(())
            };
            let (read, visited) = tokio::join!(store.all_memories(PAGE, sender), visiting);
            visited?;
            read?;
        }
        Ok(())
    }
}
