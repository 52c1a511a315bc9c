//! Serves one directory to every address, for tests with other clients: `serve DIRECTORY NAME PORT [none|root|all]`.
//! What lives here: an export in a few lines. What does not: anything for daily use; a store has policies and an end.

use std::net::TcpListener;
use std::process::ExitCode;

use nfs::{Cidr, Export, ExportPolicy, Exports, HandleKey, Server, ServerOptions, Squash};

fn serve(
    directory: &str,
    name: &str,
    port: &str,
    squash: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    let exports = Exports::new();
    exports.add(Export {
        name: name.to_owned(),
        directory: directory.into(),
        id: 1,
        policy: ExportPolicy {
            allowed: vec![Cidr::ALL],
            squash: squash.parse::<Squash>()?,
            ..ExportPolicy::default()
        },
        quota_bytes: None,
    })?;
    let listener = TcpListener::bind(("0.0.0.0", port.parse()?))?;
    // A key that everybody knows, so that handles survive a restart; a store keeps one of its own in a file.
    let options = ServerOptions::new(HandleKey::from_bytes([1; 32]));
    let server = Server::start(listener, exports, options)?;
    println!("{directory} is {name} on {}", server.local_address());
    loop {
        std::thread::park();
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let served = match arguments.iter().map(String::as_str).collect::<Vec<&str>>()[..] {
        [directory, name, port] => serve(directory, name, port, "none"),
        [directory, name, port, squash] => serve(directory, name, port, squash),
        _ => {
            eprintln!(
                "usage: serve DIRECTORY NAME PORT [none|root|all]; for example: serve /srv/backup /backup 2049"
            );
            return ExitCode::from(2);
        }
    };
    if let Err(error) = served {
        eprintln!("{error}");
        let mut source = error.source();
        while let Some(cause) = source {
            eprintln!("  because: {cause}");
            source = cause.source();
        }
    }
    ExitCode::FAILURE
}
