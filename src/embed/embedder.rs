//! The models that memories may be embedded with, behind one door.
//!
//! The one within the program needs nothing and never fails. A stronger one, from a folder or from a
//! server, may fail: then what it was wanted for is done without it, and [`Embeddings::problem`] says
//! so until it works again.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{MODEL, embed};

/// How long a model that failed is not asked again.
const REST: Duration = Duration::from_secs(30);

/// What texts are embedded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody waits for the answer to a query.
    Query,
    /// They are to be kept.
    Keep,
}

/// A model that tells what texts mean.
///
/// Everything here may take long: it is for threads that may block.
pub trait Embedder: Send + Sync {
    /// Returns the name under which vectors are kept; those of different names are never compared.
    fn model(&self) -> &str;

    /// Returns for each text a vector of length one, or of zeros where it says nothing.
    fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Vec<Vec<f32>>, EmbedError>;
}

/// Why a model cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmbedError {
    /// A file of its folder is missing, or is not what it should be.
    #[error("the embedding model in {folder} cannot be used: {reason}")]
    Folder {
        /// The folder.
        folder: String,
        /// What is wrong.
        reason: String,
    },
    /// The server does not answer, or not as it should.
    #[error("the embedding server {server} {reason}")]
    Server {
        /// Its host and port.
        server: String,
        /// What it did.
        reason: String,
    },
}

/// The model within the program.
pub struct BuiltIn;

impl Embedder for BuiltIn {
    fn model(&self) -> &str {
        MODEL
    }

    fn embed(&self, texts: &[&str], _purpose: Purpose) -> Result<Vec<Vec<f32>>, EmbedError> {
        Ok(texts.iter().map(|text| embed(text).as_slice().to_vec()).collect())
    }
}

/// The model that the settings name, and whether it works.
pub struct Embeddings {
    /// `None`: memories are found by their words alone, as the settings say.
    source: Option<Box<dyn Embedder>>,
    failing: Mutex<Option<Failing>>,
}

struct Failing {
    since: Instant,
    error: EmbedError,
}

impl Default for Embeddings {
    fn default() -> Self {
        Self::new(Box::new(BuiltIn))
    }
}

impl Embeddings {
    /// Returns the door to a model.
    pub fn new(source: Box<dyn Embedder>) -> Self {
        Self { source: Some(source), failing: Mutex::default() }
    }

    /// Returns a door to nothing: no text gets a vector.
    pub fn off() -> Self {
        Self { source: None, failing: Mutex::default() }
    }

    /// Whether no text gets a vector.
    pub fn is_off(&self) -> bool {
        self.source.is_none()
    }

    /// Returns the name under which vectors are kept, which is empty where none are. May read the model's
    /// files.
    pub fn model(&self) -> &str {
        self.source.as_ref().map_or("", |source| source.model())
    }

    /// Returns the vectors of texts; empty ones where there is no model. After a failure the model is left alone for a while, so that a
    /// server that is down costs one time-out and not one for every call.
    pub fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Vec<Vec<f32>>, EmbedError> {
        let Some(source) = &self.source else { return Ok(vec![Vec::new(); texts.len()]) };
        if let Some(failing) = &*self.failing()
            && failing.since.elapsed() < REST
        {
            return Err(failing.error.clone());
        }
        let result = source.embed(texts, purpose);
        debug_assert!(result.as_ref().map_or(true, |vectors| vectors.len() == texts.len()));
        let failed = result.as_ref().err().map(|error| Failing { since: Instant::now(), error: error.clone() });
        if let Some(failing) = &failed {
            tracing::warn!(error = %failing.error, "texts were not embedded");
        }
        *self.failing() = failed;
        result
    }

    /// Whether the model failed just now, and is not asked.
    pub fn is_resting(&self) -> bool {
        self.failing().as_ref().is_some_and(|failing| failing.since.elapsed() < REST)
    }

    /// Returns why the model does not work at present, if that is so.
    pub fn problem(&self) -> Option<String> {
        self.failing().as_ref().map(|failing| failing.error.to_string())
    }

    fn failing(&self) -> std::sync::MutexGuard<'_, Option<Failing>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a vector with a byte for each number, as stores keep it.
pub fn quantized(vector: &[f32]) -> Vec<i8> {
    vector.iter().map(|number| (number * 127.0).round() as i8).collect()
}

/// Makes a vector as long as one, unless it is of zeros.
pub(super) fn normalize(vector: &mut [f32]) {
    let length = vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|number| *number = (f64::from(*number) / length) as f32);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Broken(AtomicUsize);

    impl Embedder for Broken {
        fn model(&self) -> &str {
            "broken"
        }

        fn embed(&self, _: &[&str], _: Purpose) -> Result<Vec<Vec<f32>>, EmbedError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Err(EmbedError::Server { server: "nowhere:1".to_owned(), reason: format!("is away {:?}", self.0) })
        }
    }

    #[test]
    fn a_model_that_failed_is_left_alone_for_a_while() {
        let embeddings = Embeddings::new(Box::new(Broken(AtomicUsize::new(0))));
        assert_eq!(embeddings.problem(), None);
        let first = embeddings.embed(&["a"], Purpose::Query).expect_err("it is broken");
        assert_eq!(embeddings.embed(&["a"], Purpose::Keep), Err(first.clone()), "it was not asked again");
        assert_eq!(embeddings.problem(), Some(first.to_string()));
    }

    #[test]
    fn without_a_model_there_are_no_vectors() {
        let embeddings = Embeddings::off();
        assert_eq!(embeddings.embed(&["a", "b"], Purpose::Query), Ok(vec![vec![], vec![]]));
        assert!(embeddings.is_off() && embeddings.model().is_empty() && embeddings.problem().is_none());
    }

    #[test]
    fn the_model_within_the_program_gives_what_it_always_gave() {
        let vectors = Embeddings::default().embed(&["The car is red", ""], Purpose::Keep).expect("it never fails");
        assert_eq!(quantized(&vectors[0]), embed("The car is red").to_quantized());
        assert!(vectors[1].iter().all(|number| *number == 0.0));
    }
}
