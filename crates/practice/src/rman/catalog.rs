//! CATALOG: files that lie somewhere become backups of this database.
//! What lives here: searching, asking, and what is said. What does not: recognising files (`engine`).

use std::path::PathBuf;

use super::command::Catalog;
use super::failure::{Failure, Outcome};
use super::feed::Feed;
use super::numbers;
use super::session::Session;
use crate::engine::backup::{Done, Order};
use crate::engine::error::OraError;

impl Session {
    /// CATALOG.
    pub(super) fn catalog(&mut self, catalog: Catalog, feed: &mut Feed) -> Outcome<()> {
        match catalog {
            Catalog::StartWith { prefix, prompt } => self.catalog_all(prefix, prompt, feed),
            Catalog::Files(files) => self.catalog_files(&files),
        }
    }

    fn catalog_all(&mut self, prefix: PathBuf, prompt: bool, feed: &mut Feed) -> Outcome<()> {
        self.control()?;
        self.say_repository();
        self.log.plain("");
        let shown = prefix.display().to_string();
        self.log.say(
            numbers::OBJECTS,
            format!("searching for all files that match the pattern {shown}"),
        );
        let Done::Files(files) = self.order(Order::Search(prefix))? else {
            return Ok(());
        };
        if files.is_empty() {
            self.log.say(
                numbers::OBJECTS,
                "no files found to be unknown to the database",
            );
            return Ok(());
        }
        self.say_list("List of Files Unknown to the Database", &files, &[]);
        if prompt
            && !self.is_confirmed(
                "Do you really want to catalog the above files (enter YES or NO)? ",
                feed,
            )
        {
            return Ok(());
        }
        self.log.say(numbers::OBJECTS, "cataloging files...");
        let (mut done, mut refused, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
        for file in files {
            match self.target()?.order(Order::Catalog(file.clone())) {
                Ok(_) => done.push(file),
                Err(error) if is_reason(&error) => {
                    refused.push(file);
                    reasons.push(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.log.say(numbers::OBJECTS, "cataloging done");
        if !done.is_empty() {
            self.say_list("List of Cataloged Files", &done, &[]);
        }
        if !refused.is_empty() {
            self.say_list("List of Files Which Were Not Cataloged", &refused, &reasons);
        }
        Ok(())
    }

    /// A list under its heading; with reasons, one below each file.
    fn say_list(&self, heading: &str, files: &[PathBuf], reasons: &[OraError]) {
        self.log.plain("");
        self.log.say(numbers::LISTED, heading);
        self.log.say(numbers::LISTED, "=".repeat(heading.len()));
        for (index, file) in files.iter().enumerate() {
            self.log
                .say(numbers::LISTED, format!("File Name: {}", file.display()));
            if let Some(line) = reasons.get(index).and_then(|error| error.lines.first()) {
                self.log
                    .plain(&format!("  RMAN-{:05}: {}", line.code, line.text));
            }
        }
        self.log.plain("");
    }

    fn catalog_files(&mut self, files: &[PathBuf]) -> Outcome<()> {
        self.control()?;
        self.say_repository();
        for file in files {
            if let Err(error) = self.target()?.order(Order::Catalog(file.clone())) {
                let failed = Failure::new(6462, format!("cannot catalog {}", file.display()));
                return Err(match error.lines.first() {
                    Some(line) if is_reason(&error) => failed.and(line.code, &line.text),
                    _ => failed.and_all(error.into()),
                });
            }
            self.log.say(
                numbers::CATALOGED,
                format!("cataloged file {}", file.display()),
            );
        }
        Ok(())
    }

    /// Asks; anything but YES is no.
    pub(super) fn is_confirmed(&mut self, question: &str, feed: &mut Feed) -> bool {
        self.log.plain("");
        self.log.part(question);
        let answer = feed.answer().unwrap_or_default();
        self.log.plain("");
        let answer = answer.trim().trim_end_matches(';').to_uppercase();
        answer == "YES" || answer == "Y"
    }
}

/// RMAN-07517 and RMAN-07518: why a file is none.
fn is_reason(error: &OraError) -> bool {
    matches!(error.code(), 7517 | 7518)
}
