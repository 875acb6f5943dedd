//! The length of the path of a job's folder: the path of a Unix socket has at most 107 bytes, and a longer one cannot be made.

/// The longest path of a socket on Linux, in bytes.
pub const MAX_SOCKET_BYTES: usize = 107;
/// The name of the folder for all jobs of a user, before the user's id.
pub const SHARED: &str = "cb-";
/// The largest process id that Linux can be configured to use.
pub const MAX_PID: &str = "4194304";
/// How many digits of a job's id are in the name of its folder.
pub const ID_DIGITS: usize = 8;
/// The largest attempt number.
pub const MAX_ATTEMPT: &str = "10";

/// Returns how many bytes the path of the parent of the job folders may have, if the jobs of `user` need at most
/// `longest_socket` bytes for a socket's path below their own folder.
#[must_use]
pub fn max_parent_bytes(user: u32, longest_socket: usize) -> usize {
    let user = user.to_string();
    let job = ["/", SHARED, &user, "/", MAX_PID, "/", "-", MAX_ATTEMPT, "/"];
    let job: usize = job.iter().map(|part| part.len()).sum::<usize>() + ID_DIGITS;
    MAX_SOCKET_BYTES.saturating_sub(job + longest_socket)
}
