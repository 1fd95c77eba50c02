//! Level-triggered epoll with nanosecond timeouts.

use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::time::Duration;

pub const READ: u32 = libc::EPOLLIN as u32 | libc::EPOLLRDHUP as u32;
pub const WRITE: u32 = libc::EPOLLOUT as u32;

pub struct Epoll {
    fd: RawFd,
    ready: Vec<libc::epoll_event>,
}

impl Epoll {
    pub fn new() -> io::Result<Self> {
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { fd, ready: vec![libc::epoll_event { events: 0, u64: 0 }; 512] })
    }

    pub fn add(&self, fd: RawFd, token: usize, interest: u32) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, interest)
    }

    pub fn modify(&self, fd: RawFd, token: usize, interest: u32) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, interest)
    }

    fn control(&self, operation: i32, fd: RawFd, token: usize, interest: u32) -> io::Result<()> {
        let mut event = libc::epoll_event { events: interest, u64: token as u64 };
        let result = unsafe { libc::epoll_ctl(self.fd, operation, fd, &mut event) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Waits for events, at most `timeout`. Returns their tokens and kinds.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<Vec<(usize, u32)>> {
        let time = libc::timespec {
            tv_sec: timeout.as_secs() as libc::time_t,
            tv_nsec: timeout.subsec_nanos() as libc::c_long,
        };
        // The milliseconds of epoll_wait are too coarse for chunks 5 ms apart.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.fd,
                self.ready.as_mut_ptr(),
                self.ready.len() as i32,
                &time,
                ptr::null::<libc::sigset_t>(),
                0usize,
            )
        };
        if count < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted { Ok(Vec::new()) } else { Err(error) };
        }
        Ok(self.ready[..count as usize].iter().map(|event| (event.u64 as usize, event.events)).collect())
    }
}
