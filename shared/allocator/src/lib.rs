//! Makes the C library return large allocations to the system when they are freed.

/// The smallest allocation that is returned by itself: larger than anything that is allocated often.
#[cfg(target_env = "gnu")]
const LARGE_BYTES: libc::c_int = 128 * 1024;

/// Has each large allocation mapped on its own, so that freeing it returns its memory.
///
/// By default, glibc no longer does that for allocations up to the largest one freed so far, at most 32 MiB: after one large request
/// body, each thread keeps what it has freed of others. Other C libraries are left as they are.
pub fn return_large_allocations() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a parameter of the allocator, which is allowed at any time and from any thread.
    unsafe {
        // 0 would mean that glibc does not know the parameter; then it goes on as before
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES);
    }
}
