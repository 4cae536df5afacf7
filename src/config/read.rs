//! Reads the layers into one list of values, each with its origin, and every problem met.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::expand::{expand, shield, unshield};
use super::keys::{ALIASES, Form, Key, TOLD, nearest};
use super::locate::{Places, absolute, lies_inside};
use super::problem::{Layer, Origin, Problem};
use super::sources::Environment;
use crate::base::yaml::{self, Meaning, Node, Scalar};

/// The largest settings file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The values of the settings so far: the last layer that set a key.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// Value and origin by key.
    pub by_key: BTreeMap<String, (Value, Origin)>,
    /// What was wrong in the layers.
    pub problems: Vec<Problem>,
}

/// What one value was read from.
struct Text<'a> {
    scalar: &'a Scalar,
    /// Whether it came from a variable or the command line, where nothing can be quoted.
    bare: bool,
}

/// Reads settings into [`Values`], a layer after the other.
pub(super) struct Reader<'a> {
    keys: &'a [Key],
    environment: &'a Environment,
    places: &'a Places,
    defaults: BTreeMap<String, Value>,
    values: Values,
}

impl<'a> Reader<'a> {
    /// Returns a reader of these settings that has read nothing.
    pub fn new(keys: &'a [Key], environment: &'a Environment, places: &'a Places) -> Self {
        Self { keys, environment, places, defaults: BTreeMap::new(), values: Values::default() }
    }

    /// Returns what was read.
    pub fn finish(self) -> Values {
        self.values
    }

    /// Reads the defaults. They come with the program and are right.
    pub fn defaults(&mut self, text: &str) {
        let (node, flaws) = yaml::parse(text, 1);
        debug_assert!(flaws.is_empty(), "{flaws:?}");
        if let Some(node) = node {
            self.group(&node, "", &|_| Origin::Default);
        }
        self.defaults = self.values.by_key.iter().map(|(key, (value, _))| (key.clone(), value.clone())).collect();
    }

    /// Reads a file if it exists; returns whether it does.
    pub fn file(&mut self, layer: Layer, path: &Path) -> bool {
        let origin = |place: Option<yaml::Place>| Origin::File {
            layer,
            path: path.to_owned(),
            line: place.map_or(0, |place| place.line),
            column: place.map_or(0, |place| place.column),
        };
        let text = match read_text(path) {
            Ok(Some(text)) => text,
            Ok(None) => return false,
            Err(message) => {
                self.values.problems.push(Problem::new(origin(None), None, message));
                return true;
            }
        };
        let (node, flaws) = yaml::parse(&shield(&text), 1);
        for flaw in flaws {
            self.values.problems.push(Problem::new(origin(Some(flaw.place)), None, unshield(&flaw.message)));
        }
        if let Some(node) = node {
            self.group(&node, "", &|place| origin(Some(place)));
        }
        true
    }

    /// Reads the `CTX_` variables and those that are honoured beside them.
    pub fn variables(&mut self) {
        let own = self.keys.iter().map(|key| (key.variable(), key));
        let aliases = ALIASES
            .iter()
            .rev()
            .filter_map(|(name, path)| Some(((*name).to_owned(), self.keys.iter().find(|key| key.path == *path)?)));
        let known: Vec<(String, &Key)> = aliases.chain(own).collect();
        for (name, key) in &known {
            // An empty variable is as good as none: shells cannot easily unset one for a single command.
            if let Some(text) = self.environment.value(name).filter(|text| !text.is_empty()) {
                self.bare(key, text, &Origin::Variable(name.clone()));
            }
        }
        for name in self.environment.names_with_prefix("CTX_") {
            if !TOLD.contains(&name) && known.iter().all(|(known, _)| known != name) {
                let problem = Problem::new(Origin::Variable(name.to_owned()), None, "no setting has this variable");
                let own = known.iter().filter_map(|(name, _)| name.strip_prefix("CTX_"));
                let near = nearest(name.strip_prefix("CTX_").unwrap_or(name), own);
                self.values.problems.push(match near {
                    Some(near) => problem.hint(format!("did you mean CTX_{near}?")),
                    None => problem.hint("`ctx config show` lists the settings"),
                });
            }
        }
    }

    /// Reads the `key.path=value` pairs of the command line.
    pub fn flags(&mut self, flags: &[String]) {
        for flag in flags {
            let origin = Origin::Flag(flag.clone());
            let Some((path, text)) = flag.split_once('=') else {
                self.values.problems.push(Problem::new(origin, None, "expected key.path=value"));
                continue;
            };
            match self.keys.iter().find(|key| key.path == path) {
                Some(key) => self.bare(key, text, &origin),
                None => self.unknown(path, origin),
            }
        }
    }

    /// Reads the value that a variable or a flag has for a key.
    fn bare(&mut self, key: &Key, text: &str, origin: &Origin) {
        if let Form::List(_) = key.form {
            let node = list(text);
            return self.setting(key, &node, true, &|_| origin.clone());
        }
        let scalar = Scalar { text: text.to_owned(), quoted: false };
        let node = Node { place: yaml::Place { line: 1, column: 1 }, value: yaml::Value::Scalar(scalar) };
        self.setting(key, &node, true, &|_| origin.clone());
    }

    /// Reads the keys of a mapping below `path`.
    fn group(&mut self, node: &Node, path: &str, origin: &dyn Fn(yaml::Place) -> Origin) {
        if node.is_null() {
            return;
        }
        let Some(entries) = node.as_map() else {
            let key = (!path.is_empty()).then_some(path);
            let message = format!("expected keys with values, found {}", node.describe());
            self.values.problems.push(Problem::new(origin(node.place), key, message));
            return;
        };
        for entry in entries {
            let name = unshield(&entry.key);
            let path = if path.is_empty() { name } else { format!("{path}.{name}") };
            let below = format!("{path}.");
            if let Some(key) = self.keys.iter().find(|key| key.path == path) {
                self.setting(key, &entry.node, false, origin);
            } else if self.keys.iter().any(|key| key.path.starts_with(&below)) {
                self.group(&entry.node, &path, origin);
            } else {
                self.unknown(&path, origin(entry.place));
            }
        }
    }

    /// Reads the value of a setting.
    fn setting(&mut self, key: &Key, node: &Node, bare: bool, origin: &dyn Fn(yaml::Place) -> Origin) {
        let place = origin(node.place);
        if key.trusted && place.layer() == Layer::Project {
            let problem = Problem::new(place, Some(&key.path), "a project's settings cannot set this");
            let hint = "it would let a repository widen its own rights; set it in your user settings";
            self.values.problems.push(problem.hint(hint));
            return;
        }
        // Nothing written means the default, whatever the layers between say.
        let value = if node.is_null() && !bare {
            Ok(self.defaults.get(&key.path).cloned().unwrap_or_default())
        } else {
            self.value(&key.form, node, bare)
        };
        match value {
            Ok(value) if key.inside && self.strays(&value, &place) => {
                let message = "a project's settings can only name a place inside the project";
                let hint = "put it elsewhere with your user settings";
                self.values.problems.push(Problem::new(place, Some(&key.path), message).hint(hint));
            }
            Ok(value) => {
                self.values.by_key.insert(key.path.clone(), (value, place));
            }
            Err(wrong) => {
                let problem = |(at, message)| Problem::new(origin(at), Some(&key.path), message);
                self.values.problems.extend(wrong.into_iter().map(problem));
            }
        }
    }

    /// Returns whether a project's file names a place outside the project, `..` and links followed.
    fn strays(&self, value: &Value, origin: &Origin) -> bool {
        let (Origin::File { layer: Layer::Project, path: file, .. }, Some(path)) = (origin, value.as_str()) else {
            return false;
        };
        let Some(root) = self.places.project_root.as_deref().filter(|_| !path.is_empty()) else { return false };
        !lies_inside(&absolute(path, file.parent().unwrap_or(file), self.places.home.as_deref()), root)
    }

    /// Returns the value of a form, or everything that is wrong with it and where.
    fn value(&self, form: &Form, node: &Node, bare: bool) -> Result<Value, Vec<(yaml::Place, String)>> {
        let wrong = |found: &str| vec![(node.place, format!("expected {}, found {found}", form.describe()))];
        if let Form::List(form) = form {
            let nodes = node.as_list().ok_or_else(|| wrong(node.describe()))?;
            let (mut values, mut flaws) = (Vec::new(), Vec::new());
            for node in nodes {
                match self.value(form, node, bare) {
                    Ok(value) => values.push(value),
                    Err(more) => flaws.extend(more),
                }
            }
            return if flaws.is_empty() { Ok(Value::Array(values)) } else { Err(flaws) };
        }
        let scalar = node.as_scalar().ok_or_else(|| wrong(node.describe()))?;
        if bare {
            return scalar_value(form, &Text { scalar, bare }).map_err(|found| wrong(&found));
        }
        let written = unshield(&scalar.text);
        let text = expand(&written, self.environment).map_err(|message| vec![(node.place, message)])?;
        let expanded = text != written;
        let scalar = Scalar { text, quoted: scalar.quoted && !expanded };
        scalar_value(form, &Text { scalar: &scalar, bare: expanded }).map_err(|found| wrong(&found))
    }

    fn unknown(&mut self, path: &str, origin: Origin) {
        let (parent, name) = path.rsplit_once('.').map_or(("", path), |(parent, name)| (parent, name));
        let prefix = if parent.is_empty() { String::new() } else { format!("{parent}.") };
        let siblings =
            self.keys.iter().filter_map(|key| key.path.strip_prefix(&prefix)).map(|rest| match rest.split_once('.') {
                Some((name, _)) => name,
                None => rest,
            });
        let near = nearest(name, siblings).map(|name| format!("{prefix}{name}")).or_else(|| {
            // Right name, wrong place?
            let last = |key: &'a Key| key.path.rsplit('.').next().unwrap_or(&key.path);
            let name = nearest(name, self.keys.iter().map(last))?;
            self.keys.iter().find(|key| last(key) == name).map(|key| key.path.clone())
        });
        let problem = Problem::new(origin, Some(path), "unknown key");
        self.values.problems.push(match near {
            Some(near) => problem.hint(format!("did you mean {near}?")),
            None => problem.hint("`ctx config show` lists the settings"),
        });
    }
}

/// Returns the value of a scalar, or what was found instead of one.
fn scalar_value(form: &Form, text: &Text<'_>) -> Result<Value, String> {
    let meaning = text.scalar.meaning();
    match (form, &meaning) {
        (Form::Bool, Meaning::Bool(value)) => Ok(Value::Bool(*value)),
        (Form::Integer(min, max), Meaning::Integer(value)) if (min..=max).contains(&value) => Ok(Value::from(*value)),
        (Form::Integer(..), Meaning::Integer(value)) => Err(value.to_string()),
        (Form::Text, _) if text.bare => Ok(Value::String(text.scalar.text.clone())),
        (Form::Text, Meaning::Text(value)) => Ok(Value::String((*value).to_owned())),
        (Form::Text, Meaning::Null) => Err("nothing".to_owned()),
        (Form::Text, _) => Err(format!("{} (put it in quotes)", text.scalar.text)),
        (Form::Word(words), _) => {
            let word = &text.scalar.text;
            if words.contains(word) {
                return Ok(Value::String(word.clone()));
            }
            let near = nearest(word, words.iter().map(String::as_str));
            Err(near.map_or_else(|| format!("{word:?}"), |near| format!("{word:?} (did you mean {near}?)")))
        }
        (_, Meaning::Text(value)) => Err(format!("{:?}", value.chars().take(80).collect::<String>())),
        (_, Meaning::Null) => Err("nothing".to_owned()),
        (_, Meaning::Bool(_) | Meaning::Integer(_) | Meaning::Number(_)) => Err(text.scalar.text.clone()),
    }
}

/// Returns the list that a variable or a flag holds: `[a, b]`, or `a, b`.
fn list(text: &str) -> Node {
    let place = yaml::Place { line: 1, column: 1 };
    if text.trim_start().starts_with('[')
        && let (Some(node), flaws) = yaml::parse(text, 1)
        && flaws.is_empty()
    {
        return node;
    }
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let scalar = |item: &str| yaml::Value::Scalar(Scalar { text: item.to_owned(), quoted: false });
    Node { place, value: yaml::Value::List(items.map(|item| Node { place, value: scalar(item) }).collect()) }
}

/// Returns the text of a file, `None` if there is none, or why it cannot be read.
fn read_text(path: &Path) -> Result<Option<String>, String> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    if !metadata.is_file() {
        // While a task runs, a socket of the sandbox holds the place of a file that is not there.
        #[cfg(unix)]
        if std::os::unix::fs::FileTypeExt::is_socket(&metadata.file_type()) {
            return Ok(None);
        }
        return Err("is not a file".to_owned());
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(format!("is larger than {FILE_BYTES_MAX} bytes"));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line =
            1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        format!("is not UTF-8 in line {line}")
    })?;
    Ok(Some(text))
}
