//! Running sub-agents: plan, packet, dispatch, journal, outcome.
//!
//! [`Delegator::start`] turns a [`Request`] into a plan, records the run before anything of it
//! starts, and runs its steps; [`Delegator::wait`] looks at any run, whichever process owns it.
//! What can be checked beforehand is checked beforehand, with every problem at once. A run that
//! was acknowledged is in the store; what its steps did comes back as an [`Outcome`].

mod dispatch;
mod error;
mod journal;
mod outcome;
mod owner;
mod packet;
mod plan;
mod request;
mod step;
mod worktree;

pub use dispatch::{Delegator, Parts, Started, View};
pub use error::DelegateError;
pub use outcome::{Outcome, PacketPart, PacketSummary, Usage};
pub use packet::context_items;
pub use plan::{Plan, PlannedStep};
pub use request::{Context, Isolation, Limits, MemoryRef, Mode, Request, StepRequest};
