//! What the server and its helper say to each other, over the helper's standard input, which is a
//! socket.
//!
//! The server sends one [`Order`]: the length of its JSON, the JSON, then the raw bytes it
//! announces. Later it may send a single byte, which means "cancel"; the end of the stream means
//! that the server is gone. The helper sends one [`Verdict`] as a JSON line when all is over.

use std::io::{self, Read};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Report, Strength};
use crate::exec::{Ended, Launch, Policy};

/// The most bytes of the JSON part of an order.
const HEADER_BYTES_MAX: usize = 16 << 20;

/// What the helper is to do.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub launch: Launch,
    pub policy: Policy,
    pub strength: Strength,
    /// Build the boundary and leave at once, without starting the program.
    pub probe: bool,
}

/// The JSON part of an order; the lengths announce the raw part.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    working_directory: PathBuf,
    stdin_bytes: usize,
    home_files: Vec<(PathBuf, usize)>,
    policy: Policy,
    strength: Strength,
    probe: bool,
}

impl Order {
    /// The order as it goes over the socket.
    pub(crate) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let launch = &self.launch;
        let header = serde_json::to_vec(&Header {
            program: launch.program.clone(),
            arguments: launch.arguments.clone(),
            environment: launch.environment.clone(),
            working_directory: launch.working_directory.clone(),
            stdin_bytes: launch.stdin.len(),
            home_files: launch.home_files.iter().map(|(path, content)| (path.clone(), content.len())).collect(),
            policy: self.policy.clone(),
            strength: self.strength,
            probe: self.probe,
        })?;
        if header.len() > HEADER_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "arguments and environment are too large"));
        }
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        bytes.extend(&launch.stdin);
        for (_, content) in &launch.home_files {
            bytes.extend(content);
        }
        Ok(bytes)
    }

    /// Reads an order to its last byte, and not further.
    pub(crate) fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut length = [0; 8];
        from.read_exact(&mut length)?;
        let length = usize::try_from(u64::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > HEADER_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the order is too large"));
        }
        let header: Header = serde_json::from_slice(&exactly(from, length)?)?;
        let stdin = exactly(from, header.stdin_bytes)?;
        let mut home_files = Vec::new();
        for (path, bytes) in header.home_files {
            home_files.push((path, exactly(from, bytes)?));
        }
        Ok(Self {
            launch: Launch {
                program: header.program,
                arguments: header.arguments,
                stdin,
                environment: header.environment,
                working_directory: header.working_directory,
                home_files,
            },
            policy: header.policy,
            strength: header.strength,
            probe: header.probe,
        })
    }
}

/// Reads so many bytes.
fn exactly(from: &mut impl Read, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(count as u64).read_to_end(&mut bytes)?;
    if bytes.len() < count {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    /// The program ran, and every process of its tree has ended.
    Ended {
        ended: Ended,
        wall_us: u64,
        report: Report,
        /// Persistence points that the task changed or created.
        touched: Vec<PathBuf>,
    },
    /// The program is not there or cannot be executed.
    Program { reason: String },
    /// The boundary could not be built.
    Boundary { reason: String },
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_order_survives_the_socket() {
        let policy = Policy::command("/w".into(), None);
        let order = Order {
            launch: Launch {
                program: "/bin/sh".into(),
                arguments: vec!["-c".into(), "a\nb\u{0}c".into()],
                stdin: vec![0, 255, 10],
                environment: vec![("A".into(), "1".into())],
                working_directory: "/w".into(),
                home_files: vec![(".x/y".into(), vec![1, 2]), ("z".into(), vec![])],
            },
            policy: Policy {
                limits: crate::exec::Limits { wall: Duration::from_millis(7), ..policy.limits },
                ..policy
            },
            strength: Strength::Full,
            probe: true,
        };
        let mut bytes = order.to_bytes().expect("serialises");
        bytes.push(b'c');
        let mut rest = bytes.as_slice();
        let read = Order::read(&mut rest).expect("reads");
        assert_eq!(rest, b"c");
        assert_eq!((&read.launch, &read.policy), (&order.launch, &order.policy));
        assert!(Order::read(&mut &bytes[..bytes.len() - 3]).is_err());
    }
}
