//! A socket that keeps message boundaries and can carry file descriptors. The service and the host talk through it.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType};
use tokio::io::Interest;
use tokio::net::UnixDatagram;

/// The largest packet that either side sends, in bytes.
const PACKET_BYTES: usize = 16 * 1024;

/// One end of a packet socket (`SOCK_SEQPACKET`).
///
/// Tokio supports datagram sockets; a connected packet socket is read and written in the same way, and also reports its end.
pub(crate) struct Packets(UnixDatagram);

impl Packets {
    /// Makes a pair: our end, and the end for another process.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        Ok((Self(UnixDatagram::from_std(ours.into())?), theirs))
    }

    /// Sends one packet, together with descriptors.
    pub(crate) async fn send(&self, packet: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let send = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(6))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
                return Err(io::Error::from(io::ErrorKind::InvalidInput));
            }
            rustix::net::sendmsg(&self.0, &[IoSlice::new(packet)], &mut ancillary, SendFlags::NOSIGNAL)?;
            Ok(())
        };
        self.0.async_io(Interest::WRITABLE, send).await
    }

    /// Receives one packet; `None` when the other side is gone.
    pub(crate) async fn receive(&self) -> io::Result<Option<Vec<u8>>> {
        let mut packet = vec![0; PACKET_BYTES];
        let length = match self.0.recv(&mut packet).await {
            // the other side left packets of ours unread; this error comes once, before what it has sent
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => self.0.recv(&mut packet).await?,
            received => received?,
        };
        packet.truncate(length);
        Ok(Some(packet).filter(|packet| !packet.is_empty()))
    }
}

/// Borrows several descriptors at once.
pub(crate) fn borrow(fds: &[OwnedFd]) -> Vec<BorrowedFd<'_>> {
    fds.iter().map(AsFd::as_fd).collect()
}
