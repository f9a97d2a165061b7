//! Many people in many rooms, led through a test.

use crate::{
    child::Taproom,
    judge::{Record, Verdict, judge},
    person::{Order, Part, Person, Return, Told},
    support::{in_time, room},
};
use app::protocol::{Chat, RoomName, Seq};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

/// People of one crowd, at most.
const MOST: usize = 1_000;

/// How long everybody has for one step, however slow the machine is.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a crowd is made up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) rooms: usize,
    /// In every room.
    pub(crate) talkers: usize,
    /// In every room.
    pub(crate) listeners: usize,
    /// Of every talker, at most.
    pub(crate) messages: u64,
    /// Messages that a talker has on the way at once.
    pub(crate) window: usize,
    pub(crate) comes_back: Return,
}

/// People that live until they are told to go.
pub(crate) struct Crowd {
    plan: Plan,
    rooms: Vec<RoomName>,
    door: SocketAddr,
    history: SocketAddr,
    people: JoinSet<Record>,
    order: watch::Sender<Order>,
    acked: watch::Receiver<u64>,
    arrived: watch::Receiver<u64>,
    settled: mpsc::Receiver<()>,
    told: Told,
    began: Instant,
}

/// What a crowd went through.
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) records: Vec<Record>,
    pub(crate) logs: HashMap<RoomName, Vec<Chat>>,
    /// From the first connection to the last `Ack`.
    pub(crate) lasted: Duration,
}

impl Crowd {
    /// Sends everybody to a server, through `door` where that is another address.
    pub(crate) fn gather(plan: Plan, taproom: &Taproom, door: Option<SocketAddr>) -> Crowd {
        let (order, orders) = watch::channel(Order::Talk);
        let (acked, acks) = watch::channel(0);
        let (arrived, arrivals) = watch::channel(0);
        let (settled, all_settled) = mpsc::channel(MOST);
        let mut crowd = Crowd {
            rooms: (0..plan.rooms).map(|number| room(&format!("room{number}"))).collect(),
            plan,
            door: door.unwrap_or(taproom.address),
            history: taproom.address,
            people: JoinSet::new(),
            order,
            acked: acks,
            arrived: arrivals,
            settled: all_settled,
            told: Told { order: orders, acked, arrived, settled },
            began: Instant::now(),
        };
        for room in crowd.rooms.clone() {
            (0..plan.talkers).for_each(|_| {
                crowd.join(&room, Part::Talks { messages: plan.messages, window: plan.window });
            });
            (0..plan.listeners).for_each(|_| crowd.join(&room, Part::Listens));
        }
        crowd
    }

    /// Somebody more.
    pub(crate) fn join(&mut self, room: &RoomName, part: Part) {
        assert!(self.people.len() < MOST, "the crowd is large enough");
        let number = self.people.len() as u32 + 1;
        let person = Person::new(number, room.clone(), part, self.plan.comes_back, self.door, self.told.clone());
        self.people.spawn(person.with_history_at(self.history).live());
    }

    pub(crate) fn rooms(&self) -> &[RoomName] {
        &self.rooms
    }

    /// Messages that are acknowledged by now.
    pub(crate) fn acked(&self) -> u64 {
        *self.acked.borrow()
    }

    /// Waits until so many messages are acknowledged, all in all.
    pub(crate) async fn has_acked(&mut self, messages: u64) {
        let waiting = self.acked.wait_for(|acked| *acked >= messages);
        in_time(&format!("{messages} acknowledged"), PATIENCE, waiting).await.expect("somebody counts");
    }

    /// Waits until everybody has come so many times.
    pub(crate) async fn has_come(&mut self, times: u64) {
        let all = times * self.people.len() as u64;
        let waiting = self.arrived.wait_for(|arrived| *arrived >= all);
        in_time(&format!("{all} connections"), PATIENCE, waiting).await.expect("somebody counts");
    }

    /// Waits until all that was to be said is acknowledged.
    async fn settle(&mut self) {
        for _ in 0..self.people.len() {
            in_time("everything acknowledged", PATIENCE, self.settled.recv()).await.expect("we hold a sender");
        }
    }

    /// Ends the talk and waits until everything is acknowledged. Answers how long all of it lasted.
    pub(crate) async fn fall_silent(&mut self) -> Duration {
        self.order.send_replace(Order::Settle);
        self.settle().await;
        self.began.elapsed()
    }

    /// Waits until everybody has read everything, sends them away, and compares.
    pub(crate) async fn go(mut self, taproom: &Taproom, lasted: Duration) -> Outcome {
        let mut logs = HashMap::new();
        for room in &self.rooms {
            logs.insert(room.clone(), taproom.log_of(room).await.1);
        }
        let head = |log: &Vec<Chat>| log.last().map_or(Seq::ZERO, |chat| chat.seq);
        let heads = logs.iter().map(|(room, log)| (room.clone(), head(log))).collect();
        self.order.send_replace(Order::ReadTo(Arc::new(heads)));
        let mut records = Vec::new();
        while let Some(record) = in_time("everybody has read everything", PATIENCE, self.people.join_next()).await {
            records.push(record.expect("nobody panics"));
        }
        Outcome { verdict: judge(&logs, &records), records, logs, lasted }
    }
}

impl Outcome {
    pub(crate) fn sum(&self, of: impl Fn(&Record) -> u64) -> u64 {
        self.records.iter().map(of).sum()
    }

    pub(crate) fn slowest_ack(&self) -> Duration {
        self.records.iter().map(|record| record.slowest_ack).max().unwrap_or_default()
    }

    /// Acknowledged messages a second, all in all.
    pub(crate) fn rate(&self) -> f64 {
        self.verdict.acked as f64 / self.lasted.as_secs_f64()
    }
}
