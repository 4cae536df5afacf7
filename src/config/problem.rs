//! Where a value came from, and what can be wrong with it.

use std::fmt;
use std::path::PathBuf;

/// A layer of settings; later ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The values that come with the program.
    Defaults,
    /// The machine's file.
    System,
    /// The user's file.
    User,
    /// The project's files.
    Project,
    /// Environment variables.
    Environment,
    /// The command line.
    CommandLine,
}

impl Layer {
    /// Returns the layer's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Defaults => "default",
            Self::System => "system",
            Self::User => "user",
            Self::Project => "project",
            Self::Environment => "environment",
            Self::CommandLine => "command line",
        }
    }
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In the defaults that come with the program.
    Default,
    /// In a file of a layer.
    File {
        /// The layer.
        layer: Layer,
        /// The file.
        path: PathBuf,
        /// The line, from 1; 0 for the file as a whole.
        line: usize,
        /// The column, from 1; 0 for the line as a whole.
        column: usize,
    },
    /// In this environment variable.
    Variable(String),
    /// In a `--set` of the command line: its text.
    Flag(String),
}

impl Origin {
    /// Returns the layer it belongs to.
    pub fn layer(&self) -> Layer {
        match self {
            Self::Default => Layer::Defaults,
            Self::File { layer, .. } => *layer,
            Self::Variable(_) => Layer::Environment,
            Self::Flag(_) => Layer::CommandLine,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File { path, line: 0, .. } => write!(formatter, "{}", path.display()),
            Self::File { path, line, column: 0, .. } => write!(formatter, "{}:{line}", path.display()),
            Self::File { path, line, column, .. } => write!(formatter, "{}:{line}:{column}", path.display()),
            Self::Variable(name) => write!(formatter, "environment variable {name}"),
            Self::Flag(text) => match text.split_once('=') {
                // A number is no secret, and what is wrong with it should be seen.
                Some((_, number)) if number.len() < 9 && number.parse::<f64>().is_ok() => {
                    write!(formatter, "--set {text}")
                }
                Some((key, value)) => write!(formatter, "--set {key}={}", super::report::mask(key.trim(), value)),
                None => write!(formatter, "--set {text}"),
            },
        }
    }
}

/// Something wrong with the settings. The value it names is ignored; those of the other layers hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub origin: Origin,
    /// The key, when there is one.
    pub key: Option<String>,
    /// What is wrong, as a fragment.
    pub message: String,
    /// What to try, as a fragment.
    pub hint: Option<String>,
}

impl Problem {
    pub(super) fn new(origin: Origin, key: Option<&str>, message: impl Into<String>) -> Self {
        Self { origin, key: key.map(str::to_owned), message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.origin)?;
        if let Some(key) = &self.key {
            write!(formatter, "{key}: ")?;
        }
        formatter.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(formatter, "; {hint}")?;
        }
        Ok(())
    }
}
