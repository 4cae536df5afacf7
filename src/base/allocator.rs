//! How the allocator of the system treats large pieces of memory.

/// A piece of at least so many bytes is asked of the system, and given back as soon as it is free.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: i32 = 1 << 20;

/// So many free bytes at the end of a heap are given back. Smaller ones serve the next call.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SPARE: i32 = 8 << 20;

/// Lets memory that held something large go back to the system.
///
/// By default glibc counts a piece as large only if none as large was freed before, and each thread
/// keeps what it has freed to itself: a text of ten megabytes, which passes through a few threads, then
/// takes up to forty megabytes more than it needs. To be called before other threads are started.
pub fn give_back_large() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "the standard library has no say in what the allocator does")]
        // SAFETY: it only sets two numbers of the allocator, under the allocator's own lock.
        let is_set = unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) == 1 && libc::mallopt(libc::M_TRIM_THRESHOLD, SPARE) == 1
        };
        debug_assert!(is_set, "glibc knows both");
    }
}
