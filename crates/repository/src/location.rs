//! Where a repository is, as one line of text.
//! What lives here: reading and showing it. What does not: going there (backend).

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A place for a repository: a directory, or `s3:https://HOST[:PORT]/BUCKET[/PREFIX]` as restic writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A directory.
    Local(PathBuf),
    /// A part of a bucket.
    S3(Bucket),
}

/// A bucket of an S3-compatible server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// `https://HOST[:PORT]`, or `http://…`.
    pub endpoint: String,
    /// The bucket's name.
    pub name: String,
    /// What names of objects begin with; empty or without a slash at its ends.
    pub prefix: String,
    /// The region that requests are signed for.
    pub region: Option<String>,
}

/// A text that names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} names no place for a repository. HINT: give a directory, or s3:https://HOST/BUCKET[/PREFIX]"
)]
pub struct NoLocation(String);

impl Location {
    /// A directory.
    pub fn local(path: &Path) -> Location {
        Location::Local(path.to_owned())
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text != "."
        && text != ".."
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

impl FromStr for Location {
    type Err = NoLocation;

    fn from_str(text: &str) -> Result<Location, NoLocation> {
        let none = || NoLocation(text.to_owned());
        let Some(url) = text.strip_prefix("s3:") else {
            return if text.is_empty() || text.contains('\0') {
                Err(none())
            } else {
                Ok(Location::Local(PathBuf::from(text)))
            };
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(none)?;
        if scheme != "https" && scheme != "http" {
            return Err(none());
        }
        let mut parts = rest.trim_end_matches('/').split('/');
        let host = parts
            .next()
            .filter(|host| !host.is_empty())
            .ok_or_else(none)?;
        if !host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
        {
            return Err(none());
        }
        let name = parts.next().filter(|name| is_name(name)).ok_or_else(none)?;
        let prefix: Vec<&str> = parts.collect();
        if !prefix.iter().all(|part| is_name(part)) {
            return Err(none());
        }
        Ok(Location::S3(Bucket {
            endpoint: format!("{scheme}://{host}"),
            name: name.to_owned(),
            prefix: prefix.join("/"),
            region: None,
        }))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Local(path) => write!(formatter, "{}", path.display()),
            Location::S3(bucket) if bucket.prefix.is_empty() => {
                write!(formatter, "s3:{}/{}", bucket.endpoint, bucket.name)
            }
            Location::S3(bucket) => write!(
                formatter,
                "s3:{}/{}/{}",
                bucket.endpoint, bucket.name, bucket.prefix
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_restic_writes_them() {
        for text in [
            "/srv/repository",
            "s3:https://s3.example.com/bucket",
            "s3:http://127.0.0.1:9000/b/a/c",
        ] {
            assert_eq!(text.parse::<Location>().unwrap().to_string(), text);
        }
        assert!(matches!("relative".parse(), Ok(Location::Local(_))));
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for text in [
            "",
            "s3:bucket",
            "s3:ftp://host/bucket",
            "s3:https://host",
            "s3:https:///bucket",
            "s3:https://host/../bucket",
            "s3:https://user@host/bucket",
            "s3:https://host/bucket/a//b",
            "s3:https://host/bucket/..",
            "s3:https://host/bucket?x",
        ] {
            assert!(text.parse::<Location>().is_err(), "{text}");
        }
    }
}
