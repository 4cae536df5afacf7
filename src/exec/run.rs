//! The server's side of a run: starts the helper, reads the output, passes a cancellation on, and
//! waits for the verdict.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::sync::{OnceCell, mpsc};
use tokio_util::sync::CancellationToken;

use super::output::{Keeper, drain};
use super::sandbox::init::{ARGUMENT, STDIN_AT_3};
use super::sandbox::order::{Order, Verdict};
use super::sandbox::{Report, Strength};
use super::{ExecError, Exit, Launch, Limits, Output, Policy, Stream};

/// How long output is still read once every process of the tree has ended.
const LAST_OUTPUT: Duration = Duration::from_millis(500);
/// How much longer than its limits a run may take before the helper itself is given up.
const HELPER_SURPLUS: Duration = Duration::from_secs(20);
/// The most bytes of a verdict.
const VERDICT_BYTES_MAX: u64 = 4 << 20;

/// What a process is connected with.
#[derive(Debug, Default)]
pub struct Streams {
    /// Where its output is sent as it arrives.
    pub output: Option<mpsc::Sender<Output>>,
    /// A file or a pipe of ours that it reads as it goes, instead of the bytes of the launch.
    pub stdin: Option<OwnedFd>,
    /// Whether its two output streams are one, so that everything is in the order in which it was
    /// written, as on a terminal; all of it is standard output then.
    pub joined: bool,
}

/// Starts processes inside the strongest boundary that the system allows.
#[derive(Debug)]
pub struct Executor {
    helper: PathBuf,
    probed: OnceCell<Probed>,
}

/// What the system allows, and why it does not allow more.
#[derive(Debug, Clone)]
struct Probed {
    report: Report,
    refusals: Vec<String>,
}

impl Executor {
    /// An executor that uses this `ctx` binary as the helper process. Nothing is started yet.
    pub fn new(helper: PathBuf) -> Self {
        Self { helper, probed: OnceCell::new() }
    }

    /// An executor that never uses more than this strength, for tests of the weaker ones.
    pub fn at_most(helper: PathBuf, strength: Strength) -> Self {
        let report = Report { strength, gaps: Vec::new() };
        Self { helper, probed: OnceCell::new_with(Some(Probed { report, refusals: Vec::new() })) }
    }

    /// Returns the strongest boundary that can be built here. It is tried once and remembered.
    pub async fn probe(&self) -> Report {
        self.probed().await.report.clone()
    }

    async fn probed(&self) -> &Probed {
        self.probed
            .get_or_init(|| async {
                let mut refusals = Vec::new();
                for strength in [Strength::Full, Strength::Landlock] {
                    match self.try_strength(strength).await {
                        Ok(report) => return Probed { report, refusals },
                        Err(reason) => refusals.push(format!("{strength:?}: {reason}").to_lowercase()),
                    }
                }
                let mut gaps = vec!["nothing can be enforced on this system".to_owned()];
                gaps.extend(refusals.iter().cloned());
                Probed { report: Report { strength: Strength::Unprotected, gaps }, refusals }
            })
            .await
    }

    /// Builds the boundary once, around nothing.
    async fn try_strength(&self, strength: Strength) -> Result<Report, String> {
        let launch = Launch {
            program: "/usr".into(),
            arguments: Vec::new(),
            stdin: Vec::new(),
            environment: Vec::new(),
            working_directory: "/usr".into(),
            home_files: Vec::new(),
        };
        let mut policy = Policy::command("/usr".into(), None);
        policy.writable.clear();
        policy.hidden.clear();
        policy.limits = Limits { wall: Duration::from_secs(10), ..Limits::default() };
        let order = Order { launch, policy, strength, probe: true };
        match self.obey(&order, &CancellationToken::new(), Streams::default()).await {
            Ok((Verdict::Ended { ended: super::Ended::Exited(0), report, .. }, ..)) => Ok(report),
            Ok((Verdict::Boundary { reason } | Verdict::Program { reason }, ..)) => Err(reason),
            Ok((Verdict::Ended { ended, .. }, ..)) => Err(format!("the trial ended with {ended:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Runs a process to its end, and that of its whole tree.
    ///
    /// Its output is sent to `output` as it arrives. When `cancel` fires, or the limits are
    /// reached, the tree is asked to end, then killed. Dropping the future kills it at once.
    pub async fn run(
        &self,
        launch: Launch,
        policy: &Policy,
        cancel: CancellationToken,
        output: Option<mpsc::Sender<Output>>,
    ) -> Result<Exit, ExecError> {
        self.run_with(launch, policy, cancel, Streams { output, ..Streams::default() }).await
    }

    /// As [`run`](Self::run), connected with these streams.
    pub async fn run_with(
        &self,
        launch: Launch,
        policy: &Policy,
        cancel: CancellationToken,
        streams: Streams,
    ) -> Result<Exit, ExecError> {
        let program = launch.program.clone();
        if !program.is_absolute() || !program.exists() {
            return Err(ExecError::NotFound { program });
        }
        let probed = self.probed().await;
        let strength = probed.report.strength;
        if !strength.satisfies(policy.minimum) || (strength == Strength::Unprotected && !cfg!(target_os = "linux")) {
            return Err(ExecError::Refused {
                program,
                reason: if probed.refusals.is_empty() {
                    format!("the boundary `{strength:?}` is weaker than the settings demand").to_lowercase()
                } else {
                    probed.refusals.join("; ")
                },
                hint: "enable unprivileged user namespaces or Landlock (Linux 5.13 or later, lsm=landlock), or set \
                       sandbox.minimum to what you accept"
                    .to_owned(),
            });
        }
        let policy = Policy { limits: policy.limits.clamped(), ..policy.clone() };
        let order = Order { launch, policy, strength, probe: false };
        let (verdict, stdout, stderr) = self.obey(&order, &cancel, streams).await?;
        match verdict {
            Verdict::Ended { ended, wall_us, report, touched } => Ok(Exit {
                ended,
                stdout: stdout.into_captured(),
                stderr: stderr.into_captured(),
                wall: Duration::from_micros(wall_us),
                sandbox: report,
                touched,
            }),
            Verdict::Program { reason } => Err(ExecError::Start { program, reason }),
            Verdict::Boundary { reason } => Err(ExecError::Refused {
                program,
                reason,
                hint: "`ctx sandbox probe` says what this system allows".to_owned(),
            }),
        }
    }

    /// Gives the helper its order and waits for the verdict.
    async fn obey(
        &self,
        order: &Order,
        cancel: &CancellationToken,
        streams: Streams,
    ) -> Result<(Verdict, Keeper, Keeper), ExecError> {
        let Streams { output, stdin, joined } = streams;
        let failed = |reason: String| ExecError::Start { program: order.launch.program.clone(), reason };
        let bytes = order.to_bytes().map_err(|error| failed(error.to_string()))?;
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(|error| failed(error.to_string()))?;
        ours.set_nonblocking(true).map_err(|error| failed(error.to_string()))?;
        let ours = UnixStream::from_std(ours).map_err(|error| failed(error.to_string()))?;

        #[expect(clippy::disallowed_methods, reason = "this is `exec/`")]
        let mut command = tokio::process::Command::new(&self.helper);
        // A process group of its own: an interrupt from the terminal is for the server, which then
        // ends its tasks in order. No `kill_on_drop`: the helper sees the socket close and ends
        // the tree, which its own death would leave to chance.
        command.arg(ARGUMENT).env_clear().process_group(0).stdin(Stdio::from(OwnedFd::from(theirs)));
        let both = if joined {
            Some(join_output(&mut command).map_err(|error| failed(error.to_string()))?)
        } else {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            None
        };
        if let Some(stdin) = &stdin {
            hand_on(&mut command, stdin.as_raw_fd());
        }
        let mut child = command
            .spawn()
            .map_err(|error| failed(format!("the helper {} does not start: {error}", self.helper.display())))?;
        // With it go our own ends of what the helper holds.
        drop(command);
        let (out, err): (Box<dyn AsyncRead + Unpin + Send>, Box<dyn AsyncRead + Unpin + Send>) =
            match (both, child.stdout.take(), child.stderr.take()) {
                (Some(both), ..) => (Box::new(both), Box::new(tokio::io::empty())),
                (None, Some(out), Some(err)) => (Box::new(out), Box::new(err)),
                _ => return Err(failed("the helper's output was not connected".to_owned())),
            };

        let limits = order.policy.limits;
        let (mut kept_out, mut kept_err) = (Keeper::new(limits.output_bytes), Keeper::new(limits.output_bytes));
        let patience = limits.wall.saturating_add(limits.grace).saturating_add(HELPER_SURPLUS);
        let (mut from_helper, mut to_helper) = ours.into_split();
        let talk = async {
            // A helper that dies early closes the socket; the missing verdict then says so.
            let _sent = to_helper.write_all(&bytes).await;
            let verdict = async {
                let mut text = Vec::new();
                let _read = (&mut from_helper).take(VERDICT_BYTES_MAX).read_to_end(&mut text).await;
                text
            };
            tokio::pin!(verdict);
            tokio::select! {
                biased;
                text = &mut verdict => return text,
                () = cancel.cancelled() => {}
                () = tokio::time::sleep(patience) => return Vec::new(),
            }
            let _sent = to_helper.write_all(b"c").await;
            tokio::time::timeout(patience, verdict).await.unwrap_or_default()
        };
        let text = {
            let reading = async {
                tokio::join!(
                    drain(out, Stream::Stdout, &mut kept_out, output.clone()),
                    drain(err, Stream::Stderr, &mut kept_err, output)
                )
            };
            tokio::pin!(reading, talk);
            tokio::select! {
                text = &mut talk => {
                    // The tree has ended, so the pipes are at their end but for what is in them.
                    let _late = tokio::time::timeout(LAST_OUTPUT, reading).await;
                    text
                }
                _ = &mut reading => talk.await,
            }
        };
        drop(to_helper);
        match serde_json::from_slice(&text) {
            Ok(verdict) => {
                let _status = child.wait().await;
                Ok((verdict, kept_out, kept_err))
            }
            Err(_) => {
                let _gone = child.start_kill();
                let status = child.wait().await.map_or_else(|error| error.to_string(), |status| status.to_string());
                let stderr = if joined { kept_out } else { kept_err }.into_captured().bytes;
                let said = String::from_utf8_lossy(&stderr[..stderr.len().min(500)]).trim().to_owned();
                Err(failed(format!("the helper gave no verdict ({status}) {said}")))
            }
        }
    }
}

/// Connects both output streams with one pipe; returns the end that reads.
fn join_output(command: &mut tokio::process::Command) -> std::io::Result<pipe::Receiver> {
    let (reader, writer) = std::io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    pipe::Receiver::from_owned_fd(reader.into())
}

/// Leaves `stdin` open for the helper, as descriptor 3.
fn hand_on(command: &mut tokio::process::Command, stdin: RawFd) {
    command.arg(STDIN_AT_3);
    #[expect(unsafe_code, reason = "the standard library cannot place a descriptor")]
    let put = move || {
        // A descriptor that is in its place already is closed at exec unless that is taken back.
        // SAFETY: takes numbers only, and allocates nothing between fork and exec.
        match unsafe { if stdin == 3 { libc::fcntl(3, libc::F_SETFD, 0) } else { libc::dup2(stdin, 3) } } {
            -1 => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        }
    };
    // SAFETY: the closure makes one call that is safe between fork and exec.
    #[expect(unsafe_code, reason = "only the child may put a descriptor in its place")]
    unsafe {
        command.pre_exec(put);
    }
}
