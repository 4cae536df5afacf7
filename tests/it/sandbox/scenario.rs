//! A piece of a host to attack: a folder outside, a home with a key, a workspace with a repository
//! and planted links, and a running process with sockets, shared memory and an open secret.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use context_engine::exec::{Limits, Policy};

pub const PYTHON: &str = "/usr/bin/python3";
const VICTIM: &str = include_str!("../../fixtures/sandbox/victim.py");

pub struct Scenario {
    folder: tempfile::TempDir,
    victim: Child,
    offer: serde_json::Value,
    pub token: String,
    secret: String,
    /// Open, and deliberately not marked to be closed at exec.
    _leak: fs::File,
}

impl Scenario {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let token = folder.path().file_name().unwrap().to_str().unwrap().trim_start_matches('.').to_owned();
        let secret = format!("secret of {token}");
        for path in ["outside", "home/.ssh", "workspace/.claude/data", "workspace/linked-settings"] {
            fs::create_dir_all(at(path)).unwrap();
        }
        for path in ["outside/secret", "home/.ssh/id", "workspace/.claude/data/memory.db"] {
            fs::write(at(path), &secret).unwrap();
        }
        fs::write(at("home/.bashrc"), "").unwrap();
        symlink(at("outside/secret"), at("workspace/planted")).unwrap();
        symlink(at("outside"), at("workspace/planted-folder")).unwrap();
        symlink("linked-settings", at("workspace/.cursor")).unwrap();
        for repository in ["workspace", "workspace/nested"] {
            let made = Command::new("git").args(["init", "-q"]).arg(at(repository)).status().expect("git is installed");
            assert!(made.success());
        }
        let leak = fs::File::open(at("outside/secret")).unwrap();
        nix::fcntl::fcntl(&leak, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
        let mut victim = Command::new(PYTHON)
            .args(["-c", VICTIM])
            .args([at("outside"), at("workspace"), PathBuf::from(&token)])
            .current_dir(at("outside"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed");
        let mut line = String::new();
        BufReader::new(victim.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let offer = serde_json::from_str(&line).expect("the victim says what it offers");
        Self { folder, victim, offer, token, secret, _leak: leak }
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn workspace(&self) -> PathBuf {
        self.at("workspace")
    }

    /// What the attack is told.
    pub fn description(&self) -> String {
        serde_json::json!({
            "outside": self.at("outside"), "workspace": self.workspace(), "home": self.at("home"),
            "secret": self.secret, "token": self.token, "server": std::process::id(), "victim": self.offer,
        })
        .to_string()
    }

    pub fn policy(&self) -> Policy {
        let policy = Policy::command(self.workspace(), Some(self.at("home")));
        let limits = Limits {
            wall: Duration::from_secs(20),
            memory_bytes: 256 << 20,
            processes: 64,
            file_bytes: 32 << 20,
            open_files: 100,
            ..policy.limits
        };
        Policy { limits, ..policy }
    }

    /// Everything that an attack could have changed outside, metadata included.
    pub fn outside(&self) -> BTreeMap<PathBuf, String> {
        let mut seen = BTreeMap::new();
        for folder in [self.at("outside"), self.at("home")] {
            for entry in walkdir::WalkDir::new(folder) {
                let entry = entry.unwrap();
                let metadata = entry.metadata().unwrap();
                let content = if metadata.is_file() { fs::read(entry.path()).unwrap_or_default() } else { Vec::new() };
                seen.insert(
                    entry.into_path(),
                    format!(
                        "{:o} {} {} {:?}",
                        metadata.mode(),
                        metadata.uid(),
                        metadata.mtime(),
                        String::from_utf8_lossy(&content)
                    ),
                );
            }
        }
        for shared in ["/tmp", "/dev/shm", "/var/tmp"] {
            let path = Path::new(shared).join(&self.token);
            if path.exists() {
                seen.insert(path, "made".to_owned());
            }
        }
        seen
    }

    /// What programs of the host would execute or obey later.
    pub fn obeyed(&self) -> BTreeMap<PathBuf, String> {
        let mut seen = BTreeMap::new();
        let workspace = self.workspace();
        for point in [".claude", ".vscode", ".cursor", "linked-settings", ".mcp.json", ".envrc", "context-engine.yaml"]
        {
            for entry in walkdir::WalkDir::new(workspace.join(point)).into_iter().flatten() {
                if !entry.file_type().is_dir() {
                    let text = format!("{:?}", fs::read(entry.path()).ok());
                    seen.insert(entry.into_path(), text);
                }
            }
        }
        for entry in walkdir::WalkDir::new(&workspace).into_iter().flatten() {
            let path = entry.path();
            if path.join("HEAD").exists() && path.join("objects").exists() {
                for hook in fs::read_dir(path.join("hooks")).into_iter().flatten().flatten() {
                    let hook = hook.path();
                    if hook.extension().is_none() {
                        seen.insert(hook, "hook".to_owned());
                    }
                }
                let text = fs::read_to_string(path.join("config")).unwrap_or_default();
                if text.contains("fsmonitor") || text.contains("hooksPath") {
                    seen.insert(path.join("config"), text);
                }
                if path.join("commondir").is_file() {
                    seen.insert(path.join("commondir"), String::new());
                }
            }
        }
        seen
    }
}

impl Drop for Scenario {
    fn drop(&mut self) {
        for shared in ["/tmp", "/dev/shm", "/var/tmp"] {
            let _gone = fs::remove_file(Path::new(shared).join(&self.token));
        }
        drop(self.victim.stdin.take());
        // Its shared memory goes with it, if an attack has not ended it before.
        let _ended = self.victim.wait();
    }
}
