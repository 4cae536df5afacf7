//! The environment of a task, built from nothing.

use std::path::PathBuf;

use super::{LaunchRequest, RunnerError};
use crate::agents::Scope;

/// Variables of programs that talk to a service: proxies and certificates.
pub(super) const NETWORK: &[&str] = &[
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CODEX_CA_CERTIFICATE",
];

/// The variables among [`NETWORK`] that name files to read.
const CERTIFICATES: &[&str] = &["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR", "CODEX_CA_CERTIFICATE"];

/// Returns the environment of a task: where programs are, how text is written, what its kind names,
/// what its agent names, and what the user allows to all. Later ones win.
pub(super) fn build(
    request: &LaunchRequest<'_>,
    fixed: &[(&str, &str)],
    named: &[&str],
) -> Result<Vec<(String, String)>, RunnerError> {
    let front = &request.agent.front;
    let missing: Vec<String> = front.env.iter().filter(|name| !is_allowed(request, name)).cloned().collect();
    if request.agent.scope == Scope::Project && !missing.is_empty() {
        return Err(RunnerError::VariablesNotAllowed { agent: request.agent.name.clone(), variables: missing });
    }
    let path = std::env::join_paths(request.programs).ok().and_then(|path| path.into_string().ok());
    let mut environment: Vec<(String, String)> = vec![("LANG".to_owned(), "C.UTF-8".to_owned())];
    environment.extend(path.filter(|path| !path.is_empty()).map(|path| ("PATH".to_owned(), path)));
    environment.extend([("TERM", "dumb"), ("NO_COLOR", "1")].map(owned));
    let later = request
        .environment
        .named(["LANG", "LC_ALL", "TZ"])
        .into_iter()
        .chain(request.environment.named(named.iter().copied()))
        .chain(fixed.iter().copied().map(owned))
        .chain(request.environment.named(front.env.iter().map(String::as_str)))
        .chain(request.allowed.iter().cloned());
    for (name, value) in later {
        match environment.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => environment.push((name, value)),
        }
    }
    Ok(environment)
}

/// Returns the files that variables of the environment point at.
pub(super) fn certificates(environment: &[(String, String)]) -> Vec<PathBuf> {
    let named = environment.iter().filter(|(name, _)| CERTIFICATES.contains(&name.as_str()));
    named.map(|(_, value)| PathBuf::from(value)).filter(|path| path.is_absolute()).collect()
}

/// Returns whether the user allows a variable; one that is not set has nothing to give away.
fn is_allowed(request: &LaunchRequest<'_>, name: &str) -> bool {
    request.environment.value(name).is_none() || request.allowed.iter().any(|(allowed, _)| allowed == name)
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
