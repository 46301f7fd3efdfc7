//! What a process has used: CPU time and memory, from /proc.

use std::fs;
use std::time::Duration;

use crate::error::Error;

/// How often the threads of a process have gone to sleep so far, which an idle one does as often as its timers wake it.
pub fn sleeps(process: u32) -> Result<u64, Error> {
    let dir = format!("/proc/{process}/task");
    let tasks = fs::read_dir(&dir).map_err(Error::io(dir))?;
    let of = |task: fs::DirEntry| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        number(&status, "voluntary_ctxt_switches:")
    };
    Ok(tasks.flatten().map(of).sum())
}

/// CPU time and memory of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time of all its threads, to the nanosecond where the kernel keeps it.
    pub cpu: Duration,
    /// Resident memory, bytes.
    pub resident: u64,
    /// The highest resident memory so far, bytes.
    pub peak: u64,
}

impl Usage {
    /// Reads the figures of the process.
    pub fn of(process: u32) -> Result<Self, Error> {
        let status = read(&format!("/proc/{process}/status"))?;
        Ok(Self {
            cpu: cpu_time(process)?,
            resident: number(&status, "VmRSS:") * 1024,
            peak: number(&status, "VmHWM:") * 1024,
        })
    }
}

fn cpu_time(process: u32) -> Result<Duration, Error> {
    let dir = format!("/proc/{process}/task");
    let tasks = fs::read_dir(&dir).map_err(Error::io(dir))?;
    let mut nanoseconds = 0;
    for task in tasks.flatten() {
        // A thread may end while we read.
        let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else { continue };
        nanoseconds += text.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanoseconds))
}

fn number(status: &str, key: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

fn read(path: &str) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::io(path))
}

#[cfg(test)]
mod tests {
    use super::Usage;

    #[test]
    fn work_shows_in_cpu_time() {
        let before = Usage::of(std::process::id()).unwrap();
        let sum: u64 = (0..20_000_000u64).map(|n| std::hint::black_box(n) ^ 5).sum();
        std::hint::black_box(sum);
        let after = Usage::of(std::process::id()).unwrap();
        assert!(after.cpu > before.cpu);
        assert!(after.resident > 100_000 && after.peak >= after.resident / 2);
    }
}
