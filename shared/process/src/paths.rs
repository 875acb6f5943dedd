//! How long the path of a job's folder becomes: a Unix socket's has 107 bytes at the most, and what is beyond is never made.

/// The longest path of a socket on Linux, in bytes.
pub const MAX_SOCKET_BYTES: usize = 107;
/// What the folder of all jobs of a user is called, before the user's id.
pub const SHARED: &str = "cb-";
/// The greatest process id that Linux can be set to give.
pub const MAX_PID: &str = "4194304";
/// How many digits of a job's id its folder has.
pub const ID_DIGITS: usize = 8;
/// The greatest number of an attempt.
pub const MAX_ATTEMPT: &str = "10";

/// Returns how long the path of the folder for the folders of running jobs may be, in bytes, for a user's jobs whose longest
/// path of a socket has so many bytes below their own folder.
#[must_use]
pub fn max_parent_bytes(user: u32, longest_socket: usize) -> usize {
    let user = user.to_string();
    let job = ["/", SHARED, &user, "/", MAX_PID, "/", "-", MAX_ATTEMPT, "/"];
    let job: usize = job.iter().map(|part| part.len()).sum::<usize>() + ID_DIGITS;
    MAX_SOCKET_BYTES.saturating_sub(job + longest_socket)
}
