//! What a restart must not lose, in `door/state.json` under the data folder: how many were inside by salted hash of their
//! prefix, the lines, the runs of doors, and what operators wished. Written every few seconds by a thread of its own, so
//! that a disk that stands still holds nobody up; a node that is killed knows what it knew then.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;

use hustings_control::gate::InsideSnapshot;
use hustings_control::gate::{Door, DoorEpoch, DoorSnapshot, Hall};
use hustings_control::ids::{SpaceId, UnixMillis};
use tokio::sync::oneshot;

use super::limits::{KEPT_BYTES_MAX, KEPT_EVERY};
use super::secret::Secret;
use super::{DoorWish, Entrance, lock, times};
use crate::api::secrets;

/// Orders that wait for the disk; one more is dropped, and its caller told so.
const ORDERS_MAX: usize = 64;

#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    at: UnixMillis,
    inside: InsideSnapshot,
    epochs: BTreeMap<SpaceId, DoorEpoch>,
    lines: BTreeMap<SpaceId, DoorSnapshot>,
    wishes: BTreeMap<SpaceId, DoorWish>,
}

impl Kept {
    pub(super) fn restore_hall(&self, hall: &Hall) {
        if !self.inside.is_empty() && !hall.restore_inside(&self.inside) {
            tracing::warn!(
                "the node has another number of seats than before: who was inside comes back by ticket only"
            );
        }
    }

    pub(super) fn restore_door(&self, door: &Door, clock: &crate::clock::Clock) {
        if let Some(line) = self.lines.get(door.space())
            && self.epochs.get(door.space()) == Some(&door.epoch())
        {
            door.restore(line, times(clock));
        }
    }

    pub(super) fn epochs(&self) -> HashMap<SpaceId, DoorEpoch> {
        self.epochs.clone().into_iter().collect()
    }

    pub(super) fn wishes(&self) -> HashMap<SpaceId, DoorWish> {
        self.wishes.clone().into_iter().collect()
    }
}

enum Order {
    WriteNow(oneshot::Sender<bool>),
    Stop,
}

/// The files of one node, before their thread runs.
pub struct Keeper {
    path: PathBuf,
    pub(super) kept: Kept,
    secret: Option<Secret>,
}

impl Keeper {
    /// What cannot be read is left where it is, told, and begun anew: a door without a memory is better than none.
    pub(super) fn open(data: &Path) -> (Self, Kept) {
        let path = data.join("door").join("state.json");
        let kept = read(&path).unwrap_or_else(|why| {
            tracing::warn!(path = %path.display(), why, "what the door kept cannot be read; it begins without");
            Kept::default()
        });
        let keeper = Self {
            path,
            kept: Kept::default(),
            secret: None,
        };
        (keeper, kept)
    }

    pub(super) fn with(self, kept: Kept, secret: Secret) -> Self {
        Self {
            kept,
            secret: Some(secret),
            ..self
        }
    }

    pub(super) fn start(self, entrance: Arc<Entrance>) -> std::io::Result<KeeperThread> {
        let (orders, ordered) = sync_channel(ORDERS_MAX);
        let thread = std::thread::Builder::new()
            .name("door-files".into())
            .spawn(move || self.run(&entrance, &ordered))?;
        Ok(KeeperThread {
            orders,
            thread: Some(thread),
        })
    }

    fn run(mut self, entrance: &Entrance, ordered: &Receiver<Order>) {
        let mut fine = true;
        loop {
            let order = ordered.recv_timeout(KEPT_EVERY);
            let written = self.write(entrance);
            match &written {
                Err(error) if fine => {
                    tracing::warn!(%error, "the door cannot keep what a restart needs")
                }
                Ok(()) if !fine => tracing::info!("the door keeps again what a restart needs"),
                _ => {}
            }
            fine = written.is_ok();
            match order {
                Ok(Order::WriteNow(answer)) => {
                    // Whoever asked may have gone.
                    let _ = answer.send(fine);
                }
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn write(&mut self, entrance: &Entrance) -> anyhow::Result<()> {
        let times = times(&entrance.clock);
        let doors = entrance.doors();
        let lines = doors
            .iter()
            .filter(|door| door.line().0 > 0 || door.inside() > 0);
        let kept = Kept {
            at: times.wall,
            inside: entrance.hall.inside_snapshot(),
            epochs: lock(&entrance.epochs).clone().into_iter().collect(),
            lines: lines
                .map(|door| (door.space().clone(), door.snapshot(times)))
                .collect(),
            wishes: lock(&entrance.wishes).clone().into_iter().collect(),
        };
        secrets::write(&self.path, &serde_json::to_string(&kept)?)?;
        if let Some(ring) = self
            .secret
            .as_mut()
            .map(|s| s.rotate(times.wall))
            .transpose()?
            .flatten()
        {
            entrance.keys.store(Arc::new(ring));
        }
        Ok(())
    }
}

pub(super) struct KeeperThread {
    orders: SyncSender<Order>,
    thread: Option<JoinHandle<()>>,
}

impl KeeperThread {
    pub(super) fn writer(&self) -> KeeperHandle {
        KeeperHandle(self.orders.clone())
    }

    /// Writes once more, then ends. A disk that stands still is not waited for here.
    pub(super) fn stop(mut self) -> Option<JoinHandle<()>> {
        let _ = self.orders.try_send(Order::Stop);
        self.thread.take()
    }
}

#[derive(Clone)]
pub(super) struct KeeperHandle(SyncSender<Order>);

impl KeeperHandle {
    /// True when everything as of now is on the disk.
    pub(super) async fn write_now(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Order::WriteNow(answer)).is_ok() && answered.await.unwrap_or(false)
    }
}

fn read(path: &Path) -> Result<Kept, String> {
    let size = match std::fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Kept::default()),
        Err(error) => return Err(error.to_string()),
    };
    if size > KEPT_BYTES_MAX {
        return Err(format!("it has {size} bytes"));
    }
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}
