//! What Envoy's worker threads have used, from the kernel's accounting.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;

/// The worker threads of an Envoy.
#[derive(Clone, Debug)]
pub struct Worker(Vec<PathBuf>);

impl Worker {
    /// Finds the threads that Envoy names `wrk:worker_N`.
    pub fn of(process: u32) -> Result<Self, Error> {
        let mut threads = Vec::new();
        for task in fs::read_dir(format!("/proc/{process}/task"))? {
            let path = task?.path();
            if fs::read_to_string(path.join("comm"))?.starts_with("wrk:") {
                threads.push(path.join("schedstat"));
            }
        }
        if threads.is_empty() {
            return Err(Error::Unexpected("Envoy has no thread named `wrk:…`".to_owned()));
        }
        Ok(Self(threads))
    }

    /// Nanoseconds of CPU so far.
    pub fn cpu_ns(&self) -> Result<u64, Error> {
        Ok(self.each_ns()?.iter().sum())
    }

    /// The same of each worker.
    pub fn each_ns(&self) -> Result<Vec<u64>, Error> {
        self.0.iter().map(|path| read_ns(path)).collect()
    }
}

/// Nanoseconds of CPU of a process's main thread so far.
pub fn thread_ns(process: u32) -> Result<u64, Error> {
    read_ns(&PathBuf::from(format!("/proc/{process}/task/{process}/schedstat")))
}

fn read_ns(path: &Path) -> Result<u64, Error> {
    let text = fs::read_to_string(path)?;
    let first = text.split(' ').next().and_then(|number| number.parse::<u64>().ok());
    first.ok_or_else(|| Error::Unexpected(format!("{} holds no time", path.display())))
}
