//! Group commit: effects of many handlers of one process written by one statement, each handler waiting for its own. One transaction a
//! step of each message would cap a two-core machine at about 200 sends a second.

use std::{future::Future, time::Duration};

use tokio::sync::{mpsc, oneshot};

/// Items wait this long for others to join them, unless a full group is there before.
pub const LINGER: Duration = Duration::from_millis(2);

/// The group this item was in could not be written; nothing of it happened.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the group could not be written: {0}")]
pub struct GroupError(pub String);

type Waiting<T, R> = (T, oneshot::Sender<Result<R, GroupError>>);

/// Collects items of one sort and hands them to a flush in groups. Cheap to clone.
pub struct Group<T, R> {
    sender: mpsc::Sender<Waiting<T, R>>,
}
impl<T, R> Clone for Group<T, R> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone() }
    }
}

impl<T: Send + 'static, R: Send + 'static> Group<T, R> {
    /// Starts the task that flushes. `flush` answers one result an item, in the order of the items; flushes follow one another, so that a
    /// group that waits for the database grows meanwhile.
    pub fn start<F, Fut>(most: usize, flush: F) -> Self
    where
        F: Fn(Vec<T>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Vec<R>, GroupError>> + Send,
    {
        let (sender, mut receiver) = mpsc::channel::<Waiting<T, R>>(most * 4);
        tokio::spawn(async move {
            while let Some(first) = receiver.recv().await {
                let mut items = vec![first];
                let until = tokio::time::Instant::now() + LINGER;
                while items.len() < most {
                    match tokio::time::timeout_at(until, receiver.recv()).await {
                        Ok(Some(item)) => items.push(item),
                        Ok(None) | Err(_) => break,
                    }
                }
                let (values, waiting): (Vec<T>, Vec<_>) = items.into_iter().unzip();
                match flush(values).await {
                    Ok(results) if results.len() == waiting.len() => {
                        for (waiter, result) in waiting.into_iter().zip(results) {
                            // a waiter that has gone was cancelled; its effect stands all the same
                            let _ = waiter.send(Ok(result));
                        }
                    }
                    outcome => {
                        let error = outcome.err().unwrap_or_else(|| GroupError("the flush lost count".to_owned()));
                        for waiter in waiting {
                            let _ = waiter.send(Err(error.clone()));
                        }
                    }
                }
            }
        });
        Self { sender }
    }

    /// Joins the next group and waits until it is written.
    pub async fn submit(&self, item: T) -> Result<R, GroupError> {
        let gone = || GroupError("the process is stopping".to_owned());
        let (sender, receiver) = oneshot::channel();
        self.sender.send((item, sender)).await.map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())?
    }
}
