//! Where a program is, and what must be readable for it to run.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::exec::{find_program, toolchains};

/// Returns the program of a name as an absolute path: looked up in the folders, or, when the name
/// has a slash, in the working directory.
pub(super) fn find(name: &str, folders: &[PathBuf], working_directory: Option<&Path>) -> Option<PathBuf> {
    match working_directory {
        Some(folder) if name.contains('/') => find_program(folder.join(name).to_str()?, folders),
        _ => find_program(name, folders),
    }
}

/// Where programs may lie, and for whom they are looked up.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// The folders in which programs are looked up by name.
    pub folders: &'a [PathBuf],
    /// The user's home folder.
    pub home: Option<&'a Path>,
    /// What the user's settings let every task read.
    pub readable: &'a [PathBuf],
    /// The project's own folders.
    pub own: [&'a Path; 2],
    /// The program was named by a file of the project, which may only name what is the project's or
    /// what the user installed: nothing else becomes readable by being named.
    pub strict: bool,
}

impl Place<'_> {
    /// Returns whether the project may name a program: it lies in the project, links followed, or it
    /// is the system's or one that the user installed.
    pub(super) fn allows(&self, program: &Path) -> bool {
        let Ok(real) = program.canonicalize() else { return false };
        let readable = || self.readable.iter().cloned().chain(self.home.into_iter().flat_map(toolchains));
        !self.strict
            || self.is_own(&real)
            || is_system(&real)
            || [program.parent(), real.parent()].into_iter().flatten().any(|folder| self.is_installed(folder))
            || readable().any(|folder| folder.canonicalize().is_ok_and(|folder| real.starts_with(folder)))
    }

    /// Returns the folders that a program must be able to read: its own installation, and that of
    /// the interpreter that a script names.
    pub(super) fn readable(&self, program: &Path) -> Vec<PathBuf> {
        let mut readable = Vec::new();
        let mut programs = vec![program.to_owned()];
        // A script of a script's interpreter: a wrapper or two, never a long chain.
        for depth in 0..4 {
            let Some(program) = programs.get(depth).cloned() else { break };
            let Ok(real) = program.canonicalize() else { continue };
            // What is the project's is seen with the project, and its surroundings are not.
            if !(self.strict && self.is_own(&real)) {
                for folder in [program.parent(), real.parent()].into_iter().flatten() {
                    let given = !self.strict || self.is_installed(folder);
                    if given && folder.is_absolute() && !is_system(folder) && !exposes_home(folder, self.home) {
                        readable.push(folder.to_owned());
                    }
                }
                readable.extend(installation(&real, self.home).filter(|folder| !is_system(folder)));
            }
            if let Some(interpreter) = interpreter(&real)
                && let Some(found) = find(&interpreter, self.folders, None)
                && self.allows(&found)
            {
                programs.push(found);
            }
        }
        readable.sort();
        readable.dedup();
        readable
    }

    fn is_own(&self, real: &Path) -> bool {
        self.own.iter().any(|own| own.canonicalize().is_ok_and(|own| real.starts_with(own)))
    }

    /// Whether this is a folder of `PATH` that the project cannot fill.
    fn is_installed(&self, folder: &Path) -> bool {
        let Ok(real) = folder.canonicalize() else { return false };
        let named = self.folders.iter().any(|known| known.canonicalize().is_ok_and(|known| known == real));
        named && !self.is_own(&real)
    }
}

/// Returns the folder that holds everything of a program: the outermost `node_modules`, or the
/// prefix of its `bin` folder if that looks like an installation of its own.
fn installation(program: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let modules = program.ancestors().filter(|folder| folder.ends_with("node_modules")).last();
    if let Some(modules) = modules {
        return Some(modules.to_owned());
    }
    let folder = program.parent()?;
    let prefix = folder.parent().filter(|_| folder.ends_with("bin"))?;
    (prefix.join("lib").is_dir() && !exposes_home(prefix, home)).then(|| prefix.to_owned())
}

/// Whether the sandbox lets every task read a folder anyway.
fn is_system(folder: &Path) -> bool {
    ["/usr", "/bin", "/sbin", "/lib"].iter().any(|system| folder.starts_with(system))
}

/// Whether a folder is so far up that the user's own files lie below it.
fn exposes_home(folder: &Path, home: Option<&Path>) -> bool {
    let broad = folder.parent().is_none() || folder.ends_with(".local");
    broad || home.is_some_and(|home| home.starts_with(folder))
}

/// Returns the interpreter in the first line of a script.
fn interpreter(script: &Path) -> Option<String> {
    let mut start = [0_u8; 256];
    let length = std::fs::File::open(script).ok()?.read(&mut start).ok()?;
    let line = start[..length].strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_whitespace();
    let program = words.next()?;
    if Path::new(program).file_name()? != "env" {
        return Some(program.to_owned());
    }
    words.find(|word| !word.starts_with('-') && !word.contains('=')).map(str::to_owned)
}
