//! The entry of the helper process.

/// The argument that makes `ctx` the helper.
pub const ARGUMENT: &str = "__sandbox-init";

/// The second argument when descriptor 3 is what the task reads on standard input.
pub(in crate::exec) const STDIN_AT_3: &str = "stdin-at-3";

/// Runs the helper: reads its order from standard input and answers there. It must be called
/// before the process has a second thread.
pub fn main() -> ! {
    #[cfg(target_os = "linux")]
    let code = super::linux::helper();
    #[cfg(not(target_os = "linux"))]
    let code = 70;
    std::process::exit(code)
}
