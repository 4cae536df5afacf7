//! Standard input and output as a protocol's private channel.
//!
//! Noise on stdout ends a connection, so the real descriptors are moved away at the start: the
//! protocol alone has them, children and libraries find `/dev/null` to read and stderr to write.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::frame::{self, Line};

/// How many messages wait in either direction before the other side has to.
const QUEUE_MESSAGES_MAX: usize = 64;
/// How many KiB of messages are read and not yet answered, before reading waits.
const HELD_KIB_MAX: u32 = 256 << 10;
/// How long the end of the output waits for a reader that has stopped reading.
const FLUSH: Duration = Duration::from_secs(2);
/// The stack of the reading and the writing thread.
const STACK_BYTES: usize = 512 << 10;

/// The room that a message takes until it is dropped.
pub type Held = OwnedSemaphorePermit;

/// The two ends of the channel.
pub struct Stdio {
    input: File,
    output: File,
}

impl Stdio {
    /// Takes standard input and output away from everybody else.
    pub fn take() -> io::Result<Self> {
        let stdio = Self { input: duplicate(&io::stdin())?, output: duplicate(&stdout())? };
        redirect()?;
        Ok(stdio)
    }

    /// Starts reading and writing: each on a thread of its own, because a blocked pipe must not
    /// hold up anything else, and both are left behind at the end. Must be called inside a runtime.
    pub fn start<T: Send + 'static>(
        self,
        mut parse: impl FnMut(Line) -> Option<T> + Send + 'static,
    ) -> io::Result<(mpsc::Receiver<(T, Held)>, Writer)> {
        let (sender, receiver) = mpsc::channel(QUEUE_MESSAGES_MAX);
        let room = Room { free: Arc::new(Semaphore::new(HELD_KIB_MAX as usize)), runtime: Handle::current() };
        let mut input = BufReader::with_capacity(64 << 10, Patient(self.input));
        thread("ctx-read", move || {
            loop {
                match frame::read_line(&mut input, frame::LINE_BYTES_MAX) {
                    Ok(Some(line)) => {
                        let bytes = line.bytes();
                        let Some(message) = parse(line) else { continue };
                        let Some(held) = room.take(bytes) else { return };
                        if sender.blocking_send((message, held)).is_err() {
                            return;
                        }
                    }
                    Ok(None) => return,
                    Err(error) => {
                        tracing::warn!(%error, "standard input cannot be read");
                        return;
                    }
                }
            }
        })?;
        Ok((receiver, Writer::start(self.output)?))
    }
}

/// The room for messages that wait or are worked on.
struct Room {
    free: Arc<Semaphore>,
    runtime: Handle,
}

impl Room {
    /// Waits, on this thread, until there is room for so many bytes.
    fn take(&self, bytes: usize) -> Option<Held> {
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(HELD_KIB_MAX);
        if let Ok(held) = self.free.clone().try_acquire_many_owned(kib) {
            return Some(held);
        }
        self.runtime.block_on(self.free.clone().acquire_many_owned(kib)).ok()
    }
}

/// Writes messages, one a line, in the order in which they were sent.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Order>,
}

enum Order {
    Line(Vec<u8>),
    Flush(oneshot::Sender<()>),
}

/// The other side does not read any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the other side of standard output is gone")]
pub struct Gone;

impl Writer {
    fn start(output: File) -> io::Result<Self> {
        let (queue, mut orders) = mpsc::channel(QUEUE_MESSAGES_MAX);
        thread("ctx-write", move || {
            let mut output = Patient(output);
            while let Some(order) = orders.blocking_recv() {
                match order {
                    Order::Line(mut line) => {
                        line.push(b'\n');
                        if let Err(error) = output.write_all(&line) {
                            tracing::debug!(%error, "standard output cannot be written");
                            return;
                        }
                    }
                    Order::Flush(done) => {
                        let _ = done.send(());
                    }
                }
            }
        })?;
        Ok(Self { queue })
    }

    /// Writes a line, which has no newline of its own.
    pub async fn send(&self, line: Vec<u8>) -> Result<(), Gone> {
        self.queue.send(Order::Line(line)).await.map_err(|_| Gone)
    }

    /// Waits until everything that was sent is written, or the reader seems to be gone.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        let flush = async {
            if self.queue.send(Order::Flush(done)).await.is_ok() {
                let _ = written.await;
            }
        };
        let _ = tokio::time::timeout(FLUSH, flush).await;
    }

    /// Waits until nobody can read any more.
    pub async fn gone(&self) {
        self.queue.closed().await;
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(work).map(drop)
}

#[expect(clippy::disallowed_methods, reason = "this is the writer of a front")]
fn stdout() -> io::Stdout {
    io::stdout()
}

#[cfg(unix)]
fn duplicate(stream: &impl std::os::fd::AsFd) -> io::Result<File> {
    stream.as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(windows)]
fn duplicate(stream: &impl std::os::windows::io::AsHandle) -> io::Result<File> {
    stream.as_handle().try_clone_to_owned().map(File::from)
}

#[cfg(target_os = "linux")]
fn redirect() -> io::Result<()> {
    nix::unistd::dup2_stdin(File::open("/dev/null")?)?;
    nix::unistd::dup2_stdout(io::stderr())?;
    Ok(())
}

/// Elsewhere nothing of ours writes to stdout (`clippy.toml`), and children get pipes of their own.
#[cfg(not(target_os = "linux"))]
fn redirect() -> io::Result<()> {
    Ok(())
}

/// Waits where a descriptor that somebody made non-blocking says to come back later.
struct Patient(File);

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(&self.0, false),
                result => return result,
            }
        }
    }
}

impl Write for Patient {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(&self.0, true),
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(target_os = "linux")]
fn wait(file: &File, to_write: bool) {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd as _;
    let flags = if to_write { PollFlags::POLLOUT } else { PollFlags::POLLIN };
    let _ = poll(&mut [PollFd::new(file.as_fd(), flags)], PollTimeout::NONE);
}

#[cfg(not(target_os = "linux"))]
fn wait(_file: &File, _to_write: bool) {
    std::thread::sleep(Duration::from_millis(5));
}
