//! `backstay store serve`: runs a store until it is told to end.
//! What lives here: options over the configuration file, and what is said at the start. What does not: the store.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use ::store::config::{Config, ConfigError, LogForm};
use ::store::{Addresses, serve};
use clap::Args;

/// Run a store in the foreground, until SIGTERM or Ctrl-C
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay store serve --dir /var/lib/backstay\n  backstay store serve --config /etc/backstay/backstay.toml\n  \
                  backstay store serve --dir /srv/store --listen 0.0.0.0:9090 --nfs-listen 0.0.0.0:2049\n  \
                  backstay store serve --dir /srv/store --repository s3:https://s3.example.com/backups\n\n\
                  The NFS server needs root, or CAP_DAC_READ_SEARCH, CAP_SETUID and CAP_SETGID.\n\n\
                  Exit status: 0 ended as asked, 1 could not be started, 2 wrong command line or configuration."
)]
pub struct Arguments {
    /// Configuration file; packaging/backstay.toml explains every key
    #[arg(long, value_name = "FILE", required_unless_present = "dir")]
    config: Option<PathBuf>,
    /// Directory of the store; made if it is not there
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Address of the API that backup scripts call [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Address of the NFS server [default: 127.0.0.1:2049]
    #[arg(long, value_name = "ADDRESS:PORT")]
    nfs_listen: Option<SocketAddr>,
    /// Address of the administration API [default: 127.0.0.1:9443]
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin_listen: Option<SocketAddr>,
    /// Where recovery points go: a directory, or s3:https://HOST/BUCKET[/PREFIX] [default: DIR/repository]
    #[arg(long, value_name = "PLACE")]
    repository: Option<String>,
    /// Leave snapshots as they are: no recovery points are made
    #[arg(long)]
    no_ingest: bool,
    /// Write the log as JSON, a line an entry
    #[arg(long)]
    log_json: bool,
}

/// Runs the store.
pub fn run(arguments: &Arguments) -> ExitCode {
    let config = match configuration(arguments) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("backstay: {error}");
            return ExitCode::from(2);
        }
    };
    match serve(&config, announce) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("backstay: {error}");
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                eprintln!("  because: {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn configuration(arguments: &Arguments) -> Result<Config, ConfigError> {
    let mut config = match (&arguments.config, &arguments.dir) {
        (Some(file), _) => Config::read(file)?,
        (None, dir) => Config::of_directory(dir.as_deref().unwrap_or(".".as_ref())),
    };
    if let Some(dir) = &arguments.dir {
        config.dir.clone_from(dir);
    }
    config.listen = arguments.listen.unwrap_or(config.listen);
    config.nfs_listen = arguments.nfs_listen.unwrap_or(config.nfs_listen);
    config.admin_listen = arguments.admin_listen.unwrap_or(config.admin_listen);
    if let Some(repository) = &arguments.repository {
        config.repository.clone_from(repository);
    }
    config.ingest &= !arguments.no_ingest;
    if arguments.log_json {
        config.log_form = LogForm::Json;
    }
    Ok(config)
}

fn announce(addresses: &Addresses) {
    println!("The store in {} is open.", addresses.directory.display());
    println!(
        "  backup API      http://{}/druva-phoenix/v1/",
        addresses.api
    );
    match &addresses.nfs {
        Some(nfs) => println!("  NFS             {nfs}"),
        None => println!("  NFS             by the kernel"),
    }
    println!("  administration  https://{}/v1/", addresses.admin);
    println!(
        "Next: backstay mount create NAME --store-dir {}",
        addresses.directory.display()
    );
}
