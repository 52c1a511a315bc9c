//! The data backup script and stores that refuse, lie, break off or do not answer.
//! What lives here: what the script makes of each answer. What does not: what it does on its host (`data_backup_script`).

mod data_backup_world;

use std::net::TcpListener;

use data_backup_world::Host;
use data_backup_world::store_stand_in::{Answer, GET, POST, PUT, Store, UPLOAD, WHOLE_RUN};

/// The codes of the API with their messages.
const CODES: [(u64, u16, &str); 9] = [
    (4295622675, 503, "Store Decommission in progress."),
    (4295622676, 503, "Store was decommissioned."),
    (
        4295622665,
        404,
        "Backup mount does not exist on Export Service.",
    ),
    (
        4295622669,
        409,
        "Backup mount is inconsistent state on Export Service.",
    ),
    (
        4295622667,
        409,
        "Backup mount marked for delete on Export Service.",
    ),
    (4295622670, 500, "Failed to export path to NFS."),
    (4295622659, 409, "START_BACKUP cmd not received yet."),
    (
        4295622664,
        409,
        "Backup mount exceeded max pending snapshots.",
    ),
    (
        4295622663,
        404,
        "Restore Path is missing on Export Service.",
    ),
];

#[test]
fn each_error_of_the_store_is_shown_with_its_number_its_message_and_a_hint() {
    let host = Host::new();
    for (call, number) in [(GET, 601), (POST, 602), (UPLOAD, 902), (PUT, 903)] {
        for (code, status, message) in CODES {
            // Whatever the HTTP status is: the documented clients never saw it.
            for status in [status, 200] {
                let store = Store::that_answers(call, &[Answer::error(status, code, message)]);
                let said = host.run(store.address(), &[]);
                let before_rman = number < 900;
                let number = match code {
                    4295622664 if before_rman => 702,
                    _ => number,
                };
                said.must_fail_with(number, &format!("error {code}, {message}"));
                said.must_complain("HINT: ");
                assert!(
                    !said.errors.contains("see the log of the store"),
                    "each has its own hint"
                );
                let calls = store.calls();
                let refused = WHOLE_RUN.iter().position(|known| *known == call).unwrap();
                assert_eq!(
                    calls,
                    WHOLE_RUN[..=refused],
                    "no call is repeated, none follows"
                );
            }
        }
    }
}

#[test]
fn a_code_of_the_stores_own_beyond_32_bits_is_shown_whole() {
    let host = Host::new();
    let store = Store::that_answers(GET, &[Answer::error(400, 4295622912, "Odd request.")]);
    host.run(store.address(), &[])
        .must_fail_with(601, "error 4295622912, Odd request. (HTTP 400)");
    // 2^64 in 64 bits, and 2^32 in 32 bits, would be the code of success.
    for code in ["18446744073709551616", "4294967296", "-1"] {
        let body = format!("{{\"error_code\": {code}, \"error_msg\": \"m\", \"result\": {{}}}}");
        let store = Store::that_answers(GET, &[Answer::Http(200, body)]);
        host.run(store.address(), &[])
            .must_fail_with(601, &format!("error {code}, m"));
    }
}

#[test]
fn too_many_pending_snapshots_end_the_run_before_anything_is_opened() {
    let host = Host::new();
    let full = Answer::result(r#"{"mount_name": "testmount", "is_reached_max_snapshots": true}"#);
    let store = Store::that_answers(GET, &[full]);
    host.run(store.address(), &[])
        .must_fail_with(701, "as many pending snapshots as the store allows");
    assert_eq!(store.calls(), [GET]);
}

#[test]
fn a_refused_seal_says_that_the_backup_is_on_the_mount_and_how_to_seal_it() {
    let host = Host::new();
    let refusal = Answer::error(
        409,
        4295622669,
        "Backup mount is inconsistent state on Export Service.",
    );
    let store = Store::that_answers(PUT, &[refusal]);
    let said = host.run(store.address(), &[]);
    said.must_fail_with(903, "the backup is on the mount, but not sealed");
    let by_hand = format!(
        "curl -X PUT http://{}/druva-phoenix/v1/mounts/testmount/backup",
        store.address()
    );
    said.must_complain(&by_hand);
    assert_eq!(store.calls(), WHOLE_RUN);
    let (_, log) = host.log();
    assert!(
        log.contains("RDB903E") && log.contains("Recovery Manager complete."),
        "{log}"
    );
}

#[test]
fn a_store_that_is_down_is_told_apart_and_tried_again_since_nothing_was_sent() {
    let host = Host::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let said = host.run(&address, &[]);
    said.must_fail_with(501, "nothing accepts connections at 127.0.0.1");
    assert_eq!(
        said.output.matches("RDB002I GET").count(),
        2,
        "{}",
        said.output
    );
    let said = host.run("store.invalid", &[]);
    said.must_fail_with(501, "the name store.invalid is not known");
}

/// Answers that are none, with a part of what is said about them.
fn answers_that_are_none() -> Vec<(Answer, &'static str)> {
    let http = |status: u16, body: &str| Answer::Http(status, body.to_owned());
    let good = r#""error_code": 0, "error_msg": "", "result": {"mount_name": "testmount", "is_reached_max_snapshots": false}"#;
    let ok = "HTTP/1.1 200 OK\r\n";
    vec![
        (
            http(502, "<html><body>Bad gateway</body></html>"),
            "is a web page, not JSON (HTTP 502)",
        ),
        (http(200, ""), "the answer is empty (HTTP 200)"),
        (
            http(200, "ready"),
            "the answer is not JSON (HTTP 200): ready",
        ),
        (http(200, "{\u{1}}"), "the answer is not text"),
        (http(200, &format!("{{{good}")), "is not JSON"),
        (http(200, &format!("{{{good}}} {{}}")), "is not JSON"),
        (
            http(200, &format!("{{{good}, \"error_code\": 0}}")),
            "is not JSON",
        ),
        (
            http(200, &format!("[{{{good}}}]")),
            "has no error_code that is an integer",
        ),
        (
            http(200, r#"{"error_code": "0", "error_msg": ""}"#),
            "has no error_code that is an integer",
        ),
        (
            http(200, r#"{"error_code": 0.0, "error_msg": ""}"#),
            "has no error_code that is an integer",
        ),
        (
            http(200, r#"{"error_code": 00, "error_msg": ""}"#),
            "is not JSON",
        ),
        (
            http(200, r#"{"error_code": 0e1, "error_msg": ""}"#),
            "has no error_code that is an integer",
        ),
        (
            http(200, r#"{"x": {"error_code": 0, "error_msg": ""}}"#),
            "has no error_code that is an integer",
        ),
        (http(200, r#"{"error_code": 0}"#), "has no error_msg"),
        (
            http(
                200,
                r#"{"error_code": 0, "error_msg": "", "result": {"mount_name": "Testmount"}}"#,
            ),
            "is not about the mount testmount",
        ),
        (
            http(500, &format!("{{{good}}}")),
            "contradicts itself: HTTP 500 and error_code 0",
        ),
        (http(200, &"[".repeat(40)), "is not JSON"),
        (
            http(
                200,
                &format!("{{{good}, \"x\": \"{}\"}}", "y".repeat(70_000)),
            ),
            "is longer than 64 KiB",
        ),
        (
            Answer::Bytes(format!("{ok}\r\n{}", "y".repeat(1 << 20)).into_bytes()),
            "is longer than 64 KiB",
        ),
        (
            Answer::Bytes(format!("{ok}Content-Length: 500\r\n\r\n{{{good}}}").into_bytes()),
            "the answer is cut off",
        ),
        (Answer::Bytes(Vec::new()), "closed without an answer"),
        (
            Answer::Bytes(b"220 mail.example.org ESMTP\r\n".to_vec()),
            "curl failed with status 1 ",
        ),
    ]
}

/// One run against a store with this answer: fails with this number and reason, after these calls.
#[track_caller]
fn fails(call: &str, answer: &Answer, number: u32, reason: &str, calls: &[&str]) {
    let host = Host::new();
    let store = Store::that_answers(call, std::slice::from_ref(answer));
    host.run(store.address(), &[])
        .must_fail_with(number, reason);
    assert_eq!(store.calls(), calls, "{reason}");
}

#[test]
fn what_is_no_answer_of_a_store_is_named_for_what_it_is_and_asked_for_again_as_nothing_was_changed()
{
    // Beside each other, because the script pauses before it asks again.
    std::thread::scope(|scope| {
        for (answer, reason) in answers_that_are_none() {
            scope.spawn(move || fails(GET, &answer, 501, reason, &[GET; 3]));
        }
    });
}

#[test]
fn a_call_that_may_have_been_done_is_not_made_again() {
    for (answer, reason) in answers_that_are_none() {
        if ["web page", "cut off"]
            .iter()
            .any(|words| reason.contains(words))
        {
            for (call, number, calls) in [(POST, 502, 2), (UPLOAD, 901, 3), (PUT, 905, 4)] {
                fails(call, &answer, number, reason, &WHOLE_RUN[..calls]);
            }
        }
    }
}

#[test]
fn a_store_that_recovers_between_two_questions_is_not_given_up() {
    let host = Host::new();
    let good = Answer::result(r#"{"mount_name": "testmount", "is_reached_max_snapshots": false}"#);
    let store = Store::that_answers(GET, &[Answer::Bytes(Vec::new()), good]);
    host.run(store.address(), &[])
        .must_end_with(0)
        .must_say("RDB002I GET");
    assert_eq!(store.calls(), [GET, GET, POST, UPLOAD, PUT]);
}

#[test]
fn a_store_that_never_answers_is_waited_for_only_so_long() {
    for (call, number, reason) in [
        (POST, 502, "no answer within 1 s"),
        (PUT, 905, "whether it is sealed is not known"),
    ] {
        let host = Host::new();
        let store = Store::that_answers(call, &[Answer::Silence]);
        let said = host.run(store.address(), &["--timeout", "1"]);
        said.must_fail_with(number, reason);
        assert_eq!(store.calls().last().unwrap(), call);
    }
}

#[test]
fn an_answer_to_post_or_put_that_lacks_what_it_promises_is_not_taken() {
    let host = Host::new();
    for path in [
        "",
        ", \"mount_path\": \"Phoenix\"",
        ", \"mount_path\": \"/a b\"",
        ", \"mount_path\": 7",
    ] {
        let answer = Answer::result(&format!("{{\"mount_name\": \"testmount\"{path}}}"));
        let store = Store::that_answers(POST, &[answer]);
        host.run(store.address(), &[])
            .must_fail_with(503, "names no path of an export");
        assert!(!host.rman_was_called());
    }
    let store = Store::that_answers(PUT, &[Answer::result(r#"{"mount_name": "testmount"}"#)]);
    host.run(store.address(), &[])
        .must_fail_with(905, "names no snapshot");
}

#[test]
fn what_a_store_says_cannot_write_to_the_terminal() {
    let host = Host::new();
    let body =
        r#"{"error_code": 4295622912, "error_msg": "a\u001b[2J\u0041\nb\u009b é", "result": {}}"#;
    let store = Store::that_answers(GET, &[Answer::Http(500, body.to_owned())]);
    host.run(store.address(), &[])
        .must_fail_with(601, "error 4295622912, a?[2JA b? ?? (HTTP 500)");
}

#[test]
fn the_vendors_printed_samples_with_their_last_commas_are_understood() {
    let host = Host::new();
    let store = Store::that_answers(
        GET,
        &[Answer::Http(200, r#"{ "error_code": 0, "error_msg": "", "result": { "mount_name": "testmount", "is_reached_max_snapshots": false, } }"#.to_owned())],
    );
    host.run(store.address(), &[]).must_end_with(0);
}
