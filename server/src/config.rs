//! Every knob: its default, its environment variable, its reason.

use app::protocol::{Limits, MAX_FRAME_BYTES, Text};
use clap::{Args, Parser, Subcommand};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

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
    #[arg(long, env = "TAPROOM_MESSAGES_PER_SECOND", default_value_t = 100, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub messages_per_second: u32,

    /// Messages that one person may send at once after a pause
    #[arg(long, env = "TAPROOM_MESSAGE_BURST", default_value_t = 1_000, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub message_burst: u32,

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
    fn an_origin_is_scheme_and_host() {
        assert_eq!(origin("https://Chat.example.org/"), Ok("https://chat.example.org".to_owned()));
        for bad in ["chat.example.org", "https://", "https://a/b", "ftp://a", "https://u@a", "https://*.a", "null"] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }
}
