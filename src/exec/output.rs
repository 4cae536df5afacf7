//! What is kept of an output stream: its beginning and its end, within a limit.

use std::collections::VecDeque;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

use super::{Captured, Output, Stream};

/// The most bytes read at once, and so of one [`Output`].
const CHUNK_BYTES: usize = 64 << 10;

/// Keeps the beginning and the end of what is pushed, in bounded memory.
#[derive(Debug)]
pub(super) struct Keeper {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    head_max: usize,
    tail_max: usize,
    dropped: u64,
}

impl Keeper {
    pub(super) fn new(bytes_max: u64) -> Self {
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let tail_max = bytes_max / 2;
        Self { head: Vec::new(), tail: VecDeque::new(), head_max: bytes_max - tail_max, tail_max, dropped: 0 }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(self.head_max - self.head.len()));
        self.head.extend(head);
        let surplus = (self.tail.len() + rest.len()).saturating_sub(self.tail_max);
        let from_tail = surplus.min(self.tail.len());
        self.tail.drain(..from_tail);
        self.tail.extend(&rest[surplus - from_tail..]);
        self.dropped += surplus as u64;
    }

    pub(super) fn into_captured(self) -> Captured {
        let Self { head: mut bytes, tail, dropped, .. } = self;
        if dropped > 0 {
            if bytes.last().is_some_and(|last| *last != b'\n') {
                bytes.push(b'\n');
            }
            bytes.extend(format!("[... {dropped} bytes dropped ...]\n").bytes());
        }
        bytes.extend(tail);
        Captured { bytes, dropped }
    }
}

/// Reads a stream to its end, keeps what fits, and hands every piece on.
///
/// A receiver that does not read slows the process down; one that is gone is not waited for.
pub(super) async fn drain(
    mut from: impl AsyncRead + Unpin,
    stream: Stream,
    keeper: &mut Keeper,
    output: Option<mpsc::Sender<Output>>,
) {
    let mut buffer = vec![0; CHUNK_BYTES];
    // A read error means that nothing more will come, which is what the end of the stream says too.
    while let Ok(count) = from.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        keeper.push(&buffer[..count]);
        if let Some(output) = &output {
            let _gone = output.send(Output { stream, bytes: buffer[..count].to_vec() }).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept(limit: u64, pieces: &[&[u8]]) -> (String, u64) {
        let mut keeper = Keeper::new(limit);
        for piece in pieces {
            keeper.push(piece);
        }
        let captured = keeper.into_captured();
        (String::from_utf8_lossy(&captured.bytes).into_owned(), captured.dropped)
    }

    #[test]
    fn keeps_beginning_and_end() {
        assert_eq!(kept(4, &[b"abcd"]), ("abcd".into(), 0));
        assert_eq!(kept(4, &[b"ab", b"cdefgh"]), ("ab\n[... 4 bytes dropped ...]\ngh".into(), 4));
        assert_eq!(kept(4, &[b"abcdefgh", b"", b"i"]), ("ab\n[... 5 bytes dropped ...]\nhi".into(), 5));
        assert_eq!(kept(0, &[b"abc"]), ("[... 3 bytes dropped ...]\n".into(), 3));
        assert_eq!(kept(1, &[b"\n", b"abc"]), ("\n[... 3 bytes dropped ...]\n".into(), 3));
    }

    proptest! {
        #[test]
        fn nothing_is_invented_and_everything_is_counted(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12),
            limit in 0_u64..100,
        ) {
            let all: Vec<u8> = pieces.concat();
            let mut keeper = Keeper::new(limit);
            pieces.iter().for_each(|piece| keeper.push(piece));
            let captured = keeper.into_captured();
            prop_assert_eq!(captured.dropped, (all.len() as u64).saturating_sub(limit));
            if captured.dropped == 0 {
                prop_assert_eq!(captured.bytes, all);
            } else {
                let tail = usize::try_from(limit / 2).expect("small");
                let head = usize::try_from(limit).expect("small") - tail;
                prop_assert!(captured.bytes.starts_with(&all[..head]));
                prop_assert!(captured.bytes.ends_with(&all[all.len() - tail..]));
            }
        }
    }
}
