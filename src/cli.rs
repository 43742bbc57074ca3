//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::dump::Date;
use crate::set::SetName;

/// Turns a small YAML file into a running testbed of rootless podman containers, and back into nothing.
#[derive(Debug, Parser)]
#[command(name = "podfarm", version, propagate_version = true)]
pub struct Cli {
    /// Say nothing but results and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build, create and start sets, and wait until every wiki answers
    Up(Up),
    /// Stop and destroy sets
    Down(Changing),
    /// Build the images and fetch the sources that sets need
    Build(Changing),
    /// Create sets, without starting them: import their wikis, make their containers
    Create(Changing),
    /// Start sets that were created
    Start(Up),
    /// Stop sets, keeping their data
    Stop(Changing),
    /// Remove sets with all their data
    Destroy(Changing),
    /// Destroy sets, and remove the images that no other set uses
    Remove(Changing),
    /// Bring sets back to the state just after `create`: drops the edits and the dumps
    Reset(Up),
    /// List the sets there are files of, and those that exist
    List(Listing),
    /// Show each member's state, addresses and urls
    Status(Status),
    /// Show what `up` would do, and why
    Plan(Plan),
    /// Dump wikis on the set's snapshot hosts
    Dump(Dump),
    /// Open a wiki in the browser
    Open(Open),
    /// Show a member's logs
    Logs(Logs),
    /// Open a shell in a member
    Shell(Shell),
    /// Run a command in a member
    Exec(Exec),
    /// Copy files into or out of a member
    Cp(Cp),
    /// Print ssh configuration for sets, to be used with Include or -F
    SshConfig(SshConfig),
    /// Whether this machine is ready, and what mends it
    Doctor(Doctor),
    /// Names of sets on this host, such as demo-mw.demo.lan
    #[command(subcommand)]
    Hostdns(Hostdns),
    /// Write a new set file with every key explained
    Init(Init),
    /// Print a completion script for a shell
    Completions { shell: clap_complete::Shell },
}

#[derive(Debug, Args)]
pub struct Sets {
    /// The sets' names
    #[arg(required = true, value_name = "SET")]
    pub sets: Vec<SetName>,
}

#[derive(Debug, Args)]
pub struct Changing {
    #[command(flatten)]
    pub sets: Sets,
    /// Print the commands instead of running them
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct Up {
    #[command(flatten)]
    pub changing: Changing,
    /// Give up when a member has not answered for this many seconds
    #[arg(long, default_value_t = 180, value_name = "SECONDS")]
    pub timeout: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Args)]
pub struct Listing {
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Status {
    /// The sets' names; all that exist, if none is given
    #[arg(value_name = "SET")]
    pub sets: Vec<SetName>,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    pub sets: Sets,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Dump {
    pub set: SetName,
    /// The wikis; all, if none is given
    #[arg(value_name = "WIKI")]
    pub wikis: Vec<String>,
    /// Some jobs only, separated by commas, such as xmlstubsdump,articlesdump; they are done again if they are done already
    #[arg(long, value_name = "JOB", value_delimiter = ',')]
    pub job: Vec<String>,
    /// The run's name; today (UTC), if not given
    #[arg(long, value_name = "YYYYMMDD")]
    pub date: Option<Date>,
    /// On this one of the snapshot hosts only
    #[arg(long, value_name = "N")]
    pub snapshot: Option<u16>,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Open {
    pub set: SetName,
    /// The wiki; the set's first, if none is given
    pub wiki: Option<String>,
}

#[derive(Debug, Args)]
pub struct Logs {
    pub set: SetName,
    /// The member; all members, if none is given
    pub member: Option<String>,
    /// One of the member's logs, such as `error`; `console` is what its main process says
    pub log: Option<String>,
    /// Go on showing what is added
    #[arg(long, short)]
    pub follow: bool,
    /// How many of the last lines of each log
    #[arg(long, short = 'n', default_value_t = 100, value_name = "LINES")]
    pub lines: u32,
}

#[derive(Debug, Args)]
pub struct Shell {
    pub set: SetName,
    /// The member; the first snapshot host, if none is given
    pub member: Option<String>,
}

#[derive(Debug, Args)]
pub struct Exec {
    pub set: SetName,
    pub member: String,
    /// As this user inside
    #[arg(long, short)]
    pub user: Option<String>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Cp {
    pub set: SetName,
    /// A path here, or MEMBER:PATH
    pub from: String,
    /// A path here, or MEMBER:PATH
    pub to: String,
}

#[derive(Debug, Args)]
pub struct SshConfig {
    /// The sets' names; all that exist, if none is given
    #[arg(value_name = "SET")]
    pub sets: Vec<SetName>,
}

#[derive(Debug, Args)]
pub struct Init {
    /// The new set's name
    pub name: SetName,
    /// Where to write it; sets/NAME.yaml, if not given
    #[arg(long, short)]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// Mend what can be mended without root
    #[arg(long)]
    pub fix: bool,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Debug, Subcommand)]
pub enum Hostdns {
    /// Put in what is missing; each piece is asked for, and what root does is shown
    Install(HostdnsInstall),
    /// Take all of it away
    Remove(HostdnsRemove),
    /// Which pieces are there, and whether each works
    Status(Listing),
}

#[derive(Debug, Args)]
pub struct HostdnsInstall {
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Leave ports under 1024 to root
    #[arg(long)]
    pub no_ports: bool,
    /// Leave ~/.ssh/config as it is
    #[arg(long)]
    pub no_ssh: bool,
}

#[derive(Debug, Args)]
pub struct HostdnsRemove {
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}
