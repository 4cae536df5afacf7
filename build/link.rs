//! How `ctx` is linked on Linux with glibc, so that a short command does not pay for the long ones.
//!
//! A process that counts one small file spends most of its time on page faults. They come from the
//! libraries that are mapped, from the pages of pointers that the loader adjusts to where the program
//! lies, and from code that is spread over the whole program. So:
//!
//! - the unwinder is linked in, and `libgcc_s` is not mapped
//! - what is to be adjusted is listed in bits, not in 24 bytes each (`DT_RELR`, from glibc 2.36 on)
//! - the functions of the short way of `ctx tokens` lie together (`together.ld`)
//!
//! Nothing depends on any of it, and each step is left out where its tools are missing. The program
//! stays position independent, with everything bound and read-only before `main`.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::print_stdout,
    reason = "a build script is spoken to through the environment and stdout, and asks the tools it builds with"
)]

use std::path::Path;
use std::process::Command;

/// The first glibc whose loader reads `DT_RELR`.
const RELR_GLIBC: (u32, u32) = (2, 36);

/// Tells cargo how to link; `out` is where a file for the linker may be written.
pub fn tell(out: &Path) {
    let is = |name: &str, value: &str| variable(name).as_deref() == Some(value);
    // Whoever has chosen a linker gets what that one does by itself: not every one reads these.
    let chosen = variable("RUSTC_LINKER").is_some()
        || variable("CARGO_ENCODED_RUSTFLAGS").is_some_and(|flags| flags.contains("link"));
    let native = variable("HOST").is_some() && variable("HOST") == variable("TARGET");
    if chosen || !native || !is("CARGO_CFG_TARGET_OS", "linux") || !is("CARGO_CFG_TARGET_ENV", "gnu") {
        return;
    }
    let folder = variable("CARGO_MANIFEST_DIR").expect("cargo names the package");
    argument(&format!("-Wl,-T,{folder}/build/together.ld"));
    if let Some(archives) = unwinder() {
        std::fs::write(out.join("libgcc_s.so"), archives).expect("the output folder can be written");
        argument(&format!("-L{}", out.display()));
    }
    if glibc().is_some_and(|version| version >= RELR_GLIBC) {
        argument("-Wl,-z,pack-relative-relocs");
    }
}

fn argument(argument: &str) {
    println!("cargo::rustc-link-arg-bins={argument}");
}

/// A linker script that names the archives of the unwinder, to be found in the place of the library.
fn unwinder() -> Option<String> {
    let archives = ["libgcc_eh.a", "libgcc.a"].map(|name| said("cc", &[&format!("-print-file-name={name}")]));
    let [Some(unwinder), Some(support)] = archives else { return None };
    // What the compiler does not find it calls by its name alone.
    (Path::new(&unwinder).is_absolute() && Path::new(&support).is_absolute())
        .then(|| format!("INPUT(\"{unwinder}\" \"{support}\")\n"))
}

/// The version of the C library that the program is linked with.
fn glibc() -> Option<(u32, u32)> {
    let said = said("getconf", &["GNU_LIBC_VERSION"])?;
    let (major, minor) = said.strip_prefix("glibc ")?.split_once('.')?;
    let minor = minor.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let done = Command::new(program).args(arguments).output().ok()?;
    done.status.success().then(|| String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
