//! brarchive to tape: saved, read back, deleted; behind brbackup on one volume; two drives; a drive that lies.
//! What lives here: what happens to redo logs and their volumes. What does not: brbackup's tapes (`brbackup_tape`).

mod brbackup_world;
mod practice_database;
mod tape_world;

use std::fs;
use std::path::PathBuf;

use tape_world::Site;

fn logs(site: &Site) -> Vec<PathBuf> {
    let mut logs: Vec<PathBuf> = site
        .world
        .files_below("saparch")
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "dbf"))
        .collect();
    logs.sort();
    logs
}

fn switch(site: &Site, times: usize) {
    for _ in 0..times {
        site.world
            .database
            .must("alter system archive log current;");
    }
}

fn label(site: &Site, cartridge: &str, volume: &str) {
    site.load(cartridge);
    site.run("brarchive", &["-i", "force", "-v", volume, "-c"])
        .must_end_with(1);
}

#[test]
fn logs_go_to_tape_come_back_from_it_and_only_then_are_deleted() {
    let site = Site::new("");
    label(&site, "a", "SCRATCH");
    switch(&site, 3);
    let originals: Vec<(PathBuf, Vec<u8>)> = logs(&site)
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    assert!(originals.len() >= 3);
    let said = site.run_as_40b("brarchive", &["-c"]);
    said.must_end_with(0);
    let drive = site.text("drive");
    let saved = Site::saved(&said);
    assert_eq!(saved.len(), originals.len());
    for (index, ((path, content), (original, name, place))) in
        originals.iter().zip(&saved).enumerate()
    {
        let position = u32::try_from(index).unwrap() + 4;
        assert_eq!(
            (path, place.as_str()),
            (original, format!("SNDA01/{position}").as_str())
        );
        let mut lines = said.text.lines();
        for line in [
            format!("BR202I Saving {}", path.display()),
            format!("BR203I to {drive} ..."),
            format!("#ARCHIVE.. {}", path.display()),
            format!("#SAVED.... {name} SNDA01/{position}"),
            format!("BR015I Offline redo log file {} deleted.", path.display()),
        ] {
            assert!(
                lines.any(|found| found == line),
                "'{line}' is missing or too early:\n{}",
                said.text
            );
        }
        assert!(!path.exists());
        assert!(site.cpio("a", position, name) == *content);
    }
    let summary = fs::read_to_string(site.path("saparch/archSND.log")).unwrap();
    assert!(
        summary.contains(" svd #SNDA01/4 ") && !summary.contains("#UNREAD"),
        "{summary}"
    );
    let last = 4 + u32::try_from(saved.len()).unwrap();
    let on_tape = String::from_utf8(site.cpio("a", last + 2, "archSND.log")).unwrap();
    assert!(on_tape.contains(" svd #SNDA01/4 "));
    site.run("brarchive", &["-c"])
        .must_end_with(1)
        .must_say("BR0013W");
    // The next volume in the circle is wanted; this one is locked.
    switch(&site, 1);
    site.run("brarchive", &["-c"])
        .must_end_with(5)
        .must_say("SNDA02 is required");
    assert_eq!(logs(&site).len(), 1);
}

#[test]
fn brbackup_and_brarchive_share_one_volume() {
    let site = Site::new("");
    site.label("a", "SNDB01");
    let said = site.run("brbackup", &["-c", "-a", "-sd", "-c"]);
    said.must_end_with(0);
    let saved = Site::saved(&said);
    let (first, _, place) = saved
        .iter()
        .find(|(path, _, _)| path.starts_with(site.path("saparch")))
        .unwrap();
    assert_eq!(*place, format!("SNDB01/{}", 4 + 7 + 2), "{}", said.text);
    assert!(!first.exists());
    for (index, (_, name, place)) in saved.iter().enumerate() {
        let position = 4 + u32::try_from(index).unwrap();
        assert_eq!(*place, format!("SNDB01/{position}"));
        site.cpio("a", position, name);
    }
    let trailer = 4 + u32::try_from(saved.len()).unwrap();
    site.cpio("a", trailer + 1, &format!("{}.ant", said.id()));
    for name in ["backSND.log", "archSND.log"] {
        site.cpio("a", trailer + 2, name);
    }
    assert!(!site.path("a").join(format!("{:04}", trailer + 3)).exists());
}

#[test]
fn without_a_log_to_save_the_shared_volume_gets_its_trailer_all_the_same() {
    let site = Site::new("");
    site.label("a", "SNDB01");
    let said = site.run("brbackup", &["-m", "system", "-c", "-a", "-dc", "-c"]);
    said.must_end_with(1).must_say("BR0013W");
    site.cpio("a", 4 + 3 + 2, "backSND.log");
}

#[test]
fn a_log_that_does_not_come_back_is_not_deleted_and_counts_as_unsaved() {
    let site = Site::new("");
    label(&site, "a", "SNDA01");
    switch(&site, 2);
    let before = logs(&site);
    let arguments = ["-sd", "-c", "-p", site.profile.as_str()];
    let running = site
        .world
        .stopped_at("brarchive", &arguments, "after-trailer");
    let tape = site.path("a/0004");
    let mut bytes = fs::read(&tape).unwrap();
    bytes[300] ^= 0x10;
    fs::write(&tape, bytes).unwrap();
    running
        .go_on()
        .must_end_with(5)
        .must_say("BR9013E Stored copy SNDA01/4");
    assert_eq!(logs(&site), before[..1]);
    label(&site, "b", "SNDA02");
    site.run("brarchive", &["-sd", "-c"]).must_end_with(0);
    assert!(logs(&site).is_empty());
}

#[test]
fn a_killed_run_leaves_its_logs_unsaved_and_its_volume_locked() {
    for place in [
        "archive-inside-copy",
        "archive-before-summary",
        "archive-between-logs@2",
        "after-trailer",
        "archive-before-delete",
        "archive-after-delete",
    ] {
        let site = Site::new("");
        label(&site, "a", "SNDA01");
        switch(&site, 3);
        let count = logs(&site).len();
        let arguments = ["-sd", "-c", "-p", site.profile.as_str()];
        site.world
            .tool_at("brarchive", &arguments, place)
            .must_be_killed();
        assert!(logs(&site).len() >= count - 1, "{place}");
        label(&site, "b", "SNDA02");
        let said = site.run("brarchive", &["-sd", "-c", "-v", "SNDA02"]);
        said.must_end_with(0);
        assert!(logs(&site).is_empty(), "{place}: {}", said.text);
        let summary = fs::read_to_string(site.path("saparch/archSND.log")).unwrap();
        // What was killed between the deletion and its mark has a good copy and no mark.
        let marks = if place == "archive-after-delete" {
            count - 1
        } else {
            count
        };
        assert_eq!(
            summary.matches("#ARCHIVE").count(),
            count,
            "{place}: {summary}"
        );
        assert_eq!(
            summary.matches("#DELETED").count(),
            marks,
            "{place}: {summary}"
        );
        assert!(!summary.contains("#UNREAD"), "{place}: {summary}");
    }
}

#[test]
fn two_drives_take_both_copies_and_second_copies_never_go_to_the_first_volume() {
    let site = Site::new("archive_function = double_save\n");
    site.tape(&["drive", &site.text("drive2")]);
    site.tape(&["load", &site.text("drive2"), &site.text("b")]);
    label(&site, "a", "SNDA01");
    let two = format!(
        "{}\ntape_address_arch = ({}, {})",
        fs::read_to_string(site.path("dbs").join(&site.profile)).unwrap(),
        site.text("drive"),
        site.text("drive2")
    );
    let profile = site.world.profile_with("initTWO.sap", &two);
    // The second drive's tape is labelled in the first one.
    site.tape(&["unload", &site.text("drive2")]);
    label(&site, "b", "SNDA02");
    site.load("a");
    site.tape(&["load", &site.text("drive2"), &site.text("b")]);
    switch(&site, 2);
    let names: Vec<String> = logs(&site)
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    site.world
        .tool("brarchive", &["-ssd", "-c", "-p", &profile])
        .must_end_with(0);
    assert!(logs(&site).is_empty());
    for (index, name) in names.iter().enumerate() {
        let position = 4 + u32::try_from(index).unwrap();
        assert!(site.cpio("a", position, name) == site.cpio("b", position, name));
    }
    label(&site, "c", "SNDA03");
    switch(&site, 1);
    site.run("brarchive", &["-s", "-c", "-v", "SNDA03"])
        .must_end_with(0);
    let free = format!(
        "{}\nexpir_period = 0",
        fs::read_to_string(site.path("dbs").join(&site.profile)).unwrap()
    );
    let free = site.world.profile_with("initFREE.sap", &free);
    site.world
        .tool("brarchive", &["-sc", "-c", "-v", "SNDA03", "-p", &free])
        .must_end_with(5)
        .must_say("a second one there would be lost with it");
}
