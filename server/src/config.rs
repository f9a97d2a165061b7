//! Every knob: its default, its environment variable, its reason.

use app::protocol::{Limits, MAX_FRAME_BYTES, Text};
use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;
use std::{
    net::IpAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// Frames that a connection may send for each message that its person may: names, rooms and pings are frames too.
const FRAMES_PER_MESSAGE: u32 = 2;

/// Frames a second, and at once, that every connection may send however few messages its person may.
const FEWEST_FRAMES: u32 = 100;

/// Bytes that a connection may send for each frame that it may, where nothing else is said. The longest message takes
/// about 11 KB; most take a few hundred bytes.
const BYTES_PER_FRAME: u64 = 4 * 1024;

/// Rooms to talk in, served by one file.
#[derive(Debug, Parser)]
#[command(name = "taproom", version, about, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; `serve` when nothing is said.
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the site and carry the rooms
    Serve(Serve),
    /// Copy the log to a file, also while the server runs
    Backup {
        /// Where the log lies.
        #[command(flatten)]
        data: Data,
        /// The file to make. It must not be there yet
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Put a copy of the log back. The server must not run. What the directory held before is kept in it
    Restore {
        /// Where the log lies.
        #[command(flatten)]
        data: Data,
        /// The copy that `taproom backup` made
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
    },
    /// Look at the whole log and tell what is in it and whether it is sound, also while the server runs
    Check {
        /// Where the log lies.
        #[command(flatten)]
        data: Data,
    },
}

/// Where Taproom keeps what it keeps.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Data {
    /// Directory for what Taproom keeps: the log of all rooms. It is made if it is missing, and used by one server
    /// at a time
    #[arg(long = "data", env = "TAPROOM_DATA", default_value = "./data", value_name = "DIRECTORY")]
    pub directory: PathBuf,
}

impl From<&Path> for Data {
    fn from(directory: &Path) -> Data {
        Data { directory: directory.into() }
    }
}

/// How fast one connection may send: in the long run, and at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Frames a second.
    pub frames_per_second: u32,
    /// Frames at once.
    pub frame_burst: u32,
    /// Bytes a second.
    pub bytes_per_second: u64,
    /// Bytes at once, never less than a frame may have.
    pub byte_burst: u64,
}

/// How to serve.
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// Address and port to listen on. Port 0 takes a free one. Behind a TLS proxy keep it on 127.0.0.1
    #[arg(long, env = "TAPROOM_LISTEN", default_value = "127.0.0.1:3000", value_name = "ADDRESS:PORT")]
    pub listen: String,

    /// Where the log lies.
    #[command(flatten)]
    pub data: Data,

    /// Origin that browsers may open sockets from, such as https://chat.example.org. May be given several times, or
    /// as a list with commas. Without it: the origin that the request itself names as its host
    #[arg(long = "origin", env = "TAPROOM_ORIGINS", value_name = "ORIGIN", value_delimiter = ',', value_parser = origin)]
    pub origins: Vec<String>,

    /// Messages a second that one person may send in the long run
    #[arg(long, env = "TAPROOM_MESSAGES_PER_SECOND", default_value_t = 100, value_name = "NUMBER", value_parser = at_least_one())]
    pub messages_per_second: u32,

    /// Messages that one person may send at once after a pause
    #[arg(long, env = "TAPROOM_MESSAGE_BURST", default_value_t = 1_000, value_name = "NUMBER", value_parser = at_least_one())]
    pub message_burst: u32,

    /// People that may be connected at once, in sockets. Without it: as many as the process may have files open, less
    /// about an eighth for everything else, and at most 100000
    #[arg(long, env = "TAPROOM_MAX_CONNECTIONS", value_name = "NUMBER", value_parser = at_least_one())]
    pub max_connections: Option<u32>,

    /// Sockets that one address may have open, an IPv6 address with all of its /64 network. Connections from this
    /// machine itself are not counted
    #[arg(long, env = "TAPROOM_MAX_CONNECTIONS_PER_ADDRESS", default_value_t = 1_000, value_name = "NUMBER", value_parser = at_least_one())]
    pub max_connections_per_address: u32,

    /// Sockets that may be in one room
    #[arg(long, env = "TAPROOM_MAX_CONNECTIONS_PER_ROOM", default_value_t = 20_000, value_name = "NUMBER", value_parser = at_least_one())]
    pub max_connections_per_room: u32,

    /// Address or network of a proxy in front, such as 127.0.0.1 or 10.0.0.0/8, whose X-Forwarded-For is believed, so
    /// that the limit for one address is the visitor's. May be given several times, or as a list with commas
    #[arg(long = "trusted-proxy", env = "TAPROOM_TRUSTED_PROXIES", value_name = "ADDRESS", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,

    /// Frames a second that one connection may send in the long run. Without it: two for each message of
    /// --messages-per-second, at least 100
    #[arg(long, env = "TAPROOM_FRAMES_PER_SECOND", value_name = "NUMBER", value_parser = at_least_one())]
    pub frames_per_second: Option<u32>,

    /// Frames that one connection may send at once after a pause. Without it: two for each message of --message-burst,
    /// at least 100
    #[arg(long, env = "TAPROOM_FRAME_BURST", value_name = "NUMBER", value_parser = at_least_one())]
    pub frame_burst: Option<u32>,

    /// Bytes a second that one connection may send in the long run. Without it: 4096 for each of its frames
    #[arg(long, env = "TAPROOM_BYTES_PER_SECOND", value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    pub bytes_per_second: Option<u64>,

    /// Bytes that one connection may send at once after a pause, at least one frame of 65536. Without it: 4096 for each
    /// of its frames
    #[arg(long, env = "TAPROOM_BYTE_BURST", value_name = "BYTES", value_parser = clap::value_parser!(u64).range(MAX_FRAME_BYTES as u64..))]
    pub byte_burst: Option<u64>,

    /// Address and port that answer /metrics, in Prometheus' format. Without it nothing is measured. Keep it where
    /// visitors cannot reach it
    #[arg(long, env = "TAPROOM_METRICS", value_name = "ADDRESS:PORT")]
    pub metrics: Option<String>,

    /// Threads that write to sockets. Without it: one for each core
    #[arg(long, env = "TAPROOM_DELIVERY_THREADS", value_name = "NUMBER")]
    pub delivery_threads: Option<NonZeroUsize>,

    /// Seconds that goodbyes may take when the server is told to stop
    #[arg(long, env = "TAPROOM_STOP_SECONDS", default_value_t = 10, value_name = "SECONDS")]
    pub stop_seconds: u64,

    /// What to log: error, warn, info, debug or trace; also per module, as in server=debug
    #[arg(long, env = "TAPROOM_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,
}

impl Cli {
    /// What to do.
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

impl Serve {
    /// What a client must keep to.
    pub fn limits(&self) -> Limits {
        Limits {
            text_bytes: Text::MAX_BYTES,
            frame_bytes: MAX_FRAME_BYTES,
            messages_per_second: self.messages_per_second,
            burst: self.message_burst,
        }
    }

    /// How fast one connection may send.
    pub fn pace(&self) -> Pace {
        let frames = |messages: u32| messages.saturating_mul(FRAMES_PER_MESSAGE).max(FEWEST_FRAMES);
        let bytes = |frames: u32| (u64::from(frames) * BYTES_PER_FRAME).max(MAX_FRAME_BYTES as u64);
        let frames_per_second = self.frames_per_second.unwrap_or(frames(self.messages_per_second));
        let frame_burst = self.frame_burst.unwrap_or(frames(self.message_burst));
        Pace {
            frames_per_second,
            frame_burst,
            bytes_per_second: self.bytes_per_second.unwrap_or(bytes(frames_per_second)),
            byte_burst: self.byte_burst.unwrap_or(bytes(frame_burst)),
        }
    }

    /// Threads that write to sockets.
    pub fn delivery_threads(&self) -> NonZeroUsize {
        self.delivery_threads.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }

    /// How long goodbyes may take.
    pub fn stop_deadline(&self) -> Duration {
        Duration::from_secs(self.stop_seconds)
    }
}

impl Default for Serve {
    fn default() -> Serve {
        Cli::parse_from(["taproom"]).serve
    }
}

fn at_least_one() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..)
}

/// A network, or one address.
fn network(raw: &str) -> Result<IpNet, String> {
    let raw = raw.trim();
    let network = raw.parse().or_else(|_| raw.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| "a proxy is an address or a network, like 127.0.0.1 or 10.0.0.0/8".to_owned())
}

/// An origin is a scheme and a host, with a port where it is not the scheme's own; nothing after it.
fn origin(raw: &str) -> Result<String, String> {
    let origin = raw.trim().trim_end_matches('/').to_ascii_lowercase();
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ', '*']) => Ok(origin),
        _ => Err("an origin looks like https://chat.example.org or http://192.168.1.5:3000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        <Cli as CommandFactory>::command().debug_assert();
    }

    fn served(words: &[&str]) -> Serve {
        match Cli::parse_from(words).into_command() {
            Command::Serve(serve) => serve,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn serve_is_what_happens_when_nothing_is_said() {
        assert_eq!(served(&["taproom", "--listen", "127.0.0.1:0"]).listen, "127.0.0.1:0");
        assert_eq!(served(&["taproom", "serve", "--listen", "127.0.0.1:1"]).listen, "127.0.0.1:1");
    }

    #[test]
    fn a_connection_may_send_twice_what_its_person_may_say_unless_told_otherwise() {
        let few = Pace { frames_per_second: 200, frame_burst: 2_000, bytes_per_second: 819_200, byte_burst: 8_192_000 };
        assert_eq!(Serve::default().pace(), few);
        let strict = served(&["taproom", "--messages-per-second", "1", "--message-burst", "1"]).pace();
        assert_eq!((strict.frames_per_second, strict.frame_burst, strict.byte_burst), (100, 100, 409_600));
        let told = served(&["taproom", "--frames-per-second", "3", "--frame-burst", "4"]).pace();
        assert_eq!((told.frames_per_second, told.frame_burst, told.byte_burst), (3, 4, 65_536), "one frame must fit");
    }

    #[test]
    fn a_proxy_is_an_address_or_a_network() {
        let proxies = served(&["taproom", "--trusted-proxy", "127.0.0.1, 10.0.0.0/8,::1"]).trusted_proxies;
        assert_eq!(
            proxies.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["127.0.0.1/32", "10.0.0.0/8", "::1/128"]
        );
        for bad in ["localhost", "10.0.0.0/40", "", "127.0.0.1:80"] {
            assert!(network(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_origin_is_scheme_and_host() {
        assert_eq!(origin("https://Chat.example.org/"), Ok("https://chat.example.org".to_owned()));
        for bad in ["chat.example.org", "https://", "https://a/b", "ftp://a", "https://u@a", "https://*.a", "null"] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }
}
