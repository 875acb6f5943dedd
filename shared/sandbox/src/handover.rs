//! How a service hands the launcher what a task needs: three open files, over a socket, which is the launcher's standard input.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::io::retry_on_intr;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

use crate::control::Control;

/// The channel, the standard output and the standard error of a task.
const FILES: usize = 3;
/// Files travel with at least one byte, which says nothing.
const BYTE: [u8; 1] = [0];

/// Hands over the files of a task: the channel's other end, and where the program prints.
///
/// # Errors
/// The launcher has ended, or has not taken what it was handed before.
pub(crate) fn hand(launcher: &UnixStream, files: [BorrowedFd<'_>; FILES]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    rights.push(SendAncillaryMessage::ScmRights(&files));
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    retry_on_intr(|| sendmsg(launcher, &[IoSlice::new(&BYTE)], &mut rights, flags))?;
    Ok(())
}

/// The launcher's end.
pub(crate) struct Tasks(OwnedFd);

/// What a task was handed.
pub(crate) struct Handed {
    pub(crate) control: Control,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

impl Tasks {
    /// Takes the socket from the standard input, so that no program gets it.
    pub(crate) fn take() -> io::Result<Self> {
        let socket = io::stdin().as_fd().try_clone_to_owned()?;
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        Ok(Self(socket))
    }

    /// Waits for the next task; `None` if the service has closed its end. A task whose files could not be taken is left out, which the
    /// service sees by its closed channel.
    pub(crate) fn next(&self) -> io::Result<Option<Handed>> {
        loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
            let mut rights = RecvAncillaryBuffer::new(&mut space);
            let mut byte = BYTE;
            let mut slices = [IoSliceMut::new(&mut byte)];
            let received = retry_on_intr(|| recvmsg(&self.0, &mut slices, &mut rights, RecvFlags::CMSG_CLOEXEC))?;
            if received.bytes == 0 {
                return Ok(None);
            }
            let mut files = rights.drain().flat_map(|message| match message {
                RecvAncillaryMessage::ScmRights(files) => files.collect(),
                _ => Vec::new(),
            });
            if let (Some(control), Some(stdout), Some(stderr)) = (files.next(), files.next(), files.next()) {
                return Ok(Some(Handed {
                    control: Control::new(UnixStream::from(control)),
                    stdout,
                    stderr,
                }));
            }
        }
    }
}

impl Handed {
    /// Makes the files those of this process.
    pub(crate) fn take_place(self) -> io::Result<Control> {
        rustix::stdio::dup2_stdout(self.stdout)?;
        rustix::stdio::dup2_stderr(self.stderr)?;
        Ok(self.control)
    }
}
