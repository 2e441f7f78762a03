//! The one thread that writes to SQLite. Writes that wait are done in one transaction with one commit, each inside a
//! savepoint of its own; they are answered after the commit, so an answer means that it is on disk.
//!
//! A write that fails or panics takes back its own savepoint only. When the commit fails, or SQLite gives up the whole
//! transaction (full disk), every write of the batch is told so. Between batches the thread moves the log into the
//! database, so that no write waits for that.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};

use futures_util::future::BoxFuture;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::sqlite::LiteTx;
use super::tx::{Engine, Tx};
use crate::model::{Error, Result};

/// Writes in one commit at most.
const BATCH: usize = 256;
/// Writes after which the log is moved into the database: when nobody waits, and in any case.
const CHECKPOINT_IDLE: usize = 200;
const CHECKPOINT: usize = 5000;

/// The way to the thread.
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    /// Dropped by the thread when it ends.
    done: tokio::sync::watch::Receiver<()>,
}

/// One write that waits: a closure, and the one who asked for it.
trait Job: Send {
    /// Nobody waits for it any more.
    fn abandoned(&self) -> bool;
    /// Runs it; whether its changes may stay.
    fn run(&mut self, tx: &mut Tx<'static>) -> bool;
    /// It is not to stay, for this reason.
    fn fail(&mut self, why: Error);
    /// Tells what came of it.
    fn answer(self: Box<Self>);
}

struct Pending<F, T> {
    work: Option<F>,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<F, T> Job for Pending<F, T>
where
    F: for<'t> FnOnce(&'t mut Tx<'static>) -> BoxFuture<'t, Result<T>> + Send,
    T: Send,
{
    fn abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, tx: &mut Tx<'static>) -> bool {
        let Some(work) = self.work.take() else {
            return false;
        };
        let outcome = match work(tx)
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => Err(Error::Internal(
                "a write waited for something other than the database".into(),
            )),
        };
        let outcome = match (outcome, tx.take_failure()) {
            (Ok(_), Some(failure)) => Err(failure),
            (outcome, _) => outcome,
        };
        let kept = outcome.is_ok();
        self.outcome = Some(outcome);
        kept
    }

    fn fail(&mut self, why: Error) {
        // A write that failed by itself keeps its own reason.
        if !matches!(self.outcome, Some(Err(_))) {
            self.outcome = Some(Err(why));
        }
    }

    fn answer(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // Whoever asked may have gone meanwhile.
            let _ = self.reply.send(outcome);
        }
    }
}

impl Writer {
    pub(super) fn start(connection: Connection, queue: usize) -> Result<Writer> {
        let (sender, receiver) = mpsc::channel(queue.max(1));
        let (ended, done) = tokio::sync::watch::channel(());
        let tx = Tx::new(Engine::Sqlite(LiteTx::writing(connection)));
        let thread = Thread {
            tx,
            queue: receiver,
            since_checkpoint: 0,
        };
        std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                thread.run();
                drop(ended);
            })
            .map_err(|e| Error::Internal(format!("cannot start the writer thread: {e}")))?;
        Ok(Writer {
            queue: sender,
            done,
        })
    }

    /// Hands a write to the thread and waits for its commit.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx<'static>) -> BoxFuture<'t, Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        let gone = |_| Error::Unavailable("the database is being closed".into());
        let place = self.queue.reserve().await.map_err(|_| gone(()))?;
        let (reply, answer) = oneshot::channel();
        place.send(Box::new(Pending {
            work: Some(work),
            outcome: None,
            reply,
        }));
        answer.await.map_err(|_| gone(()))?
    }

    /// The end of the thread, for waiting after the last `Writer` is dropped.
    pub(super) fn done(&self) -> tokio::sync::watch::Receiver<()> {
        self.done.clone()
    }
}

struct Thread {
    tx: Tx<'static>,
    queue: mpsc::Receiver<Box<dyn Job>>,
    since_checkpoint: usize,
}

impl Thread {
    fn run(mut self) {
        while let Some(first) = self.queue.blocking_recv() {
            let mut batch = Vec::new();
            if let Err(why) = self.batch(first, &mut batch) {
                batch.iter_mut().for_each(|job| job.fail(why.clone()));
            }
            self.since_checkpoint += batch.len();
            batch.into_iter().for_each(Job::answer);
            self.checkpoint();
        }
    }

    /// Runs `first` and what else waits in one transaction. An error means that nothing of it stays.
    fn batch(&mut self, first: Box<dyn Job>, batch: &mut Vec<Box<dyn Job>>) -> Result<()> {
        batch.push(first);
        self.statement("begin immediate")?;
        let mut next = 0;
        while let Some(job) = batch.get_mut(next) {
            if !job.abandoned() {
                self.one(job.as_mut())?;
            }
            next += 1;
            if next < BATCH
                && let Ok(job) = self.queue.try_recv()
            {
                batch.push(job);
            }
        }
        let committed = self.statement("commit");
        if committed.is_err() {
            self.give_up();
        }
        committed
    }

    /// One write inside its savepoint. An error means that the whole transaction is gone.
    fn one(&mut self, job: &mut dyn Job) -> Result<()> {
        self.statement("savepoint write")?;
        let kept = catch_unwind(AssertUnwindSafe(|| job.run(&mut self.tx))).unwrap_or_else(|_| {
            self.tx.take_failure();
            job.fail(Error::Internal("a write panicked".into()));
            false
        });
        if self.ended() {
            return Err(Error::Unavailable(
                "nothing was stored: the database gave up the transaction".into(),
            ));
        }
        let end = if kept {
            Ok(())
        } else {
            self.statement("rollback to write")
        };
        let end = end.and_then(|()| self.statement("release write"));
        if end.is_err() {
            self.give_up();
        }
        end
    }

    /// SQLite ends a transaction by itself when the disk is full or fails.
    fn ended(&mut self) -> bool {
        self.lite()
            .is_none_or(|lite| lite.connection().is_ok_and(Connection::is_autocommit))
    }

    fn give_up(&mut self) {
        if !self.ended() {
            // Nothing can be done when even that fails; the next `begin` will say so.
            let _ = self.statement("rollback");
        }
    }

    fn statement(&mut self, text: &'static str) -> Result<()> {
        match self.lite() {
            Some(lite) => lite.execute(text, &[]).map(drop),
            None => Err(Error::Internal(
                "the writer thread serves SQLite only".into(),
            )),
        }
    }

    fn lite(&mut self) -> Option<&mut LiteTx> {
        match self.tx.engine() {
            Engine::Sqlite(lite) => Some(lite),
            Engine::Postgres(_) => None,
        }
    }

    fn checkpoint(&mut self) {
        let due = if self.queue.is_empty() {
            CHECKPOINT_IDLE
        } else {
            CHECKPOINT
        };
        if self.since_checkpoint >= due {
            self.since_checkpoint = 0;
            // Readers in the way leave the rest to the next time.
            let _ = self.tx_script("pragma wal_checkpoint(passive)");
        }
    }

    fn tx_script(&mut self, text: &str) -> Result<()> {
        self.lite()
            .map_or(Ok(()), |lite| lite.each(text, &[], |_| Ok(())))
    }
}
