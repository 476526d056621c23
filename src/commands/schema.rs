//! `schema`: the envelope's schema, and what a registry says of it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anstream::{print, println};
use anyhow::Result;
use clap::{Args, Subcommand};

use crate::avro;
use crate::exit::Exit;
use crate::registry::{self, Client, RegistryError, Standing};
use crate::settings::{SchemaRegistry, Settings};

#[derive(Debug, Args)]
pub struct Schema {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the schema of this build
    Print,
    /// Print its fingerprint, CRC-64-AVRO, by which values in single-object encoding name it
    Fingerprint,
    /// Say whether it is compatible with what the registry has under each subject
    Check(Of),
    /// Register it under each subject
    Register(Of),
}

#[derive(Debug, Args)]
struct Of {
    /// Settings file
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
}

impl Schema {
    /// # Errors
    /// A fault of the program.
    pub fn run(&self) -> Result<Exit> {
        match &self.command {
            Command::Print => print!("{}", avro::SCHEMA_TEXT),
            Command::Fingerprint => println!("{}", avro::fingerprint()?),
            Command::Check(of) => return Ok(of.each(check)),
            Command::Register(of) => return Ok(of.each(register)),
        }
        Ok(Exit::Success)
    }
}

impl Of {
    /// Does something for every subject of the settings. The first that fails ends it, since the others would fail alike.
    fn each(&self, act: impl Fn(&Client, &str) -> Result<Exit, RegistryError>) -> Exit {
        let settings = match Settings::read(self.settings.as_deref()) {
            Ok(settings) => settings,
            Err(error) => {
                eprintln!("error: {error:#}");
                return Exit::Settings;
            }
        };
        let Some(registry) = &settings.schema_registry else {
            eprintln!("error: schema_registry.url is missing: values are framed in Avro single-object encoding");
            return Exit::Settings;
        };
        let subjects: BTreeSet<_> = registry::subjects(&settings, registry).into_values().collect();
        let act_on_all = || {
            let client = Client::new(registry)?;
            subjects.iter().try_fold(Exit::Success, |exit, subject| match act(&client, subject)? {
                Exit::Success => Ok(exit),
                failure => Ok(failure),
            })
        };
        act_on_all().unwrap_or_else(|error: RegistryError| fail(&error))
    }
}

fn check(client: &Client, subject: &str) -> Result<Exit, RegistryError> {
    let standing = client.standing(subject)?;
    println!("{subject}: {standing}");
    Ok(if matches!(standing, Standing::Incompatible(_)) { Exit::Failure } else { Exit::Success })
}

fn register(client: &Client, subject: &str) -> Result<Exit, RegistryError> {
    let id = client.register(subject)?;
    println!("{subject}: registered, id {id}");
    Ok(Exit::Success)
}

/// Says what is wrong, and gives the exit code for it.
fn fail(error: &RegistryError) -> Exit {
    eprintln!("error: {error}");
    match error {
        RegistryError::Unreachable(_) | RegistryError::Refused(_) => Exit::Failure,
        RegistryError::NoPermission(_) => Exit::NoPermission,
        RegistryError::NotRegistered(_) => Exit::Settings,
    }
}

/// For `check`: whether `run` would find its ids.
pub(super) fn look(settings: &Settings, registry: &SchemaRegistry) -> Exit {
    look_up(settings, registry).unwrap_or_else(|error| fail(&error))
}

fn look_up(settings: &Settings, registry: &SchemaRegistry) -> Result<Exit, RegistryError> {
    let client = Client::new(registry)?;
    let subjects: BTreeSet<_> = registry::subjects(settings, registry).into_values().collect();
    if let Some(id) = registry.schema_id {
        if !avro::is_same_schema(&client.schema(id)?) {
            eprintln!("error: schema_registry.schema_id: the registry has another schema than this build's under the id {id}");
            return Ok(Exit::Settings);
        }
        println!("schema registry: the id {id} is this build's schema");
        return Ok(Exit::Success);
    }
    let mut exit = Exit::Success;
    let mut registered = 0;
    for subject in &subjects {
        match client.standing(subject)? {
            Standing::Registered(_) => registered += 1,
            Standing::Compatible if registry.register => {}
            Standing::Compatible => return Err(RegistryError::NotRegistered(subject.clone())),
            Standing::Incompatible(reason) => {
                eprintln!("error: {subject}: this build's schema is incompatible: {reason}");
                exit = Exit::Failure;
            }
        }
    }
    println!("schema registry: {registered} of {} subjects have this build's schema", subjects.len());
    Ok(exit)
}
