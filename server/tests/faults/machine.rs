//! What a server runs on, and can die with.

use crate::support::{TestServer, unhurried};
use server::config::Serve;
use std::{ops::Deref, path::Path, time::Duration};
use tokio::runtime::{Builder, Runtime};

/// How long the death of a server may take: writes that are under way come to their end.
const DYING: Duration = Duration::from_secs(20);

/// A server with a runtime of its own, so that all of it can be gone at once, as when the power fails.
pub(crate) struct Machine {
    server: TestServer,
    runtime: Runtime,
}

/// A runtime for the clients' side.
pub(crate) fn clients() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

impl Machine {
    /// A server that keeps its log in a directory.
    pub(crate) fn start(data: &Path) -> Machine {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let config = Serve { data: data.into(), ..unhurried() };
        let server = runtime.block_on(TestServer::start_with(&config));
        Machine { server, runtime }
    }

    /// Ends without a goodbye: no task goes on.
    pub(crate) fn die(self) {
        self.runtime.shutdown_timeout(DYING);
    }

    /// Stops as a server should.
    pub(crate) fn stop(self) {
        self.runtime.block_on(self.server.stop());
    }
}

impl Deref for Machine {
    type Target = TestServer;

    fn deref(&self) -> &TestServer {
        &self.server
    }
}
