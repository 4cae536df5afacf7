//! Starting, limiting and ending processes: the only room that does.
//!
//! [`Executor::run`] starts a [`Launch`] under a [`Policy`] inside the strongest sandbox that the
//! system allows, streams its output, and returns when every process of its tree has ended. No
//! shell is ever involved, and nothing is inherited: neither environment nor descriptors.
//!
//! [`tool`] is for short, trusted helpers of our own (git), and [`edit`] for the editor of whoever sits at
//! the terminal; neither has a sandbox.
//!
//! Parts: `launch` (the types), `policy` (the presets), `run` (the server's side of a run),
//! `output` (what is kept of a stream), `programs` (finding programs, [`tool`]), `editor`, `sandbox/` (the
//! helper process and the boundary it builds).

mod editor;
mod launch;
mod output;
mod own;
mod policy;
mod programs;
mod run;
pub mod sandbox;

pub use editor::edit;
pub use launch::{Captured, Ended, Exit, Launch, Limits, Network, Output, Policy, Stream};
pub use own::{OwnChild, own_child};
pub use policy::toolchains;
pub use programs::{ToolOutput, find_program, tool};
pub use run::{Executor, Streams};

use std::path::PathBuf;

/// What can go wrong before a process has run.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The program is not there.
    #[error("program {} was not found", program.display())]
    NotFound {
        /// The program.
        program: PathBuf,
    },
    /// No boundary that the settings accept can be enforced.
    #[error("refused to start {}: {reason}", program.display())]
    Refused {
        /// The program.
        program: PathBuf,
        /// What is missing.
        reason: String,
        /// What to enable or to set.
        hint: String,
    },
    /// The process could not be started.
    #[error("cannot start {}: {reason}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        reason: String,
    },
}
