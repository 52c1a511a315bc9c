//! brbackup to tape, on a directory that stands in for the drive: labels, layout, volumes, and what stock cpio reads.
//! What lives here: what a backup to tape is. What does not: real drives (the guest), brarchive's tapes.

mod brbackup_world;
mod practice_database;
mod tape_world;

use std::fs;

use tape_world::Site;

#[test]
fn the_run_of_the_reference_article_has_its_lines_in_their_order() {
    let site = Site::new("volume_backup = SNDB06\n");
    site.label("a", "SCRATCH");
    let said = site.run_as_40b("brbackup", &["-m", "system", "-c"]);
    said.must_end_with(0);
    let (home, drive) = (site.world.home().display().to_string(), site.text("drive"));
    let expected = [
        "BR051I BRBACKUP 4.0B".to_owned(),
        format!("BR055I Start of database backup: {}.pnt ", said.id()),
        format!("BR319I Control file copied to {home}/sapbackup/cntrl.dbf"),
        format!("BR208I Volume with name SNDB06 required in device {drive}"),
        "BR280I Time stamp ".to_owned(),
        format!("BR226I Rewinding tape volume in device {drive} ..."),
        format!("BR351I Restoring {home}/sapbackup/.tape.hdr0"),
        format!("BR355I from {drive} ..."),
        format!("BR241I Checking label on volume in device {drive}"),
        format!("BR242I Scratch volume in device {drive} will be renamed to SNDB06"),
        "BR280I Time stamp ".to_owned(),
        format!("BR226I Rewinding tape volume in device {drive} ..."),
        format!("BR202I Saving {home}/sapbackup/.tape.hdr0"),
        format!("BR203I to {drive} ..."),
        format!("BR209I Volume in device {drive} has name SNDB06"),
        "BR202I Saving init_ora".to_owned(),
        format!("BR203I to {drive} ..."),
        format!("BR202I Saving {home}/dbs/initTAPE.sap"),
        format!("BR203I to {drive} ..."),
        "BR280I Time stamp ".to_owned(),
        "BR315I Alter tablespace SYSTEM begin backup successful".to_owned(),
        format!("BR202I Saving {home}/sapdata1/system_1/system.data1"),
        format!("BR203I to {drive} ..."),
        format!("#FILE..... {home}/sapdata1/system_1/system.data1"),
        "#SAVED.... system.data1 SNDB06/4".to_owned(),
        format!("BR202I Saving {home}/sapbackup/cntrl.dbf"),
        format!("BR203I to {drive} ..."),
        format!("#FILE..... {home}/sapbackup/cntrl.dbf"),
        "#SAVED.... cntrl.dbf SNDB06/5".to_owned(),
        "BR340I Switching to next online redo log file for database instance SND...".to_owned(),
        "BR321I Switch to next online redo log file for database instance SND successful."
            .to_owned(),
    ];
    let mut lines = said.text.lines();
    for line in &expected {
        assert!(
            lines.any(|found| found.starts_with(line.as_str())),
            "'{line}' is missing or too early:\n{}",
            said.text
        );
    }
    site.world.must_have_no_backup_mode();
    let log = fs::read_to_string(site.path(&format!("sapbackup/{}.pnt", said.id()))).unwrap();
    assert!(log.contains("#SAVED.... system.data1 SNDB06/4"));
}

#[test]
fn stock_cpio_brings_every_file_back_by_its_position() {
    let site = Site::new("");
    site.label("a", "SNDB01");
    let said = site.run("brbackup", &["-t", "offline", "-c"]);
    said.must_end_with(0);
    let saved = Site::saved(&said);
    assert_eq!(saved.len(), 7 + 4 + 1);
    for (index, (original, name, place)) in saved.iter().enumerate() {
        let position = 4 + u32::try_from(index).unwrap();
        assert_eq!(*place, format!("SNDB01/{position}"));
        assert_eq!(name.as_str(), original.file_name().unwrap());
        let is_data = original.starts_with(site.path("sapdata1"))
            || original.starts_with(site.path("sapdata2"))
            || original.starts_with(site.path("sapdata3"));
        let restored = site.cpio("a", position, name);
        let now = fs::read(original).unwrap();
        assert_eq!(restored.len(), now.len(), "{name}");
        assert!(!is_data || restored.len().is_multiple_of(8192));
        assert!(said.text.contains(&format!(
            "blake3:{} {}",
            blake3::hash(&restored).to_hex(),
            restored.len()
        )));
    }
    let label = String::from_utf8(site.cpio("a", 1, ".tape.hdr0")).unwrap();
    assert!(
        label.contains("SNDB01") && label.contains(&said.id()),
        "{label}"
    );
    assert!(!site.cpio("a", 2, "initSND.ora").is_empty());
    assert_eq!(
        site.cpio("a", 3, "initTAPE.sap"),
        fs::read(site.path("dbs/initTAPE.sap")).unwrap()
    );
    let last = 4 + u32::try_from(saved.len()).unwrap();
    let detail =
        String::from_utf8(site.cpio("a", last + 1, &format!("{}.aft", said.id()))).unwrap();
    assert!(detail.contains("#SAVED.... system.data1 SNDB01/"));
    let summary = String::from_utf8(site.cpio("a", last + 2, "backSND.log")).unwrap();
    let record = summary
        .lines()
        .find(|line| line.starts_with(&said.id()))
        .unwrap();
    assert!(
        record.split_whitespace().any(|word| word == "9"),
        "{record}"
    );
}

#[test]
fn wrong_locked_unlabelled_protected_and_missing_volumes_are_refused_with_the_reason() {
    let site = Site::new("");
    let backup = || site.run("brbackup", &["-m", "system", "-c"]);
    backup()
        .must_end_with(5)
        .must_say("BR9050E")
        .must_say("BR0236I");
    site.run("brbackup", &["-i", "-v", "SNDB01", "-c"])
        .must_end_with(3)
        .must_say("BR9050E");
    site.label("a", "SNDB02");
    backup()
        .must_end_with(5)
        .must_say("BR0216E")
        .must_say("SNDB01 is required");
    site.label("a", "SNDB01");
    backup().must_end_with(0);
    // The next in the circle is wanted now; with -v the lock of the log is asked first, that of the label at last.
    backup().must_end_with(5).must_say("SNDB02 is required");
    site.run("brbackup", &["-m", "system", "-c", "-v", "SNDB01"])
        .must_end_with(3)
        .must_say("BR0105E Only 0 free backup volumes found, 1 required")
        .must_say("BR9051I Volume SNDB01 is not taken: locked until ");
    site.run("brbackup", &["-m", "system", "-c", "-v", "SCRATCH"])
        .must_end_with(5)
        .must_say("BR0217E Volume SNDB01");
    site.run("brbackup", &["-i", "-v", "SNDB09", "-c"])
        .must_end_with(3)
        .must_say("BR0217E");
    let free = site.world.profile_with(
        "initFREE.sap",
        &format!(
            "{}\nexpir_period = 0\ntape_use_count = 1",
            fs::read_to_string(site.path("dbs/initTAPE.sap")).unwrap()
        ),
    );
    site.world
        .tool(
            "brbackup",
            &["-m", "system", "-c", "-v", "SNDB01", "-p", &free],
        )
        .must_end_with(1)
        .must_say("BR0235W");
    fs::write(site.path("a/write-protected"), "").unwrap();
    site.world
        .tool(
            "brbackup",
            &["-m", "system", "-c", "-v", "SNDB01", "-p", &free],
        )
        .must_end_with(5)
        .must_say("BR0220E");
    site.tape(&["unload", &site.text("drive")]);
    backup().must_end_with(5).must_say("there is no tape in");
    site.world.must_have_no_backup_mode();
}

#[test]
fn a_backup_that_is_larger_than_a_tape_goes_on_on_the_next_one() {
    let site = Site::new(
        "backup_dev_type = tape_auto\ntape_size = 40M\nrewind_offline = \"mt -f $ offline\"\n",
    );
    for (cartridge, volume) in [("a", "SNDB01"), ("b", "SNDB02"), ("c", "SNDB03")] {
        site.label(cartridge, volume);
    }
    let magazine = site.path("magazine");
    fs::create_dir(&magazine).unwrap();
    for name in ["a", "b", "c"] {
        std::os::unix::fs::symlink(site.path(name), magazine.join(name)).unwrap();
    }
    std::os::unix::fs::symlink(&magazine, site.path("drive/magazine")).unwrap();
    site.load("a");
    let said = site.run("brbackup", &["-c"]);
    said.must_end_with(0)
        .must_say("BR0208I Volume with name SNDB02 required");
    let saved = Site::saved(&said);
    assert!(
        saved.iter().any(|(_, _, place)| place == "SNDB02/4"),
        "{}",
        said.text
    );
    for (original, name, place) in &saved {
        let (volume, position) = place.split_once('/').unwrap();
        let cartridge = match volume {
            "SNDB01" => "a",
            "SNDB02" => "b",
            _ => "c",
        };
        let restored = site.cpio(cartridge, position.parse().unwrap(), name);
        assert!(!restored.is_empty(), "{}", original.display());
    }
}

#[test]
fn the_end_of_a_tape_ends_the_run_and_says_so() {
    let site = Site::new("");
    site.label("a", "SNDB01");
    fs::write(site.path("a/capacity"), "20M\n").unwrap();
    site.run("brbackup", &["-c"])
        .must_end_with(5)
        .must_say("has come to its end")
        .must_say("BR0222E");
    site.world.must_have_no_backup_mode();
}
