//! A model behind an OpenAI-compatible `/v1/embeddings` endpoint.
//!
//! Off unless the settings name one. Each request has a time limit, texts go in batches, and what
//! comes back is checked before anything is done with it: as many vectors as texts, all as long as
//! the first one ever was, of finite numbers. The key goes into one header and nowhere else.

use std::io::Read;
use std::sync::OnceLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::embedder::{EmbedError, Embedder, Purpose, normalize};

/// How much of a text is sent, in characters: some 2,000 tokens, which every such model takes.
const CHARACTERS_MAX: usize = 8_000;
/// Below so many characters a text that is refused is not halved again.
const CHARACTERS_MIN: usize = 250;
/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// How much of an answer that tells an error is shown.
const ERROR_CHARACTERS_MAX: usize = 200;
/// The most numbers of a vector.
const DIMENSIONS_MAX: usize = 8_192;
/// How long to wait before the one retry, when the server does not say.
const RETRY_AFTER: Duration = Duration::from_millis(300);
/// The longest that a server may ask to wait before the retry.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);

/// Where a model is asked, and how.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The address, with or without `/embeddings` at its end.
    pub url: String,
    /// The model's name there.
    pub model: String,
    /// The key that is sent along, if one is needed.
    pub api_key: Option<String>,
    /// The time limit of a request.
    pub timeout: Duration,
    /// How many texts go in one request.
    pub batch_max: usize,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Endpoint({} at {})", self.model, server(&self.url))
    }
}

/// Asks a server.
pub struct Remote {
    endpoint: Endpoint,
    /// The name under which vectors are kept.
    name: String,
    /// Made at the first request: its certificates are read from the system.
    agent: OnceLock<Agent>,
    /// How many numbers a vector has, once known.
    dimensions: OnceLock<usize>,
}

impl Remote {
    /// Returns the model of an endpoint. Nothing is sent yet.
    pub fn new(endpoint: Endpoint) -> Self {
        let name = format!("remote/{}", endpoint.model);
        Self { endpoint, name, agent: OnceLock::new(), dimensions: OnceLock::new() }
    }

    fn agent(&self) -> &Agent {
        self.agent.get_or_init(|| {
            let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
            let tls = TlsConfig::builder()
                .root_certs(RootCerts::PlatformVerifier)
                .unversioned_rustls_crypto_provider(provider)
                .build();
            let mut config = Agent::config_builder()
                .tls_config(tls)
                .timeout_global(Some(self.endpoint.timeout))
                // An answer that tells an error is read for its reason.
                .http_status_as_error(false)
                // A redirect would take texts and key to where nobody sent them.
                .max_redirects(0)
                .max_redirects_will_error(false)
                .user_agent(concat!("context-engine/", env!("CARGO_PKG_VERSION")));
            if is_loopback(&self.endpoint.url) {
                config = config.proxy(None);
            }
            config.build().new_agent()
        })
    }

    fn error(&self, reason: impl Into<String>) -> EmbedError {
        let mut reason = reason.into();
        if let Some(key) = self.endpoint.api_key.as_deref().filter(|key| !key.is_empty()) {
            reason = reason.replace(key, "****");
        }
        EmbedError::Server { server: server(&self.endpoint.url), reason }
    }

    /// Asks for a batch; where the server refuses what it was sent, for each text alone, and for a
    /// shorter beginning of one that is refused alone.
    fn batch(&self, texts: &[&str], purpose: Purpose) -> Result<Vec<Vec<f32>>, EmbedError> {
        match self.request(texts, purpose)? {
            Some(vectors) => Ok(vectors),
            None if texts.len() > 1 => {
                let each = texts.iter().map(|text| Ok(self.batch(&[text], purpose)?.remove(0)));
                each.collect()
            }
            None => {
                let mut rest = texts[0];
                while rest.chars().count() / 2 >= CHARACTERS_MIN {
                    rest = beginning(rest, rest.chars().count() / 2);
                    if let Some(vectors) = self.request(&[rest], purpose)? {
                        return Ok(vectors);
                    }
                }
                Err(self.error("refuses every text that it is sent; check embedding.model"))
            }
        }
    }

    /// Sends one request, once more where that may help; `None`: the server refuses these texts.
    fn request(&self, texts: &[&str], purpose: Purpose) -> Result<Option<Vec<Vec<f32>>>, EmbedError> {
        let mut again = purpose == Purpose::Keep;
        loop {
            let answer = self.send(texts);
            let (reason, wait) = match answer {
                Ok(response) => {
                    let status = response.status().as_u16();
                    let asked = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
                    let wait = asked.and_then(|text| text.trim().parse().ok()).map_or(RETRY_AFTER, Duration::from_secs);
                    let body = self.read(response.into_body())?;
                    match status {
                        200 => return self.vectors(&body, texts.len()).map(Some),
                        400 | 413 | 422 => return Ok(None),
                        _ => {}
                    }
                    let told = told(&body);
                    let reason = format!("answers {status}{told}{}", hint(status));
                    if !matches!(status, 429 | 500..=599) {
                        return Err(self.error(reason));
                    }
                    (reason, wait)
                }
                Err(error) => (format!("cannot be asked: {error}"), RETRY_AFTER),
            };
            if !again || wait > RETRY_AFTER_MAX {
                return Err(self.error(reason));
            }
            again = false;
            std::thread::sleep(wait);
        }
    }

    fn send(&self, texts: &[&str]) -> Result<ureq::http::Response<Body>, ureq::Error> {
        let asked = Asked { model: &self.endpoint.model, input: texts, encoding_format: "float" };
        let body = serde_json::to_string(&asked).unwrap_or_default();
        let mut request = self.agent().post(address(&self.endpoint.url)).header("content-type", "application/json");
        if let Some(key) = &self.endpoint.api_key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        request.send(body)
    }

    fn read(&self, body: Body) -> Result<String, EmbedError> {
        let mut text = Vec::new();
        let read = body.into_reader().take(ANSWER_BYTES_MAX + 1).read_to_end(&mut text);
        read.map_err(|error| self.error(format!("broke off its answer: {error}")))?;
        if text.len() as u64 > ANSWER_BYTES_MAX {
            return Err(self.error(format!("gives an answer of more than {} MiB", ANSWER_BYTES_MAX >> 20)));
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Checks what came back, and returns the vectors in the order of the texts.
    fn vectors(&self, body: &str, wanted: usize) -> Result<Vec<Vec<f32>>, EmbedError> {
        let answer: Answer = serde_json::from_str(body).map_err(|error| {
            self.error(format!("gives no list of embeddings ({error}): is its path /v1/embeddings?"))
        })?;
        if answer.data.len() != wanted {
            return Err(self.error(format!("gives {} vectors for {wanted} texts", answer.data.len())));
        }
        let mut vectors: Vec<Vec<f32>> = vec![Vec::new(); wanted];
        for (place, one) in answer.data.into_iter().enumerate() {
            let place = one.index.unwrap_or(place);
            match vectors.get_mut(place) {
                Some(slot) if slot.is_empty() => *slot = one.embedding,
                _ => return Err(self.error(format!("numbers its vectors wrongly: {place} of {wanted}"))),
            }
        }
        let first = vectors.first().map_or(0, Vec::len);
        if first == 0 || first > DIMENSIONS_MAX {
            return Err(self.error(format!("gives vectors of {first} numbers: expected 1 to {DIMENSIONS_MAX}")));
        }
        let expected = *self.dimensions.get_or_init(|| first);
        for vector in &mut vectors {
            if vector.len() != expected {
                return Err(self.error(format!("gives vectors of {} numbers, and of {expected} before", vector.len())));
            }
            if vector.iter().any(|number| !number.is_finite()) {
                return Err(self.error("gives vectors with numbers that are not finite"));
            }
            normalize(vector);
        }
        Ok(vectors)
    }
}

impl Embedder for Remote {
    fn model(&self) -> &str {
        &self.name
    }

    fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Vec<Vec<f32>>, EmbedError> {
        // Servers refuse texts without words, which would say nothing anyway.
        let sent: Vec<(usize, &str)> = texts
            .iter()
            .enumerate()
            .map(|(place, text)| (place, beginning(text, CHARACTERS_MAX)))
            .filter(|(_, text)| !text.trim().is_empty())
            .collect();
        let mut vectors: Vec<Vec<f32>> = vec![Vec::new(); texts.len()];
        for batch in sent.chunks(self.endpoint.batch_max.max(1)) {
            let asked: Vec<&str> = batch.iter().map(|(_, text)| *text).collect();
            for ((place, _), vector) in batch.iter().zip(self.batch(&asked, purpose)?) {
                vectors[*place] = vector;
            }
        }
        let dimensions = self.dimensions.get().copied().unwrap_or_default();
        vectors.iter_mut().filter(|vector| vector.is_empty()).for_each(|vector| vector.resize(dimensions, 0.0));
        Ok(vectors)
    }
}

#[derive(Serialize)]
struct Asked<'a> {
    model: &'a str,
    input: &'a [&'a str],
    encoding_format: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    index: Option<usize>,
    embedding: Vec<f32>,
}

/// The address that is asked: what people write is often only the beginning of it.
fn address(url: &str) -> String {
    let url = url.trim_end_matches('/');
    if url.ends_with("/embeddings") {
        url.to_owned()
    } else if url.ends_with("/v1") {
        format!("{url}/embeddings")
    } else {
        format!("{url}/v1/embeddings")
    }
}

/// Host and port of an address, without the password that it may hold.
fn server(url: &str) -> String {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_owned()
}

fn is_loopback(url: &str) -> bool {
    let host = url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn beginning(text: &str, characters: usize) -> &str {
    text.char_indices().nth(characters).map_or(text, |(end, _)| &text[..end])
}

/// What a server says of an error, in one line.
fn told(body: &str) -> String {
    let line = body.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { line } else { format!(": {}", beginning(&line, ERROR_CHARACTERS_MAX)) }
}

fn hint(status: u16) -> &'static str {
    match status {
        401 | 403 => " (check embedding.api_key)",
        404 => " (check embedding.url and embedding.model)",
        300..=399 => " (redirects are not followed: name its target in embedding.url)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed_and_shown_without_secrets() {
        for (url, asked, shown) in [
            ("http://localhost:11434", "http://localhost:11434/v1/embeddings", "localhost:11434"),
            ("https://api.example.com/v1/", "https://api.example.com/v1/embeddings", "api.example.com"),
            ("https://u:p@host/x/embeddings", "https://u:p@host/x/embeddings", "host"),
        ] {
            assert_eq!((address(url).as_str(), server(url).as_str()), (asked, shown));
        }
        assert!(is_loopback("http://127.0.0.1:1/v1") && is_loopback("http://[::1]:1") && !is_loopback("http://a.b"));
        let endpoint = Endpoint {
            url: "https://u:geheim@host/v1".to_owned(),
            model: "m".to_owned(),
            api_key: Some("sk-geheim".to_owned()),
            timeout: Duration::from_secs(1),
            batch_max: 2,
        };
        assert_eq!(format!("{endpoint:?}"), "Endpoint(m at host)");
        let error = Remote::new(endpoint).error("answers 401: wrong key sk-geheim");
        assert_eq!(error.to_string(), "the embedding server host answers 401: wrong key ****");
    }
}
