//! `ctx tokens` on a few files, before anything else is made.
//!
//! Scripts call it once a file. Commands, schemas, settings and the runtime take more time than the
//! counting and more memory than the vocabulary, so what is plain is answered without them. Whatever
//! is not plain takes the ordinary way and gives the same answer.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use super::tool;
use crate::config::{self, Sources};
use crate::tokens::{Encoding, Measure, for_model};
use crate::tools::count_tokens;

/// The most files that are counted this way.
const FILES_MAX: usize = 16;

/// The most bytes of all files together: so few that nobody waits to be told how far it is.
const BYTES_MAX: u64 = 1 << 20;

/// Runs the command if it is plain; `arguments` are those of the process without the program.
pub fn quick(arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let asked = Asked::read(arguments)?;
    let sources = Sources::from_process(&[]).ok()?;
    if !config::all_default(&sources) || !asked.are_small_files(&sources.working_directory) {
        return None;
    }
    let answer = count_tokens::count_at_once(sources.working_directory, &asked.paths, asked.measure, asked.top);
    Some(tool::print(answer, asked.json, false))
}

/// What a plain command asks for.
struct Asked {
    paths: Vec<String>,
    measure: Measure,
    top: Option<usize>,
    json: bool,
}

impl Asked {
    fn read(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        if arguments.next()? != "tokens" {
            return None;
        }
        let mut asked = Self { paths: Vec::new(), measure: Measure::default(), top: None, json: false };
        let mut measured = false;
        while let Some(argument) = arguments.next() {
            let argument = argument.into_string().ok()?;
            let Some(option) = argument.strip_prefix("--") else {
                if argument.starts_with('-') || argument.is_empty() {
                    return None;
                }
                asked.paths.push(argument);
                continue;
            };
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (option.to_owned(), None),
            };
            if name == "json" && value.is_none() && !asked.json {
                asked.json = true;
                continue;
            }
            let value = match value {
                Some(value) => value,
                // What looks like an option is one to the ordinary way.
                None => arguments.next()?.into_string().ok().filter(|value| !value.starts_with('-'))?,
            };
            match name.as_str() {
                "top" if asked.top.is_none() => asked.top = Some(value.parse::<u32>().ok()? as usize),
                "encoding" if !measured => asked.measure = Measure::exact(value.parse::<Encoding>().ok()?),
                "model" if !measured => asked.measure = for_model(&value).ok()?,
                _ => return None,
            }
            measured |= name != "top";
        }
        (1..=FILES_MAX).contains(&asked.paths.len()).then_some(asked)
    }

    fn are_small_files(&self, folder: &Path) -> bool {
        let mut bytes = 0;
        self.paths.iter().all(|path| {
            std::fs::metadata(folder.join(path)).is_ok_and(|file| {
                bytes += file.len();
                file.is_file() && bytes <= BYTES_MAX
            })
        })
    }
}
