//! The agents of the demo, and the witnesses that see from outside whether one got out.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tokio::net::TcpListener;

use crate::exec;

/// What the agents do.
pub struct Programs {
    /// The command of the agent `history`, for people.
    pub history: String,
}

/// Things outside the sandbox that an intruder would touch.
pub struct Witness {
    /// A file with a secret.
    secret: PathBuf,
    /// A file that does not exist unless somebody wrote it.
    target: PathBuf,
    /// A port that counts who connects.
    port: u16,
    connections: Arc<AtomicUsize>,
}

/// What only the secret file holds.
const SECRET: &str = "the-secret-of-the-demo";

impl Witness {
    /// Puts the witnesses into `folder` and starts listening on loopback.
    pub async fn new(folder: &Path) -> Result<Self> {
        let outside = folder.join("outside");
        fs::create_dir(&outside)?;
        let secret = outside.join("secret.txt");
        fs::write(&secret, SECRET)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        // Ends with the process: it owns nothing but its socket.
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Ok(Self { secret, target: outside.join("written.txt"), port, connections })
    }

    /// Fails unless every attempt was made and refused, as seen from outside.
    pub async fn check(&self, output: &str) -> Result<()> {
        for attempt in ["read a file outside", "write a file outside", "connect to the network"] {
            ensure!(output.contains(&format!("{attempt}: ")), "the intruder did not try to {attempt}: {output}");
        }
        tokio::task::yield_now().await;
        ensure!(!output.contains(SECRET), "the intruder read {}", self.secret.display());
        ensure!(!self.target.exists(), "the intruder wrote {}", self.target.display());
        match self.connections.load(Ordering::SeqCst) {
            0 => Ok(()),
            count => bail!("the intruder connected {count} times"),
        }
    }
}

/// Writes the agent files below the temporary home folder.
pub async fn write(home: &Path, workspace: &Path, programs: &[PathBuf], witness: &Witness) -> Result<Programs> {
    let agents = home.join(".claude").join("agents");
    fs::create_dir_all(&agents)?;
    let history: &[&str] = if has_commits(workspace, programs).await {
        &["git", "log", "--stat", "-n", "300"]
    } else {
        // A folder without a history may be empty; the system's programs are always there to list.
        &["ls", "-lR", ".", "/usr/bin"]
    };
    agent(&agents, "history", "Reports the history of the repository", history)?;
    let script = format!(
        "try() {{ what=$1; shift; if \"$@\" 2>/tmp/why; then echo \"$what: IT WORKED\"; else echo \"$what: refused ($(tail -n 1 /tmp/why | sed 's/.*: //'))\"; fi; }}\n\
         connect() {{ exec 3<>/dev/tcp/127.0.0.1/{port}; }}\n\
         try 'read a file outside' cat '{secret}'\n\
         try 'write a file outside' cp /etc/hostname '{target}'\n\
         try 'connect to the network' connect\n\
         exit 0",
        port = witness.port,
        secret = witness.secret.display(),
        target = witness.target.display(),
    );
    agent(&agents, "intruder", "Tries to leave the sandbox", &["bash", "-c", &script])?;
    Ok(Programs { history: history.join(" ") })
}

/// Returns whether the folder is a repository with something in its history.
async fn has_commits(workspace: &Path, programs: &[PathBuf]) -> bool {
    let Some(git) = exec::find_program("git", programs) else { return false };
    let asked =
        exec::tool(&git, &["rev-parse", "--verify", "--quiet", "HEAD"], workspace, Duration::from_secs(10)).await;
    asked.is_ok_and(|output| output.success())
}

fn agent(folder: &Path, name: &str, description: &str, command: &[&str]) -> Result<()> {
    let command = serde_json::to_string(command)?;
    let file = format!(
        "---\nname: {name}\ndescription: {description}\nrunner: command\ncommand: {command}\n---\n\n{description}.\n"
    );
    fs::write(folder.join(format!("{name}.md")), file)?;
    Ok(())
}
