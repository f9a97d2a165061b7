//! Other programs: how they are started, and what is said when they fail.

use crate::{tally::Tally, workspace::Workspace};
use anyhow::{Context, Result, bail};
use std::{
    env,
    ffi::{OsStr, OsString},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Starts programs at the top of the checkout, with cargo's and npm's installed programs in reach.
pub(crate) struct Shell {
    root: PathBuf,
    path: OsString,
}

impl Shell {
    /// A shell for a checkout.
    pub(crate) fn new(workspace: &Workspace) -> Shell {
        let mut folders = vec![workspace.npm_programs()];
        folders.extend(cargo_home().map(|home| home.join("bin")));
        let inherited = env::var_os("PATH").unwrap_or_default();
        folders.extend(env::split_paths(&inherited));
        Shell { root: workspace.root().into(), path: env::join_paths(folders).unwrap_or(inherited) }
    }

    /// A program, to be given arguments and run.
    pub(crate) fn program(&self, program: impl AsRef<OsStr>) -> Program {
        let mut command = Command::new(program.as_ref());
        command.current_dir(&self.root).env("PATH", &self.path).stdin(Stdio::null());
        Program { command, shown: program.as_ref().to_string_lossy().into_owned() }
    }

    /// The cargo that started this program, in the pinned toolchain.
    pub(crate) fn cargo(&self) -> Program {
        let mut cargo = self.program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.shown = "cargo".into();
        cargo
    }

    /// Where a program lies, when it is in reach.
    pub(crate) fn which(&self, program: &str) -> Option<PathBuf> {
        env::split_paths(&self.path).map(|folder| folder.join(program)).find(|file| file.is_file())
    }
}

fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))
}

/// A program about to be run.
pub(crate) struct Program {
    command: Command,
    shown: String,
}

impl Program {
    /// One more argument.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Program {
        self.shown.push(' ');
        self.shown.push_str(&arg.as_ref().to_string_lossy());
        self.command.arg(arg);
        self
    }

    /// More arguments.
    pub(crate) fn args(self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Program {
        args.into_iter().fold(self, Program::arg)
    }

    /// A variable in the program's environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Program {
        self.command.env(name, value);
        self
    }

    /// Another folder than the top of the checkout.
    pub(crate) fn folder(mut self, folder: &Path) -> Program {
        self.command.current_dir(folder);
        self
    }

    /// Says what is run, runs it, and fails when it fails.
    pub(crate) fn run(mut self) -> Result<()> {
        println!("$ {}", self.shown);
        let status = self.command.status().with_context(|| format!("start `{}`", self.shown))?;
        if !status.success() {
            bail!("`{}` failed ({status}); what it says above tells why", self.shown);
        }
        Ok(())
    }

    /// Like [`run`](Self::run), and counts the tests that it says it ran.
    pub(crate) fn run_tests(mut self) -> Result<Tally> {
        println!("$ {}", self.shown);
        let mut child =
            self.command.stdout(Stdio::piped()).spawn().with_context(|| format!("start `{}`", self.shown))?;
        let output = child.stdout.take().expect("stdout was piped on the line above");
        let mut tally = Tally::default();
        for line in BufReader::new(output).split(b'\n') {
            let line = line.with_context(|| format!("read what `{}` prints", self.shown))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            tally.read(&line);
        }
        let status = child.wait().with_context(|| format!("wait for `{}`", self.shown))?;
        if !status.success() {
            bail!("`{}` failed ({status}); what it says above tells why", self.shown);
        }
        Ok(tally)
    }

    /// What the program prints, or nothing when it is not there or fails. Says nothing.
    pub(crate) fn answer(mut self) -> Option<String> {
        let output = self.command.stderr(Stdio::null()).output().ok()?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(said)
    }

    /// Turns this process into the program, so that signals reach it alone. Returns only when that fails.
    pub(crate) fn become_it(mut self) -> anyhow::Error {
        use std::os::unix::process::CommandExt;
        println!("$ {}", self.shown);
        let error = self.command.stdin(Stdio::inherit()).exec();
        anyhow::Error::from(error).context(format!("start `{}`", self.shown))
    }
}
