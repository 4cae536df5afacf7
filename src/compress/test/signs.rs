//! By what the output of test runners and compilers is recognised.
//!
//! Each runner has words that nobody else begins a line with; a compiler has lines of one form, a place
//! and what is wrong there. Lines in the fences of Markdown are somebody's example and do not count.

use super::is_pass;

/// Lines that are looked at.
const LINES_MAX: usize = 400;

/// How lines begin that only a runner writes.
const BEGINNINGS: &[&str] = &[
    "test result: ",
    "could not compile `",
    "error: could not compile `",
    "FAILED (",
    "--- FAIL: ",
    "--- PASS: ",
    "=== RUN ",
    "TAP version ",
    "Test Suites: ",
    "Test Files  ",
    "<testsuite",
    "✖ failing tests:",
    "# Subtest: ",
    "make: *** [",
    "[INFO] Scanning for projects...",
    "[INFO] BUILD FAILURE",
    "[INFO] BUILD SUCCESS",
    "[ERROR] COMPILATION ERROR",
    "[ERROR] Tests run: ",
    "> Task :",
    "FAILURE: Build failed with an exception.",
    "BUILD FAILED in ",
    "BUILD SUCCESSFUL in ",
];

/// How lines begin that others write too.
const LIKELY: &[&str] = &[
    "running ",
    "error[E",
    "warning: ",
    "Compiling ",
    "Checking ",
    "ok ",
    "not ok ",
    "Ran ",
    "error: ",
    "● ",
    "✖ ",
    "× ",
];

/// Returns how sure it is that `sample` is the output of a runner or a compiler, from 0 to 100.
pub(super) fn certainty(sample: &str) -> u8 {
    let mut is_fenced = false;
    let lines: Vec<&str> = sample
        .lines()
        .filter(|line| {
            let is_fence = line.starts_with("```");
            is_fenced ^= is_fence;
            !is_fence && !is_fenced && !line.trim().is_empty()
        })
        .take(LINES_MAX)
        .collect();
    let all = lines.len().max(1);
    if lines.iter().enumerate().any(|(at, line)| is_certain(line, lines.get(at + 1).copied().unwrap_or(""))) {
        return 96;
    }
    let diagnostics = lines.iter().filter(|line| is_diagnostic(line)).count();
    let commands = lines.iter().filter(|line| is_command(line)).count();
    match (diagnostics, commands) {
        (_, 3..) if (diagnostics + commands) * 2 > all => return 88,
        (1.., _) if diagnostics * 10 >= all * 6 => return 95,
        (2.., _) if diagnostics * 10 >= all => return 88,
        _ => {}
    }
    let likely = LIKELY.iter().filter(|sign| lines.iter().any(|line| line.trim_start().starts_with(**sign))).count();
    let passes = lines.iter().filter(|line| is_pass(line)).count();
    match likely {
        2.. if passes > 0 || diagnostics > 0 => 80,
        2.. if lines.iter().filter(|line| LIKELY.iter().any(|sign| line.trim_start().starts_with(sign))).count()
            * 4
            > all =>
        {
            78
        }
        1 if passes * 3 > all => 75,
        _ if passes * 2 > all && passes > 2 => 70,
        _ => 0,
    }
}

/// Whether only a runner writes such a line, with the next one below it.
fn is_certain(line: &str, next: &str) -> bool {
    let trimmed = line.trim();
    let starts = |signs: &[&str]| signs.iter().any(|sign| trimmed.starts_with(sign));
    let is_left = !line.starts_with([' ', '\t']);
    let drawn = trimmed.trim_matches(['=', ' ']);
    starts(BEGINNINGS)
        || trimmed.starts_with('<') && trimmed.contains("<testsuite")
        || trimmed.starts_with("===")
            && matches!(drawn, "test session starts" | "FAILURES" | "ERRORS" | "short test summary info")
        || trimmed.starts_with("___") && trimmed.contains(" ERROR collecting ")
        || is_left
            && trimmed.starts_with("====")
            && drawn.is_empty()
            && ["FAIL: ", "ERROR: "].iter().any(|sign| next.starts_with(sign))
        || trimmed.starts_with("running ") && (trimmed.ends_with(" tests") || trimmed == "running 1 test")
        || counted(trimmed)
        || is_dots(trimmed)
        || is_left
            && starts(&["FAIL ", "PASS "])
            && trimmed.split_whitespace().nth(1).is_some_and(|path| path.contains('.') && path.contains(['/', '\\']))
        || starts(&["RUN  v", "FAIL  "]) && trimmed.contains(['/', '\\'])
        || starts(&["● "]) && trimmed.contains(" › ")
        || is_left && starts(&["ok  \t", "FAIL\t", "?   \t"])
        || is_left && starts(&["# "]) && super::grammar::is_placed(next)
}

/// `  200 passing (135ms)`, `✖ 253 problems (148 errors, 105 warnings)`, `Found 54 errors in 6 files.`.
fn counted(line: &str) -> bool {
    let mut words = line.trim_start_matches("✖ ").trim_start_matches("Found ").split_whitespace();
    let (Some(number), Some(what), rest) = (words.next(), words.next(), words.next().unwrap_or("")) else {
        return false;
    };
    number.bytes().all(|byte| byte.is_ascii_digit())
        && match what {
            "passing" => rest.starts_with('('),
            "problems" | "problem" => line.starts_with('✖'),
            "errors" | "error" => line.starts_with("Found ") && rest == "in",
            _ => false,
        }
}

/// `....F..x   [ 19%]` of pytest, `........ 87/308` of cargo.
fn is_dots(line: &str) -> bool {
    let Some((dots, rest)) = line.split_once(' ') else { return false };
    let rest = rest.trim();
    let is_share = rest.starts_with('[') && rest.ends_with("%]");
    let is_number = rest
        .split_once('/')
        .is_some_and(|(done, all)| [done, all].iter().all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())));
    !dots.is_empty()
        && dots.bytes().all(|byte| b".FEsxXi".contains(&byte))
        && dots.contains('.')
        && (is_share || is_number)
}

/// A place and what is wrong there: gcc, clang, rustc, javac, tsc, ESLint.
fn is_diagnostic(line: &str) -> bool {
    let trimmed = line.trim_start();
    if super::grammar::problem(line).is_some() {
        return true;
    }
    [
        ": error: ",
        ": warning: ",
        ": note: ",
        ": fatal error: ",
        ": error TS",
        " - error TS",
        ": error[E",
        ": undefined reference to ",
    ]
    .iter()
    .filter_map(|sign| trimmed.find(sign))
    .any(|at| {
        let place = &trimmed[..at];
        place.len() < 250
            && !place.contains(' ')
            && place.contains('.')
            && place.ends_with(|c: char| c.is_ascii_digit() || c == ')')
    })
}

/// A command of a build: `gcc -c -o x.o x.c`, `[ 12%] Building C object ...`.
fn is_command(line: &str) -> bool {
    const PROGRAMS: &[&str] =
        &["gcc", "g++", "cc", "c++", "clang", "clang++", "ld", "ar", "javac", "rustc", "make", "ninja", "libtool:"];
    let word = line.split([' ', ':', '[']).next().unwrap_or("");
    let word = word.rsplit('/').next().unwrap_or(word);
    (PROGRAMS.contains(&word) && (line.contains(" -") || line.contains("]: ") || line.contains("make: ")))
        || (line.starts_with('[')
            && line.contains("%] ")
            && [" Building ", " Linking ", " Built "].iter().any(|sign| line.contains(sign)))
}
