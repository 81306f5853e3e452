//! The threads that an explainer was given.

use rayon::ThreadPool;

use super::MAX_THREADS;
use crate::error::{Error, Result};

/// The threads of the CPU: all, or a pool of as many as were asked for.
#[derive(Debug)]
pub(super) struct Threads(Option<ThreadPool>);

impl Threads {
    /// So many threads; 0 takes all.
    pub(super) fn new(threads: usize) -> Result<Self> {
        let refused = |reason: String| Error::Parameter {
            name: "threads",
            got: threads.to_string(),
            allowed: format!("up to {MAX_THREADS} that the system grants{reason}"),
        };
        if threads == 0 {
            return Ok(Self(None));
        }
        if threads > MAX_THREADS {
            return Err(refused(String::new()));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| refused(format!(" ({error})")))?;
        Ok(Self(Some(pool)))
    }

    /// Runs work on these threads.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.0 {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}
