//! How many may arrive at once. After a restart everybody comes back together; those who are here already are not to
//! wait for all of them.

use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Connections that are being let in at once: named, entered into their room, told where it stands.
const ARRIVING: usize = 64;

/// How long somebody waits at the door. Browsers give a server 10 s to greet them.
const PATIENCE: Duration = Duration::from_secs(5);

/// The door's places. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Admission(Arc<Semaphore>);

/// A place at the door; dropping it lets the next one in.
pub(crate) struct Admitted {
    _place: OwnedSemaphorePermit,
}

/// There is no place, and there was none for a while: come back later.
#[derive(Debug)]
pub(crate) struct Crowded;

impl Admission {
    pub(crate) fn new() -> Admission {
        Admission(Arc::new(Semaphore::new(ARRIVING)))
    }

    /// Waits for a place, in the order of coming.
    pub(crate) async fn admit(&self) -> Result<Admitted, Crowded> {
        let place = timeout(PATIENCE, self.0.clone().acquire_owned()).await.map_err(|_| Crowded)?;
        Ok(Admitted { _place: place.expect("the door is never closed") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_finds_the_door_full_waits_and_after_five_seconds_is_sent_away() {
        let door = Admission::new();
        let mut inside = Vec::new();
        for _ in 0..ARRIVING {
            inside.push(door.admit().await.expect("there is place"));
        }
        assert!(door.admit().await.is_err());
        let (next, ()) = tokio::join!(door.admit(), async {
            tokio::time::sleep(PATIENCE / 2).await;
            inside.pop();
        });
        assert!(next.is_ok());
    }
}
