//! Group commits: effects of many jobs written by one statement of one transaction, each handler waiting for its own. One transaction a
//! step of each message would cap a two-core machine at about 200 sends a second.

use std::{collections::VecDeque, future::Future, time::Duration};

use tokio::sync::{mpsc, oneshot};

/// Items wait this long for others to join them, unless a full group is there before.
pub const LINGER: Duration = Duration::from_millis(2);
/// Flushes follow one another, so one that is never answered would hold up all that come after it.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);
/// A group holds no more bytes than this, by the weight its items give.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The group this item was in could not be written; nothing of it happened.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the group could not be written: {message}")]
pub struct GroupError {
    message: String,
    is_of_data: bool,
}

impl GroupError {
    /// The process ends, or something else happened that no item is to blame for.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_of_data: false }
    }
}

impl From<sqlx::Error> for GroupError {
    fn from(error: sqlx::Error) -> Self {
        // data exceptions, violated constraints, limits of the server: some row of the group can't be written, the others may
        let is_of_data = error
            .as_database_error()
            .and_then(|error| error.code())
            .is_some_and(|code| ["22", "23", "54"].contains(&code.get(..2).unwrap_or_default()));
        Self { message: error.to_string(), is_of_data }
    }
}
impl From<db::Error> for GroupError {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::Sqlx(error) => error.into(),
            error => Self::new(error.to_string()),
        }
    }
}
impl From<crate::EnqueueError> for GroupError {
    fn from(error: crate::EnqueueError) -> Self {
        match error {
            crate::EnqueueError::Sqlx(error) => error.into(),
            error => Self::new(error.to_string()),
        }
    }
}

type Answer<R> = oneshot::Sender<Result<R, GroupError>>;

/// Collects items of one sort and hands them to a flush in groups. Cheap to clone.
pub struct Group<T, R> {
    sender: mpsc::Sender<(T, Answer<R>)>,
}
impl<T, R> Clone for Group<T, R> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone() }
    }
}

impl<T: Clone + Send + 'static, R: Send + 'static> Group<T, R> {
    /// Starts the task that flushes. `flush` answers one result an item, in the order of the items; flushes follow one another, so that a
    /// group that waits for the database grows meanwhile. A group that fails because of its data is halved until only the items that
    /// can't be written have failed.
    pub fn start<F, Fut>(most: usize, weight: fn(&T) -> usize, flush: F) -> Self
    where
        F: Fn(Vec<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<R>, GroupError>> + Send,
    {
        let (sender, mut receiver) = mpsc::channel::<(T, Answer<R>)>(most * 4);
        tokio::spawn(async move {
            while let Some(first) = receiver.recv().await {
                let mut bytes = weight(&first.0);
                let mut items = vec![first];
                let until = tokio::time::Instant::now() + LINGER;
                while items.len() < most && bytes < MOST_BYTES {
                    match tokio::time::timeout_at(until, receiver.recv()).await {
                        Ok(Some(item)) => {
                            bytes += weight(&item.0);
                            items.push(item);
                        }
                        Ok(None) | Err(_) => break,
                    }
                }
                write(&flush, items).await;
            }
        });
        Self { sender }
    }

    /// Joins the next group and waits until it is written.
    pub async fn submit(&self, item: T) -> Result<R, GroupError> {
        let gone = || GroupError::new("the process is stopping");
        let (sender, receiver) = oneshot::channel();
        self.sender.send((item, sender)).await.map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())?
    }
}

async fn write<T: Clone, R, F, Fut>(flush: &F, items: Vec<(T, Answer<R>)>)
where
    F: Fn(Vec<T>) -> Fut,
    Fut: Future<Output = Result<Vec<R>, GroupError>>,
{
    let mut rest = VecDeque::from([items]);
    while let Some(mut items) = rest.pop_front() {
        let values = items.iter().map(|(value, _)| value.clone()).collect();
        match db::within(ANSWERED_WITHIN, flush(values)).await {
            Ok(results) if results.len() == items.len() => {
                for ((_, answer), result) in items.into_iter().zip(results) {
                    // a waiter that has gone was cancelled; its effect stands all the same
                    let _ = answer.send(Ok(result));
                }
            }
            Err(error) if error.is_of_data && items.len() > 1 => {
                tracing::warn!(%error, items = items.len(), "a group is halved to find what can't be written");
                let second = items.split_off(items.len() / 2);
                rest.push_front(second);
                rest.push_front(items);
            }
            outcome => {
                let error = outcome.err().unwrap_or_else(|| GroupError::new("the flush lost count"));
                for (_, answer) in items {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> GroupError {
        GroupError { message: "index row size exceeds the maximum".to_owned(), is_of_data: true }
    }

    #[tokio::test]
    async fn one_item_that_cannot_be_written_fails_alone() {
        let group = Group::start(
            500,
            |_| 1,
            |items: Vec<u32>| async move {
                if items.contains(&13) { Err(refused()) } else { Ok(items.iter().map(|item| item * 2).collect()) }
            },
        );
        let answers = futures::future::join_all((0..100).map(|item| group.submit(item))).await;
        for (item, answer) in (0..).zip(answers) {
            match answer {
                Ok(double) => assert_eq!(double, item * 2),
                Err(_) => assert_eq!(item, 13),
            }
        }
    }

    #[tokio::test]
    async fn a_group_that_fails_as_a_whole_is_not_tried_item_by_item() {
        let (told, mut heard) = mpsc::unbounded_channel();
        let group = Group::<u32, u32>::start(
            500,
            |_| 1,
            move |items: Vec<u32>| {
                let told = told.clone();
                async move {
                    let _ = told.send(items.len());
                    Err(GroupError::new("the server is gone"))
                }
            },
        );
        let answers = futures::future::join_all((0..10).map(|item| group.submit(item))).await;
        assert!(answers.iter().all(Result::is_err));
        let mut items = 0;
        while let Ok(count) = heard.try_recv() {
            items += count;
        }
        assert_eq!(items, 10);
    }

    #[tokio::test]
    async fn heavy_items_are_not_all_held_in_one_group() {
        let group = Group::start(
            500,
            |_| MOST_BYTES / 2,
            |items: Vec<u32>| async move {
                let size = u32::try_from(items.len()).unwrap_or(u32::MAX);
                Ok(items.iter().map(|_| size).collect())
            },
        );
        let sizes = futures::future::join_all((0..10).map(|item| group.submit(item))).await;
        assert!(sizes.into_iter().all(|size| size.is_ok_and(|size| size <= 2)));
    }
}
