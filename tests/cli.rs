//! The command line as scripts and people use it: the real binary in an empty folder.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn kalends(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kalends"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KALENDS_")) {
        command.env_remove(name);
    }
    command
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::null());
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    kalends(folder, arguments).output().unwrap()
}

/// Standard output of a command that succeeds.
fn out(folder: &Path, arguments: &[&str]) -> String {
    let done = run(folder, arguments);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(0), "{arguments:?}: {said}");
    String::from_utf8(done.stdout).unwrap()
}

fn code(folder: &Path, arguments: &[&str]) -> Option<i32> {
    run(folder, arguments).status.code()
}

fn json(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&out(folder, arguments)).unwrap()
}

#[test]
fn every_command_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    let commands = [
        "",
        "serve",
        "user",
        "user add",
        "user list",
        "user passwd",
        "user set",
        "user rename",
        "user remove",
        "user export",
        "app-password",
        "app-password new",
        "app-password list",
        "app-password revoke",
        "token",
        "token new",
        "token list",
        "token revoke",
        "feed",
        "feed new",
        "feed list",
        "feed revoke",
        "import",
        "export",
        "backup",
        "restore",
        "verify",
        "keys",
        "keys list",
        "keys rotate",
        "keys drop",
        "doctor",
    ];
    for command in commands {
        let mut words: Vec<&str> = command.split_whitespace().collect();
        words.push("--help");
        assert!(
            out(folder.path(), &words).contains("Usage: kalends"),
            "{command}"
        );
    }
    assert!(out(folder.path(), &["--version"]).starts_with("kalends "));
    assert!(!folder.path().join("data").exists(), "help touches nothing");
}

#[test]
fn exit_codes_tell_failure_from_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert_eq!(
        code(folder, &["user", "add", "anna", "--no-password"]),
        Some(0)
    );
    for (expected, arguments) in [
        (1, &["user", "add", "anna", "--no-password"][..]),
        (1, &["user", "rename", "nobody", "somebody"]),
        (1, &["user", "add", "Not A Name"]),
        (1, &["token", "revoke", "anna", "99"]),
        (
            1,
            &[
                "feed",
                "new",
                "anna",
                "--calendar",
                "nothing",
                "--privacy",
                "busy",
            ],
        ),
        (1, &["export", "anna", "nothing"]),
        (2, &["frobnicate"]),
        (2, &["user", "add"]),
        (2, &["user", "remove", "anna"]),
        (
            2,
            &[
                "token",
                "new",
                "anna",
                "--label",
                "x",
                "--scope",
                "everything",
            ],
        ),
        (
            2,
            &[
                "feed",
                "new",
                "anna",
                "--calendar",
                "calendar",
                "--privacy",
                "some",
            ],
        ),
        (2, &["--listen", "nowhere", "user", "list"]),
        (2, &["--config", "missing.toml", "user", "list"]),
    ] {
        assert_eq!(code(folder, arguments), Some(expected), "{arguments:?}");
    }
    let done = kalends(folder, &["user", "list"])
        .env("KALENDS_LISTN", "x")
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(2));
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(
        said.contains("KALENDS_LISTN: there is no setting `listn`"),
        "{said}"
    );
}

#[test]
fn people_and_their_secrets_are_managed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let first = out(
        folder,
        &["user", "add", "anna", "--email", "anna@example.org"],
    );
    assert_eq!(
        first.trim().len(),
        39,
        "the app password and nothing else: {first}"
    );
    let token = out(
        folder,
        &[
            "token",
            "new",
            "anna",
            "--label",
            "crm",
            "--scope",
            "read,write",
        ],
    );
    assert_eq!(token.trim().len(), 39);
    let tokens = json(folder, &["token", "list", "anna", "--json"]);
    assert_eq!(tokens[0]["scopes"], "read write");
    let id = tokens[0]["id"].to_string();
    out(folder, &["token", "revoke", "anna", &id]);
    assert!(!json(folder, &["token", "list", "anna", "--json"])[0]["revoked"].is_null());
    let passwords = out(folder, &["app-password", "list", "anna"]);
    assert!(
        passwords.contains("first device") && !passwords.contains(first.trim()),
        "{passwords}"
    );
    out(folder, &["user", "rename", "anna", "anne"]);
    out(folder, &["user", "set", "anne", "--admin", "true"]);
    let people = json(folder, &["user", "list", "--json"]);
    assert_eq!(people[0]["name"], "anne");
    assert_eq!(people[0]["admin"], true);
    let mut passwd = kalends(folder, &["user", "passwd", "anne"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    passwd
        .stdin
        .take()
        .unwrap()
        .write_all(b"a long enough one\n")
        .unwrap();
    assert!(passwd.wait().unwrap().success());
    out(folder, &["user", "add", "bert", "--no-password"]);
    std::fs::write(folder.join("with.ics"), WITH_ANNA).unwrap();
    out(folder, &["import", "bert", "calendar", "with.ics"]);
    assert_eq!(
        out(folder, &["user", "remove", "anne", "--yes"]),
        "bert/calendar: 1 entry, 0 earlier versions\n"
    );
    assert_eq!(out(folder, &["user", "remove", "bert", "--yes"]), "");
    assert_eq!(
        json(folder, &["user", "list", "--json"]),
        serde_json::json!([])
    );
}

const WITH_ANNA: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nBEGIN:VEVENT\r\nUID:w\r\n\
    DTSTAMP:20260101T000000Z\r\nDTSTART:20260101T090000Z\r\nORGANIZER:mailto:anna@example.org\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

const EVENTS: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\n\
    BEGIN:VEVENT\r\nUID:one\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T090000Z\r\nSUMMARY:First\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nUID:two\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260102T090000Z\r\nSUMMARY:Second\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nUID:bad\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:No start\r\nEND:VEVENT\r\n\
    END:VCALENDAR\r\n";

#[test]
fn imports_give_a_verdict_for_each_event_and_exports_give_them_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    out(folder, &["user", "add", "anna", "--no-password"]);
    std::fs::write(folder.join("events.ics"), EVENTS).unwrap();
    let verdicts = |arguments: &[&str]| {
        let mut all = vec!["import", "anna", "calendar", "events.ics", "--json"];
        all.extend_from_slice(arguments);
        let done = run(folder, &all);
        assert_eq!(done.status.code(), Some(1), "one of them is refused");
        let verdicts: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        let one = |uid: &str| {
            let found = verdicts
                .as_array()
                .unwrap()
                .iter()
                .find(|v| v["uid"] == uid);
            found.unwrap()["verdict"].as_str().unwrap().to_string()
        };
        [one("one"), one("two"), one("bad")]
    };
    assert_eq!(verdicts(&["--dry-run"]), ["created", "created", "refused"]);
    assert_eq!(verdicts(&[]), ["created", "created", "refused"]);
    assert_eq!(verdicts(&[]), ["unchanged", "unchanged", "refused"]);
    let exported = out(folder, &["export", "anna", "calendar"]);
    assert!(
        exported.contains("SUMMARY:First\r\n") && exported.contains("SUMMARY:Second\r\n"),
        "{exported}"
    );
    out(folder, &["user", "export", "anna", "all"]);
    assert_eq!(
        std::fs::read_to_string(folder.join("all/calendar.ics")).unwrap(),
        exported
    );
    assert!(
        std::fs::read_to_string(folder.join("all/account.json"))
            .unwrap()
            .contains("\"anna\"")
    );
    assert_eq!(
        code(folder, &["import", "anna", "calendar", "missing.ics"]),
        Some(1)
    );
}

#[test]
fn feeds_are_made_listed_and_ended() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    out(folder, &["user", "add", "anna", "--no-password"]);
    let url = out(
        folder,
        &[
            "feed",
            "new",
            "anna",
            "--calendar",
            "calendar,sessions",
            "--privacy",
            "busy",
        ],
    );
    assert!(
        url.starts_with("http://127.0.0.1:8008/feeds/") && url.ends_with(".ics\n"),
        "{url}"
    );
    let feeds = json(folder, &["feed", "list", "anna", "--json"]);
    assert_eq!(feeds[0]["url"], url.trim());
    assert_eq!(
        feeds[0]["calendars"],
        serde_json::json!(["calendar", "sessions"])
    );
    out(
        folder,
        &["feed", "revoke", "anna", &feeds[0]["id"].to_string()],
    );
    assert_eq!(
        json(folder, &["feed", "list", "anna", "--json"]),
        serde_json::json!([])
    );
}

/// A server that is stopped with its value.
struct Server {
    child: Child,
    /// What the first start printed, up to its last line.
    words: String,
    address: String,
}

impl Server {
    fn start(folder: &Path) -> Server {
        let mut child = kalends(folder, &["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        let address = line
            .split("listen=[")
            .nth(1)
            .unwrap_or_else(|| panic!("{line}"));
        let address = address.split(']').next().unwrap().to_string();
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Server {
            child,
            words: String::new(),
            address,
        }
    }

    fn first_words(mut self) -> Server {
        let mut out = BufReader::new(self.child.stdout.take().unwrap());
        while !self.words.contains("not shown again") {
            assert!(
                out.read_line(&mut self.words).unwrap() > 0,
                "{}",
                self.words
            );
        }
        self
    }

    fn ask(&self, head: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{head}\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn stop(&mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_first_start_prints_once_what_to_type_and_commands_work_beside_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path()).first_words();
    let value = |name: &str| {
        let line = server
            .words
            .lines()
            .find_map(|line| line.trim().strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name}: {}", server.words))
            .trim()
            .to_string()
    };
    assert_eq!(
        value("CalDAV address"),
        format!("http://{}/dav/", server.address)
    );
    let (name, password) = (value("user name"), value("app password"));
    let basic = |password: &str| {
        use base64::Engine;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
        format!("PROPFIND /dav/ HTTP/1.1\r\nDepth: 0\r\nAuthorization: Basic {pair}")
    };
    assert!(
        server
            .ask("GET /readyz HTTP/1.1")
            .starts_with("HTTP/1.1 200")
    );
    assert!(
        server
            .ask("PROPFIND /dav/ HTTP/1.1")
            .starts_with("HTTP/1.1 401")
    );
    let answer = server.ask(&basic(&password));
    assert!(answer.starts_with("HTTP/1.1 207"), "{answer}");
    let device = out(
        folder.path(),
        &["app-password", "new", &name, "--label", "phone"],
    );
    assert!(
        server
            .ask(&basic(device.trim()))
            .starts_with("HTTP/1.1 207")
    );
    let doctor = json(
        folder.path(),
        &["doctor", "--json", "--listen", &server.address],
    );
    assert!(
        doctor
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["verdict"] == "ok"),
        "{doctor}"
    );
    assert_eq!(server.stop(), Some(0));

    let mut again = Server::start(folder.path());
    assert!(again.ask(&basic(&password)).starts_with("HTTP/1.1 207"));
    assert_eq!(again.stop(), Some(0));
    let mut words = String::new();
    again
        .child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut words)
        .unwrap();
    assert_eq!(words, "", "the second start has no secrets to tell");
}

#[test]
fn a_backup_restores_into_an_empty_database_only() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    out(folder, &["user", "add", "anna", "--no-password"]);
    std::fs::write(folder.join("events.ics"), EVENTS).unwrap();
    assert_eq!(
        code(folder, &["import", "anna", "calendar", "events.ics"]),
        Some(1)
    );
    let exported = out(folder, &["export", "anna"]);
    out(folder, &["backup", "all.backup"]);
    out(folder, &["backup", "all.backup"]);
    assert_eq!(
        code(folder, &["restore", "all.backup"]),
        Some(1),
        "the database is not empty"
    );
    out(folder, &["--data-dir", "other", "restore", "all.backup"]);
    assert_eq!(
        out(folder, &["--data-dir", "other", "export", "anna"]),
        exported
    );
    out(folder, &["--data-dir", "other", "verify"]);
    assert_eq!(json(folder, &["verify", "--json"]), serde_json::json!([]));
    assert_eq!(
        code(folder, &["--data-dir", "third", "restore", "events.ics"]),
        Some(1),
        "no backup"
    );
    let key = std::fs::read_to_string(folder.join("data/kalends.key")).unwrap();
    let key = key.lines().last().unwrap();
    let mut text = String::new();
    let file = std::fs::File::open(folder.join("all.backup")).unwrap();
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut text)
        .unwrap();
    assert!(
        text.contains("anna") && !text.contains(key),
        "the sealing key is never inside"
    );
    assert!(!folder.join("all.backup.part").exists());
}

#[test]
fn keys_are_rotated_and_old_ones_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    out(folder, &["user", "add", "anna", "--no-password"]);
    let feed = [
        "feed",
        "new",
        "anna",
        "--calendar",
        "calendar",
        "--privacy",
        "busy",
    ];
    let address = out(folder, &feed);
    let keys = || json(folder, &["keys", "list", "--json"]);
    let old = keys()[0]["key"].as_str().unwrap().to_string();
    assert_eq!(keys()[0]["secrets"], 1);
    out(folder, &["keys", "rotate"]);
    let all = keys();
    assert_eq!(all[1]["key"], old);
    assert_eq!(
        (&all[0]["state"], &all[0]["secrets"]),
        (&"seals".into(), &1.into())
    );
    let listed = out(folder, &["feed", "list", "anna"]);
    assert!(
        listed.contains(address.trim().rsplit('/').next().unwrap()),
        "{listed}"
    );
    out(folder, &["keys", "drop"]);
    assert_eq!(keys().as_array().unwrap().len(), 1);
    out(folder, &["verify"]);
    let key = keys()[0]["key"].as_str().unwrap().to_string();
    // A key of the environment is the operator's to change.
    let text = std::fs::read_to_string(folder.join("data/kalends.key")).unwrap();
    let mut command = kalends(folder, &["keys", "rotate"]);
    command.env("KALENDS_KEY", text.lines().last().unwrap());
    let refused = command.output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        said.contains("Restart the servers") && !said.contains(&key),
        "{said}"
    );
}
