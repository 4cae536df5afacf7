//! Where settings are read from: the environment, the working directory and the command line,
//! passed in, so that tests never touch the real ones.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Everything outside the files that decides the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// The environment variables.
    pub environment: Environment,
    /// The working directory.
    pub working_directory: PathBuf,
    /// The `key.path=value` pairs of the command line, in order.
    pub flags: Vec<String>,
    /// The machine's settings file.
    pub system_file: PathBuf,
}

impl Sources {
    /// Returns the sources of this process, with these `--set` pairs.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the process's environment")]
    pub fn from_process(flags: &[String]) -> std::io::Result<Self> {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            // A variable that is not Unicode can be neither a setting nor handed on as one.
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Ok(Self {
            environment: Environment(variables.collect()),
            working_directory: std::env::current_dir()?,
            flags: flags.to_vec(),
            system_file: PathBuf::from("/etc/context-engine/context-engine.yaml"),
        })
    }
}

/// The environment variables of the process as they were at the start.
///
/// Values leave by name only, and `Debug` shows none, so that secrets travel only where somebody
/// named them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Returns the value of one variable.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns those of the named variables that are set, with their values, in the order named.
    pub fn named<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Vec<(String, String)> {
        names.into_iter().filter_map(|name| Some((name.to_owned(), self.value(name)?.to_owned()))).collect()
    }

    /// Returns the names that begin with `prefix`.
    pub fn names_with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.keys().map(String::as_str).filter(move |name| name.starts_with(prefix))
    }

    /// Returns an absolute path that a variable holds; empty and relative ones do not count, as the
    /// XDG specification wants it.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.value(name).map(PathBuf::from).filter(|path| path.is_absolute())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Environment {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Environment({} variables)", self.0.len())
    }
}
