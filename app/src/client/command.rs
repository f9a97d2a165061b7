//! What a line in the composer means: words to say, or one of the commands of one table.

use crate::protocol::{Kind, NickName, RoomName, Text, sentence};

/// What the composer is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Say(Text, Kind),
    Nick(NickName),
    Join(RoomName),
    /// Leave this room, or the current one.
    Part(Option<RoomName>),
    Who,
    Help,
}

/// A command: everything that the parser, `/help` and the tests know of it.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) arguments: &'static str,
    pub(crate) help: &'static str,
    read: fn(&str) -> Result<Action, String>,
}

/// All commands, in the order of `/help`.
pub(crate) const COMMANDS: [Command; 7] = [
    Command { name: "nick", arguments: "NAME", help: "be called NAME", read: read_nick },
    Command { name: "me", arguments: "WORDS", help: "say what you are doing", read: read_me },
    Command { name: "join", arguments: "ROOM", help: "go to a room", read: read_join },
    Command { name: "part", arguments: "[ROOM]", help: "leave a room, or this one", read: read_part },
    Command { name: "who", arguments: "", help: "show who is here", read: |_| Ok(Action::Who) },
    Command { name: "help", arguments: "", help: "show this list", read: |_| Ok(Action::Help) },
    Command { name: "shrug", arguments: "[WORDS]", help: "say it with a shrug", read: read_shrug },
];

/// Reads a line, or says in a sentence why nothing can be done with it.
pub(crate) fn read(line: &str) -> Result<Action, String> {
    let Some(rest) = line.strip_prefix('/') else { return say(line, Kind::Speech) };
    if rest.starts_with('/') {
        return say(rest, Kind::Speech);
    }
    let (name, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    match COMMANDS.iter().find(|command| command.name.eq_ignore_ascii_case(name)) {
        Some(command) => (command.read)(arguments.trim()),
        None => Err(["Unknown command /", &shortened(name), ". Try /help."].concat()),
    }
}

/// The list that `/help` shows.
pub(crate) fn help() -> String {
    let line = |command: &Command| {
        let gap = if command.arguments.is_empty() { "" } else { " " };
        ["\n/", command.name, gap, command.arguments, ": ", command.help].concat()
    };
    let mut text = String::from("Commands:");
    text.extend(COMMANDS.iter().map(line));
    text.push_str("\nBegin with // to say something that begins with /.");
    text
}

fn say(words: &str, kind: Kind) -> Result<Action, String> {
    Text::parse(words).map(|text| Action::Say(text, kind)).map_err(|error| sentence(&error.to_string()))
}

fn read_nick(name: &str) -> Result<Action, String> {
    NickName::parse(name).map(Action::Nick).map_err(|error| sentence(&error.to_string()))
}

fn read_me(words: &str) -> Result<Action, String> {
    if words.is_empty() {
        return Err("Say what you are doing: /me waves.".to_owned());
    }
    say(words, Kind::Action)
}

fn read_join(room: &str) -> Result<Action, String> {
    room_name(room).map(Action::Join)
}

fn read_part(room: &str) -> Result<Action, String> {
    if room.is_empty() { Ok(Action::Part(None)) } else { room_name(room).map(|room| Action::Part(Some(room))) }
}

fn read_shrug(words: &str) -> Result<Action, String> {
    const SHRUG: &str = r"¯\_(ツ)_/¯";
    if words.is_empty() { say(SHRUG, Kind::Speech) } else { say(&[words, " ", SHRUG].concat(), Kind::Speech) }
}

/// Reads a room's name as people write it, with or without the # before it.
pub(crate) fn room_name(room: &str) -> Result<RoomName, String> {
    RoomName::parse(room.trim().trim_start_matches('#')).map_err(|error| sentence(&error.to_string()))
}

fn shortened(name: &str) -> String {
    name.chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, kind: Kind) -> Result<Action, String> {
        Ok(Action::Say(Text::parse(text).expect("a text"), kind))
    }

    #[test]
    fn words_are_said_and_commands_are_done() {
        assert_eq!(read("hello /me"), said("hello /me", Kind::Speech));
        assert_eq!(read("/me waves"), said("waves", Kind::Action));
        assert_eq!(read("/NICK  ada "), Ok(Action::Nick(NickName::parse("ada").expect("a name"))));
        assert_eq!(read("/join #lounge"), Ok(Action::Join(RoomName::parse("lounge").expect("a room"))));
        assert_eq!(read("/part"), Ok(Action::Part(None)));
        assert_eq!(read("/who"), Ok(Action::Who));
        assert_eq!(read("/shrug"), said(r"¯\_(ツ)_/¯", Kind::Speech));
        assert_eq!(read("/shrug who knows"), said(r"who knows ¯\_(ツ)_/¯", Kind::Speech));
    }

    #[test]
    fn two_slashes_say_one() {
        assert_eq!(read("//help is a command"), said("/help is a command", Kind::Speech));
    }

    #[test]
    fn what_is_no_command_is_not_sent() {
        assert_eq!(read("/frob x"), Err("Unknown command /frob. Try /help.".to_owned()));
        assert_eq!(read("/"), Err("Unknown command /. Try /help.".to_owned()));
        assert!(read("/nick").is_err_and(|error| error.starts_with("A nickname needs")));
        assert!(read("/me").is_err());
        assert!(read("/join").is_err_and(|error| error.starts_with("A room name needs")));
        assert_eq!(read("  "), Err("A message needs at least one visible character.".to_owned()));
    }

    #[test]
    fn every_command_is_read_and_is_in_the_help() {
        for command in &COMMANDS {
            let argument = if command.arguments.is_empty() { "" } else { " x" };
            assert!(read(&["/", command.name, argument].concat()).is_ok(), "/{}", command.name);
            assert!(help().contains(&["\n/", command.name].concat()), "/{}", command.name);
            assert!(help().contains(command.help), "/{}", command.name);
        }
    }
}
