//! Alarms told elsewhere: one JSON by HTTP POST after the other, in order, signed, and tried again until it was taken. A task
//! of its own waits for the receiver, so that one that hangs holds nobody up; what does not fit into the queue is dropped,
//! the oldest first, and the next that is told says how many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::Change;
pub use super::receiver::{Patience, Receiver};
use crate::clock::Clock;
use crate::config::Serve;
use crate::ops::flight::Meter;

/// Messages that wait; for one more the oldest is dropped. Some hours of a bad night.
const QUEUE_MAX: usize = 256;
/// The kind of a head of the flight recorder.
const HEAD: &str = "flight-head";

/// Cheap to clone. Its task ends with the last of them.
#[derive(Clone)]
pub struct Webhook(Arc<Desk>);

/// How it stands, for the board and the preflight.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Standing {
    pub waiting: usize,
    pub told: u64,
    pub dropped: u64,
    /// Why the last try failed; none when it did not.
    pub trouble: Option<String>,
}

struct Desk {
    queue: Mutex<Queue>,
    news: Notify,
    to: Arc<Receiver>,
    clock: Clock,
    meter: Arc<Meter>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(u64, Value)>,
    numbered: u64,
    /// Dropped since the last that was told.
    dropped: u64,
    standing: Standing,
}

impl Webhook {
    /// As the node is told to; none when it is not.
    ///
    /// # Errors
    /// See `Receiver::open`.
    pub fn of(config: &Serve, clock: Clock) -> anyhow::Result<Option<Self>> {
        let Some(url) = &config.alarm_webhook else {
            return Ok(None);
        };
        let ca = config.alarm_webhook_ca.as_deref();
        let receiver = Receiver::open(url, &config.data, ca, Patience::default())
            .context("alarms cannot be sent to --alarm-webhook")?;
        Ok(Some(Self::start(receiver, clock)))
    }

    /// Begins its task on the current runtime.
    pub fn start(to: Receiver, clock: Clock) -> Self {
        let desk = Arc::new(Desk {
            queue: Mutex::default(),
            news: Notify::new(),
            to: Arc::new(to),
            clock,
            meter: Arc::default(),
        });
        let weak = Arc::downgrade(&desk);
        let patience = desk.to.patience;
        tokio::spawn(async move {
            let mut pause = patience.again_min;
            loop {
                let Some(desk) = weak.upgrade() else { return };
                let Some((number, body)) = desk.next() else {
                    // Waiting must not keep the desk alive for ever.
                    let news = tokio::time::timeout(Duration::from_secs(1), desk.news.notified());
                    let _ = news.await;
                    continue;
                };
                let measured = desk.meter.begin();
                let told = desk.to.tell(&body, desk.clock.wall()).await;
                let failed = told.is_err();
                measured.end(!failed);
                desk.done(number, told);
                drop(desk);
                if failed {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(patience.again_max);
                } else {
                    pause = patience.again_min;
                }
            }
        });
        Self(desk)
    }

    pub fn alarm(&self, change: &Change) {
        let mut body = serde_json::to_value(change).unwrap_or_default();
        if let Some(body) = body.as_object_mut() {
            if change.raised {
                body.insert("todo".into(), change.alarm.alarm.todo().into());
            } else {
                // Many a pager shows this sentence and nothing else.
                let over = format!("This is over: {}", change.alarm.what);
                body.insert("what".into(), over.into());
            }
        }
        self.tell("alarm", body);
    }

    /// A head of the flight recorder. It stands for all before it, so one that still waits is not told any more: a receiver
    /// that is away for a night loses no alarm for them.
    pub fn head(&self, head: Value) {
        self.0.queue().forget(HEAD);
        self.tell(HEAD, head);
    }

    /// Anything else worth telling. Never waits.
    pub fn tell(&self, kind: &str, about: Value) {
        let mut queue = self.0.queue();
        queue.numbered += 1;
        let number = queue.numbered;
        if queue.waiting.len() >= QUEUE_MAX {
            queue.waiting.pop_front();
            queue.dropped += 1;
            queue.standing.dropped += 1;
        }
        let at = self.0.clock.wall();
        let body = json!({ "v": 1, "number": number, "at": at, "kind": kind, "about": about });
        queue.waiting.push_back((number, body));
        queue.standing.waiting = queue.waiting.len();
        drop(queue);
        self.0.news.notify_one();
    }

    /// How long the receiver takes to answer, and how often it fails.
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.0.meter)
    }

    pub fn standing(&self) -> Standing {
        self.0.queue().standing.clone()
    }

    /// One message beside the queue, to see whether the receiver answers.
    ///
    /// # Errors
    /// Why it was not taken.
    pub async fn try_now(&self) -> Result<(), String> {
        let now = self.0.clock.wall();
        let body = json!({ "v": 1, "number": 0, "at": now, "kind": "preflight", "about": {}, "dropped": 0 });
        self.0.to.tell(&body, now).await
    }
}

impl Queue {
    /// The first may be under way, and stays.
    fn forget(&mut self, kind: &str) {
        let mut first = true;
        let of = |body: &Value| body.get("kind").and_then(Value::as_str) == Some(kind);
        self.waiting
            .retain(|(_, body)| std::mem::take(&mut first) || !of(body));
    }
}

impl Desk {
    fn next(&self) -> Option<(u64, Value)> {
        let queue = self.queue();
        let (number, mut body) = queue.waiting.front().cloned()?;
        if let Some(body) = body.as_object_mut() {
            body.insert("dropped".into(), queue.dropped.into());
        }
        Some((number, body))
    }

    fn done(&self, number: u64, told: Result<(), String>) {
        let mut queue = self.queue();
        queue.standing.trouble = told.as_ref().err().cloned();
        match told {
            Ok(()) => {
                // Meanwhile it may have been dropped for newer ones.
                if queue
                    .waiting
                    .front()
                    .is_some_and(|(first, _)| *first == number)
                {
                    queue.waiting.pop_front();
                }
                queue.dropped = 0;
                queue.standing.told += 1;
            }
            Err(why) => tracing::warn!(why, "the alarm webhook did not take a message"),
        }
        queue.standing.waiting = queue.waiting.len();
    }

    /// What it holds is whole after every statement.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
