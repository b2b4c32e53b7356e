//! A queue between two tasks that holds no memory while it is empty.
//!
//! A connection has two of them and is idle most of the time, so what an empty one takes is what
//! counts. How much may wait is for who offers: each offer sees what waits already.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Places that an emptied queue keeps: one message now and then asks for no memory.
const KEPT_PLACES_MAX: usize = 4;

/// What waits in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// How many things.
    pub items: usize,
    /// Their bytes, as they were offered.
    pub bytes: usize,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    /// Taken when nothing else waits.
    later: VecDeque<T>,
    /// The reader works on what it took last.
    is_in_hand: bool,
    writers: usize,
    is_read: bool,
    reader: Option<Waker>,
}

impl<T> State<T> {
    fn load(&self) -> Load {
        Load { items: self.items.len(), bytes: self.bytes }
    }

    fn take(&mut self) -> Option<T> {
        let Some((item, bytes)) = self.items.pop_front() else {
            let item = self.later.pop_front();
            if self.later.is_empty() && KEPT_PLACES_MAX < self.later.capacity() {
                self.later = VecDeque::new();
            }
            return item;
        };
        self.bytes -= bytes;
        if self.items.is_empty() && KEPT_PLACES_MAX < self.items.capacity() {
            self.items = VecDeque::new();
        }
        Some(item)
    }
}

#[derive(Debug)]
struct Shared<T>(Mutex<State<T>>);

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing in here can leave the state half changed, so a poisoned lock is usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writing end: never waits.
#[derive(Debug)]
pub struct Writer<T>(Arc<Shared<T>>);

/// The reading end.
#[derive(Debug)]
pub struct Reader<T>(Arc<Shared<T>>);

/// A new, empty queue.
#[must_use]
pub fn queue<T>() -> (Writer<T>, Reader<T>) {
    let state = State {
        items: VecDeque::new(),
        bytes: 0,
        later: VecDeque::new(),
        is_in_hand: false,
        writers: 1,
        is_read: true,
        reader: None,
    };
    let shared = Arc::new(Shared(Mutex::new(state)));
    (Writer(Arc::clone(&shared)), Reader(shared))
}

impl<T> Writer<T> {
    /// Adds an item of so many bytes if it `fits` beside what waits. A queue that nobody reads any
    /// more takes everything silently.
    ///
    /// # Errors
    /// It does not fit: the item comes back.
    pub fn offer(&self, item: T, bytes: usize, fits: impl FnOnce(Load) -> bool) -> Result<(), T> {
        let mut state = self.0.lock();
        if !state.is_read {
            return Ok(());
        }
        if !fits(state.load()) {
            return Err(item);
        }
        state.items.push_back((item, bytes));
        state.bytes += bytes;
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(())
    }

    /// Adds an item that is taken when nothing else waits. Of more than `max` such the oldest goes:
    /// it comes back.
    pub fn offer_later(&self, item: T, max: usize) -> Option<T> {
        let mut state = self.0.lock();
        if !state.is_read {
            return None;
        }
        let dropped = if state.later.len() < max { None } else { state.later.pop_front() };
        state.later.push_back(item);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        dropped
    }

    /// What waits now, but for what is taken later.
    #[must_use]
    pub fn load(&self) -> Load {
        self.0.lock().load()
    }

    /// Whether nobody reads any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !self.0.lock().is_read
    }

    /// Whether the reader is done with all that was added, or is gone.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let state = self.0.lock();
        let is_empty = state.items.is_empty() && state.later.is_empty();
        !state.is_read || (is_empty && !state.is_in_hand)
    }
}

impl<T> Clone for Writer<T> {
    fn clone(&self) -> Self {
        self.0.lock().writers += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.writers -= 1;
        let reader = if state.writers == 0 { state.reader.take() } else { None };
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl<T> Reader<T> {
    /// The next item; `None` when every writing end is gone and all was taken. Whoever asks is done
    /// with the item before.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.lock();
        let item = state.take();
        state.is_in_hand = item.is_some();
        if item.is_some() || state.writers == 0 {
            return Poll::Ready(item);
        }
        if !state.reader.as_ref().is_some_and(|it| it.will_wake(cx.waker())) {
            state.reader = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// As [`Self::poll_next`], for a task that waits for nothing else.
    pub async fn next(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next item, if there is one now.
    pub fn try_next(&mut self) -> Option<T> {
        let mut state = self.0.lock();
        let item = state.take();
        state.is_in_hand = item.is_some();
        item
    }

    /// What waits now, but for what is taken later.
    #[must_use]
    pub fn load(&self) -> Load {
        self.0.lock().load()
    }

    /// Reads no more: what waits is dropped, and so is what comes.
    pub fn close(&mut self) {
        let mut state = self.0.lock();
        state.is_read = false;
        state.bytes = 0;
        let unread = (mem::take(&mut state.items), mem::take(&mut state.later));
        drop(state);
        drop(unread); // not under the lock: an item may hold anything
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_offered_comes_in_order_until_the_last_writer_is_gone() {
        let (writer, mut reader) = queue();
        let second = writer.clone();
        writer.offer(1, 10, |_| true).unwrap();
        second.offer(2, 20, |load| load == Load { items: 1, bytes: 10 }).unwrap();
        assert_eq!(second.offer(3, 1, |load| load.bytes < 30), Err(3));
        assert_eq!((reader.next().await, reader.load().bytes), (Some(1), 20));
        drop((writer, second));
        assert_eq!((reader.next().await, reader.next().await), (Some(2), None));
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken_by_an_item_and_by_the_end() {
        let (writer, mut reader) = queue();
        let (item, ()) =
            tokio::join!(reader.next(), async { writer.offer(1, 0, |_| true).unwrap() });
        assert_eq!(item, Some(1));
        let (end, ()) = tokio::join!(reader.next(), async { drop(writer) });
        assert_eq!(end, None);
    }

    #[test]
    fn a_queue_is_settled_when_its_reader_has_come_back_for_more_or_is_gone() {
        let (writer, mut reader) = queue();
        assert!(writer.is_settled());
        writer.offer(1, 0, |_| true).unwrap();
        assert_eq!(reader.try_next(), Some(1));
        assert!(!writer.is_settled());
        assert_eq!(reader.try_next(), None);
        assert!(writer.is_settled());
        writer.offer(2, 0, |_| true).unwrap();
        drop(reader);
        assert!(writer.is_settled() && writer.is_closed());
        writer.offer(3, 0, |_| panic!("nobody reads")).unwrap();
    }

    #[test]
    fn what_comes_later_comes_when_nothing_else_waits_and_the_oldest_give_way() {
        let (writer, mut reader) = queue();
        for number in 10..13 {
            assert_eq!(writer.offer_later(number, 3), None);
        }
        assert_eq!(writer.offer_later(13, 3), Some(10));
        writer.offer(1, 0, |load| load.items == 0).unwrap();
        let taken: Vec<_> = std::iter::from_fn(|| reader.try_next()).collect();
        assert_eq!(taken, [1, 11, 12, 13]);
        assert!(writer.is_settled());
    }

    #[test]
    fn an_emptied_queue_gives_its_memory_back() {
        let (writer, mut reader) = queue();
        for number in 0..100 {
            writer.offer(number, 1, |_| true).unwrap();
        }
        while reader.try_next().is_some() {}
        assert_eq!(writer.0.lock().items.capacity(), 0);
    }
}
