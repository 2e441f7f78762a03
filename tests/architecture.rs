//! The layers of the crate, as data, and the check that `src` keeps to them. A single crate has no wall between its
//! modules, so this test is the wall: it reads the paths and literals that each file mentions outside its tests.
//!
//! Which rules? One per `fn` below: rows, pure modules, HTTP only at the doors, SQL only in the store, a map without code.

#[path = "architecture/read.rs"]
mod read;

use read::{Mention, Mentions, mentions, module_of};
use std::path::Path;

/// (row, module, modules of the same row that it may use). A module uses rows below its own, and those.
const LAYERS: &[(u8, &str, &[&str])] = &[
    (6, "main", &["cli"]),
    (6, "cli", &[]),
    (5, "server", &[]),
    (4, "dav", &[]),
    (4, "feeds", &[]),
    (4, "api", &[]),
    (4, "web", &[]),
    (4, "jobs", &[]),
    (3, "app", &["objects", "sync", "auth"]),
    (3, "sync", &["objects"]),
    (3, "objects", &[]),
    (3, "auth", &[]),
    (2, "store", &[]),
    (2, "remote", &[]),
    (2, "notify", &[]),
    (1, "config", &["model"]),
    (1, "clock", &["model"]),
    (1, "seal", &["model", "clock"]),
    (1, "metrics", &["model"]),
    (1, "wire", &["model"]),
    (1, "model", &[]),
    (0, "ical", &[]),
    (0, "xml", &[]),
];

/// Narrower than the rows: (module, what it never mentions, why).
const NEVER: &[(&str, &[&str], &str)] = &[
    (
        "app",
        &["crate::remote"],
        "use cases reach providers through sync",
    ),
    ("app", &["crate::xml", "quick_xml"], "XML belongs to dav"),
    (
        "objects",
        &["crate::xml", "quick_xml"],
        "XML belongs to dav",
    ),
    ("sync", &["crate::xml", "quick_xml"], "XML belongs to dav"),
    ("auth", &["crate::xml", "quick_xml"], "XML belongs to dav"),
    ("store", &["crate::xml", "quick_xml"], "XML belongs to dav"),
    ("api", &["crate::xml", "quick_xml"], "the API speaks JSON"),
    ("api", &["crate::store"], "the API goes through use cases"),
];

/// Functions from values to values: text and arithmetic, no runtime, file, socket, clock or dice.
const PURE: &[&str] = &[
    "ical",
    "xml",
    "model",
    "sync::plan",
    "sync::outgoing",
    "sync::texts",
    "sync::wording",
    "objects::effects",
];

/// What a pure module never mentions.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "std::os",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "tokio",
    "tracing",
    "rusqlite",
    "tokio_postgres",
    "getrandom",
    "rand",
    "chrono::Utc",
    "chrono::Local",
];

/// HTTP is known from row 4 up …
const HTTP: &[&str] = &[
    "axum",
    "hyper",
    "hyper_util",
    "http",
    "http_body",
    "http_body_util",
    "tower",
    "tower_http",
    "utoipa",
];
/// … and, below, for one purpose each: (module, names, purpose).
const HTTP_BELOW: &[(&str, &[&str], &str)] = &[
    ("remote", HTTP, "the outgoing client"),
    ("notify", HTTP, "push messages and webhooks"),
    (
        "wire",
        &["http", "http_body", "http_body_util", "hyper::body"],
        "types of bodies that doors and listener share",
    ),
    (
        "auth",
        &["http::HeaderMap", "http::header"],
        "credentials come in a header",
    ),
    ("sync", &["http::HeaderValue"], "credentials go in a header"),
    (
        "app",
        &["utoipa::ToSchema"],
        "the shapes of sessions, which the API describes",
    ),
    (
        "config",
        &["http::Uri"],
        "addresses among the settings are checked",
    ),
];

/// Database drivers, known to the store alone.
const DRIVERS: &[&str] = &[
    "rusqlite",
    "tokio_postgres",
    "deadpool_postgres",
    "tokio_postgres_rustls",
];

/// How a statement begins, and a word that its rest has.
const STATEMENTS: &[(&str, &str)] = &[
    ("select ", " from "),
    ("insert ", " into "),
    ("update ", " set "),
    ("delete ", " from "),
    ("create ", " table "),
    ("alter ", " table "),
    ("with ", " select "),
    ("pragma ", ""),
];

/// A breach, as a person wants to read it: `src/ical/zone.rs:12: …`.
type Breach = String;

fn breaches(file: &str, source: &str) -> Vec<Breach> {
    if file.ends_with("/tests.rs") || file.contains("/tests/") {
        return Vec::new(); // `#[cfg(test)] mod tests;`
    }
    let module = module_of(file);
    let Some(top) = module.first() else {
        return map_has_code(file, source);
    };
    let Some(row) = row_of(top) else {
        return vec![format!("src/{file}:1: `{top}` is in no row of the table")];
    };
    let found = mentions(file, source);
    let mut out = Vec::new();
    for path in &found.paths {
        let reasons = [
            wrong_row(top, row, path),
            mentions_what_it_may_not(top, path),
            impure(&module, path),
            http_below_the_doors(top, row, path),
            driver_outside_the_store(top, path),
        ];
        let reasons = reasons.into_iter().flatten();
        out.extend(reasons.map(|why| format!("src/{file}:{}: {why}", path.line)));
    }
    out.extend(sql_outside_the_store(file, top, &found));
    out
}

fn row_of(module: &str) -> Option<u8> {
    LAYERS
        .iter()
        .find(|(_, name, _)| *name == module)
        .map(|(row, _, _)| *row)
}

/// A module uses rows below its own, and the neighbours that its line names.
fn wrong_row(top: &str, row: u8, path: &Mention) -> Option<String> {
    let rest = path.text.strip_prefix("crate::")?;
    let used = rest.split("::").next()?;
    let Some(used_row) = row_of(used) else {
        return Some(format!("`{}` is in no row of the table", path.text));
    };
    let beside = LAYERS
        .iter()
        .any(|(_, name, beside)| *name == top && beside.contains(&used));
    let fine = used == top || used_row < row || beside;
    (!fine).then(|| format!("`{top}` (row {row}) uses `{}` (row {used_row})", path.text))
}

fn mentions_what_it_may_not(top: &str, path: &Mention) -> Option<String> {
    let (_, _, why) = NEVER
        .iter()
        .find(|(module, never, _)| *module == top && never.iter().any(|n| within(&path.text, n)))?;
    Some(format!("`{top}` mentions `{}`: {why}", path.text))
}

fn impure(module: &[String], path: &Mention) -> Option<String> {
    let name = module.join("::");
    let pure = PURE.iter().find(|pure| within(&name, pure))?;
    // A clock read is `Something::now`; importing `std::time` whole would hide one.
    let clock = path.text.ends_with("::now") && path.text.chars().any(char::is_uppercase);
    let hidden = matches!(
        path.text.as_str(),
        "std" | "std::time" | "std::time::*" | "std::*"
    );
    let named = IMPURE.iter().any(|impure| within(&path.text, impure));
    (named || clock || hidden).then(|| format!("`{pure}` is pure and mentions `{}`", path.text))
}

fn http_below_the_doors(top: &str, row: u8, path: &Mention) -> Option<String> {
    let allowed = HTTP_BELOW
        .iter()
        .any(|(module, names, _)| *module == top && names.iter().any(|n| within(&path.text, n)));
    let exempt = row >= 4 || allowed;
    let http = HTTP.iter().any(|name| within(&path.text, name));
    (http && !exempt).then(|| format!("`{top}` (row {row}) mentions HTTP: `{}`", path.text))
}

fn driver_outside_the_store(top: &str, path: &Mention) -> Option<String> {
    let driver = DRIVERS.iter().any(|name| within(&path.text, name));
    (driver && top != "store")
        .then(|| format!("`{top}` mentions a database driver: `{}`", path.text))
}

fn sql_outside_the_store(file: &str, top: &str, found: &Mentions) -> Vec<Breach> {
    let texts = found.texts.iter().filter(|_| top != "store");
    texts
        .filter(|text| is_sql(&text.text))
        .map(|text| format!("src/{file}:{}: SQL outside the store", text.line))
        .collect()
}

fn is_sql(text: &str) -> bool {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = words.to_ascii_lowercase() + " ";
    STATEMENTS
        .iter()
        .any(|(first, later)| words.starts_with(first) && words.contains(later))
}

/// `lib.rs` is the map: module lines and words, no code.
fn map_has_code(file: &str, source: &str) -> Vec<Breach> {
    let code = source.lines().enumerate().find(|(_, line)| {
        let line = line.trim();
        let map = ["//", "#!", "pub mod ", "mod ", "#[cfg", "#[path"];
        !line.is_empty() && !map.iter().any(|start| line.starts_with(start))
    });
    code.map(|(at, line)| format!("src/{file}:{}: code in the map: {line}", at + 1))
        .into_iter()
        .collect()
}

/// Whether `path` is `prefix` or lies below it.
fn within(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn rust_files(folder: &Path, below: &str, each: &mut dyn FnMut(&str, &str)) {
    for entry in std::fs::read_dir(folder).expect("src is readable") {
        let entry = entry.expect("src is readable");
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            rust_files(&entry.path(), &format!("{name}/"), each);
        } else if name.ends_with(".rs") {
            let text = std::fs::read_to_string(entry.path()).expect("source is UTF-8");
            each(&name, &text);
        }
    }
}

#[test]
fn the_source_keeps_to_its_layers() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut out) = (0, Vec::new());
    rust_files(&src, "", &mut |file, source| {
        files += 1;
        out.extend(breaches(file, source));
    });
    assert!(files > 10, "only {files} files read: is this the source?");
    assert!(
        out.is_empty(),
        "{} breaches:\n{}",
        out.len(),
        out.join("\n")
    );
}

#[test]
fn each_breach_is_seen() {
    let table = include_str!("architecture/breaches.txt");
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.splitn(3, " | ");
        let mut next = || columns.next().unwrap_or_else(|| panic!("{line}"));
        let (file, expected, source) = (next(), next(), next().replace("\\n", "\n"));
        let source = source.as_str();
        let out = breaches(file, source);
        assert!(
            out.iter().any(|breach| breach.contains(expected)),
            "{file}: {source}\nwants {expected:?}, got {out:?}"
        );
    }
}

#[test]
fn what_is_allowed_is_left_alone() {
    for (file, source) in [
        (
            "dav/methods/put.rs",
            "use crate::{app::App, model::Error, xml::Name, objects};",
        ),
        ("dav/methods/put.rs", "use super::{Reply, super::reply};"),
        (
            "app/sessions.rs",
            "use crate::objects::put; use crate::auth::Who; use crate::sync::plan;",
        ),
        (
            "server/mod.rs",
            "use crate::{dav, feeds, api}; use hyper::Request;",
        ),
        (
            "store/objects.rs",
            "const Q: &str = \"select id from object\"; use rusqlite::Row;",
        ),
        (
            "ical/a.rs",
            "// use crate::store::Tx;\n/* std::fs */ const S: &str = \"crate::store::Tx\";",
        ),
        (
            "ical/a.rs",
            "#[cfg(test)] mod tests { use std::fs; use crate::store::Tx; }",
        ),
        (
            "ical/a.rs",
            "#[cfg(test)]\n#[path = \"x\"] mod tests; fn f(now: i64) { g(now) }",
        ),
        ("ical/tests.rs", "use std::fs;"),
        (
            "ical/a.rs",
            "use std::time::Duration; use super::value; use self::inner::X;",
        ),
        (
            "ical/a.rs",
            "pub(crate) fn f() {} pub(in crate::ical) fn g() {}",
        ),
        (
            "dav/live.rs",
            "const S: &str = \"select a calendar\"; const T: &str = \"with care\";",
        ),
        (
            "lib.rs",
            "//! The map.\n\npub mod model;\n#[cfg(test)]\nmod testing;",
        ),
        ("main.rs", "use kalends::cli; fn main() { cli::run() }"),
    ] {
        assert_eq!(
            breaches(file, source),
            Vec::<Breach>::new(),
            "{file}: {source}"
        );
    }
}

#[test]
fn use_trees_and_relative_paths_are_read_whole() {
    let source =
        "use crate::{a::{self, b::c}, d as e};\nuse super::x::*;\nfn f() { self::g::h(1) }";
    let paths: Vec<_> = mentions("dav/put.rs", source)
        .paths
        .into_iter()
        .map(|path| (path.line, path.text))
        .collect();
    let expected = [
        (1, "crate::a"),
        (1, "crate::a::b::c"),
        (1, "crate::d"),
        (2, "crate::dav::x::*"),
        (3, "crate::dav::put::g::h"),
    ];
    let expected: Vec<_> = expected.map(|(line, text)| (line, text.to_string())).into();
    assert_eq!(paths, expected);
}
