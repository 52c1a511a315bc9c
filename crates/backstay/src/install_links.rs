//! `backstay install-links`: the tools under their own names.
//! What lives here: making the links. What does not: `sqlplus` of a practice database, which `practice create` links.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::said::{fail, say};

/// The tools on a database host.
pub const TOOLS: [&str; 4] = ["brbackup", "brarchive", "brrestore", "brrecover"];

/// Make links brbackup, brarchive, brrestore and brrecover to this program
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Example: backstay install-links /usr/sap/SND/SYS/exe/run\n\n\
                        A link that is there is replaced; a file that is no link is left alone and reported.\n\n\
                        Exit status: 0 all links are there, 1 one could not be made."
)]
pub struct Arguments {
    /// Directory for the links; made if it is missing
    dir: PathBuf,
}

/// Makes the links.
pub fn run(arguments: &Arguments) -> ExitCode {
    match links(&arguments.dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, error),
    }
}

fn links(directory: &Path) -> Result<(), LinkError> {
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| LinkError::Io { path, source }
    };
    std::fs::create_dir_all(directory).map_err(io(directory))?;
    let program = own_program()?;
    for name in TOOLS {
        let path = directory.join(name);
        link(&program, &path)?;
        say(format!("{} -> {}", path.display(), program.display()));
    }
    Ok(())
}

/// Why a link could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The operating system refuses.
    #[error("cannot make {}: {source}", path.display())]
    Io {
        /// Of what.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something else has the name.
    #[error("{} is there and is no link. HINT: move it away, or choose another directory", .0.display())]
    Occupied(PathBuf),
}

/// The running executable, past any link.
pub fn own_program() -> Result<PathBuf, LinkError> {
    std::env::current_exe().map_err(|source| LinkError::Io {
        path: PathBuf::from("/proc/self/exe"),
        source,
    })
}

/// Makes a link, replacing one that is there.
pub fn link(program: &Path, path: &Path) -> Result<(), LinkError> {
    let io = |source| LinkError::Io {
        path: path.to_path_buf(),
        source,
    };
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.is_symlink() => return Err(LinkError::Occupied(path.to_path_buf())),
        Ok(_) => std::fs::remove_file(path).map_err(io)?,
        Err(_) => {}
    }
    std::os::unix::fs::symlink(program, path).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_replaced_and_files_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("brbackup");
        link(Path::new("/first"), &path).unwrap();
        link(Path::new("/second"), &path).unwrap();
        assert_eq!(std::fs::read_link(&path).unwrap(), Path::new("/second"));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);

        let file = directory.path().join("brarchive");
        std::fs::write(&file, "somebody's").unwrap();
        assert!(matches!(
            link(Path::new("/x"), &file),
            Err(LinkError::Occupied(_))
        ));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "somebody's");
    }
}
