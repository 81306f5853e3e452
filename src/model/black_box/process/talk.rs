//! The talk with a program: one thread writes to it, one reads its answers, one keeps its last words, so that
//! neither side waits for the other with a full pipe.

use std::collections::VecDeque;
use std::io::Read;
use std::process::{Child, ChildStderr, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ndarray::Array2;

use super::{Exchange, Takes, csv};

/// Bytes that are kept of what a program says on its standard error.
const LAST_WORDS: usize = 1000;

/// How long a program may take to end after its input has.
const GRACE: Duration = Duration::from_secs(2);

/// Between two looks whether it has ended.
const LOOK: Duration = Duration::from_millis(2);

/// A batch, on its way to a program.
#[derive(Debug)]
pub(super) enum Question {
    /// Rows of cells.
    Rows(Array2<f64>),
    /// Rows of one text each.
    Texts(Vec<String>),
}

impl Question {
    /// Rows.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.nrows(),
            Self::Texts(texts) => texts.len(),
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// The program said nothing.
    Silent(String),
    /// It said something else.
    Wrong(String),
}

/// What the thread that reads found.
#[derive(Debug)]
pub(super) enum Heard {
    Answer(Array2<f64>),
    Wrong(String),
    /// The program's output ended.
    End,
}

/// A program, and the threads that write to it and read it.
#[derive(Debug)]
pub(super) struct Talk {
    child: Child,
    questions: Option<SyncSender<Question>>,
    /// The numbers of rows of the answers to read.
    expected: Option<SyncSender<usize>>,
    answers: Receiver<Heard>,
    last_words: LastWords,
}

impl Talk {
    pub(super) fn new(
        mut child: Child,
        columns: Vec<String>,
        exchange: Exchange,
        #[cfg_attr(
            not(feature = "arrow"),
            expect(unused_variables, reason = "lines of CSV need no schema")
        )]
        takes: Takes,
    ) -> Self {
        let (questions, to_write) = mpsc::sync_channel::<Question>(1);
        let (expected, to_read) = mpsc::sync_channel::<usize>(1);
        let (answer, answers) = mpsc::sync_channel(1);
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        // A program that cannot be written to has ended, which the reader finds. Its input ends with the thread.
        if let Some(stdin) = stdin {
            thread::spawn(move || match exchange {
                Exchange::Csv => csv::write(stdin, &columns, &to_write),
                #[cfg(feature = "arrow")]
                Exchange::Arrow => super::arrow::write(stdin, &columns, takes, &to_write),
            });
        }
        if let Some(stdout) = stdout {
            thread::spawn(move || match exchange {
                Exchange::Csv => csv::read(stdout, &to_read, &answer),
                #[cfg(feature = "arrow")]
                Exchange::Arrow => super::arrow::read(stdout, &to_read, &answer),
            });
        }
        Self {
            last_words: LastWords::of(child.stderr.take()),
            child,
            questions: Some(questions),
            expected: Some(expected),
            answers,
        }
    }

    /// The answer to a question. After a fault the program has been ended.
    pub(super) fn ask(
        &mut self,
        question: Question,
        timeout: Duration,
    ) -> Result<Array2<f64>, Fault> {
        let count = question.len();
        let sent =
            |to: &Option<SyncSender<usize>>| to.as_ref().is_some_and(|to| to.send(count).is_ok());
        let is_sent = sent(&self.expected)
            && (self.questions.as_ref()).is_some_and(|questions| questions.send(question).is_ok());
        let answer = if is_sent {
            self.answers.recv_timeout(timeout)
        } else {
            Ok(Heard::End)
        };
        match answer {
            Ok(Heard::Answer(answer)) => Ok(answer),
            Ok(Heard::Wrong(reason)) => {
                self.end(Duration::ZERO);
                Err(Fault::Wrong(reason))
            }
            Ok(Heard::End) | Err(RecvTimeoutError::Disconnected) => {
                let status = self.end(GRACE);
                let status = status.map_or_else(
                    || "closed its input or its output, and was ended".to_owned(),
                    |status| format!("ended ({status})"),
                );
                Err(Fault::Silent(format!(
                    "it {status} before it had answered {count} rows; {}",
                    self.last_words.shown()
                )))
            }
            Err(RecvTimeoutError::Timeout) => {
                self.end(Duration::ZERO);
                Err(Fault::Silent(format!(
                    "no complete answer to {count} rows within {} seconds; expected one line, or row, for each, \
                     and that the program flushes its output; allow more time (in the command, --timeout), or \
                     ask for fewer rows at a time (--rows-per-request); {}",
                    timeout.as_secs_f64(),
                    self.last_words.shown()
                )))
            }
        }
    }

    /// Ends the program's input, and after some time the program. What it ended with, if it did so by itself.
    fn end(&mut self, grace: Duration) -> Option<ExitStatus> {
        self.questions = None;
        self.expected = None;
        let begun = Instant::now();
        while begun.elapsed() < grace {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) => thread::sleep(LOOK),
                Err(_) => break,
            }
        }
        // What has ended already needs no ending; waiting takes it from the system's list.
        let _ = self.child.kill();
        let _ = self.child.wait();
        None
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.end(GRACE);
    }
}

/// What a program said last on its standard error.
#[derive(Debug)]
struct LastWords {
    bytes: Arc<Mutex<VecDeque<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl LastWords {
    fn of(stderr: Option<ChildStderr>) -> Self {
        let bytes: Arc<Mutex<VecDeque<u8>>> = Arc::default();
        let kept = Arc::clone(&bytes);
        let keep = move |mut stderr: ChildStderr| {
            let mut block = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut block) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(&block[..count]);
                let surplus = kept.len().saturating_sub(LAST_WORDS);
                kept.drain(..surplus);
            }
        };
        Self {
            bytes,
            thread: stderr.map(|stderr| thread::spawn(move || keep(stderr))),
        }
    }

    /// For a message, once the program has ended. Its own children may hold its standard error open.
    fn shown(&mut self) -> String {
        let begun = Instant::now();
        while (self.thread.as_ref()).is_some_and(|thread| !thread.is_finished())
            && begun.elapsed() < GRACE
        {
            thread::sleep(LOOK);
        }
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = bytes.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        match text.trim() {
            "" => "it said nothing on its standard error".to_owned(),
            text => format!("its last words: {text}"),
        }
    }
}
