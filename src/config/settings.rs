//! The table of settings.

use std::path::PathBuf;

use secrecy::SecretString;
use toml::Value;

use super::value::{addresses, flag, networks, number, seconds, text, web_address};
use super::{AccessLog, Config, Tls};

/// One setting.
pub struct Setting {
    /// As in `config.toml`, with its table before the dot.
    pub key: &'static str,
    /// Its default, as the text of a variable.
    pub default: &'static str,
    /// Lines for `config.example.toml`.
    pub doc: &'static str,
    pub(super) form: Form,
    pub(super) set: fn(&mut Config, &Value) -> Result<(), String>,
}

/// How `config.example.toml` writes the default.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    List,
    Plain,
}

type Set = fn(&mut Config, &Value) -> Result<(), String>;

const fn setting(
    key: &'static str,
    form: Form,
    default: &'static str,
    doc: &'static str,
    set: Set,
) -> Setting {
    Setting {
        key,
        default,
        doc,
        form,
        set,
    }
}

/// A setting that is one line: `row!("key", Form, "default", doc, field = reader(value))`.
macro_rules! row {
    ($key:literal, $form:ident, $default:literal, $doc:literal,
     $($field:ident).+ = |$value:ident| $read:expr) => {
        setting($key, Form::$form, $default, $doc, |config, $value| {
            config.$($field).+ = $read?;
            Ok(())
        })
    };
}

const MIB: i64 = 1 << 20;
const GIB: i64 = 1 << 30;

pub static SETTINGS: &[Setting] = &[
    row!(
        "listen",
        List,
        "127.0.0.1:8008",
        "Addresses to listen on. 0.0.0.0:8008 is every network of this machine: put TLS or a proxy in front then.",
        listen = |v| addresses(v)
    ),
    row!(
        "public_url",
        Text,
        "",
        "The address that clients use, with the path prefix if there is one: https://cal.example.org or\n\
         https://example.org/calendars. Every absolute address is made of it. Empty: made of `listen`.",
        public_url = |v| web_address(v)
    ),
    row!(
        "data_dir",
        Text,
        "./data",
        "Where the database and the sealing key are kept. Created when it is missing.",
        data_dir = |v| text(v).map(PathBuf::from)
    ),
    row!(
        "database_url",
        Text,
        "",
        "sqlite:PATH, or postgres://USER:PASSWORD@HOST/DATABASE. Empty: kalends.db in data_dir.",
        database = |v| database(v)
    ),
    row!(
        "workers",
        Plain,
        "0",
        "Threads that serve requests. 0: one for each processor.",
        workers = |v| number(v, 0, 1024)
    ),
    row!(
        "trusted_proxies",
        List,
        "127.0.0.0/8, ::1",
        "Addresses of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
        trusted_proxies = |v| networks(v)
    ),
    row!(
        "insecure_basic",
        Plain,
        "false",
        "Take passwords and tokens over unencrypted connections too. Otherwise they are taken over TLS, from this\n\
         machine, and through a trusted proxy that says that it was reached by https.",
        insecure_basic = |v| flag(v)
    ),
    row!(
        "metrics_public",
        Plain,
        "false",
        "Answer /metrics to everybody; otherwise to this machine and to API tokens with the scope admin.",
        metrics_public = |v| flag(v)
    ),
    row!(
        "log.level",
        Text,
        "info",
        "What is logged: error, warn, info, debug or trace; or by module: `info,kalends=debug`.",
        log.level = |v| level(v)
    ),
    setting(
        "log.format",
        Form::Text,
        "text",
        "text for people, json for machines.",
        |config, value| {
            config.log.json = match text(value)?.as_str() {
                "text" => false,
                "json" => true,
                _ => return Err("must be text or json".into()),
            };
            Ok(())
        },
    ),
    setting(
        "log.access",
        Form::Text,
        "problems",
        "Which requests are logged: none, problems (failed on our side, throttled, or slow) or all.",
        |config, value| {
            config.log.access = match text(value)?.as_str() {
                "none" => AccessLog::None,
                "problems" => AccessLog::Problems,
                "all" => AccessLog::All,
                _ => return Err("must be none, problems or all".into()),
            };
            Ok(())
        },
    ),
    setting(
        "tls.cert",
        Form::Text,
        "",
        "Certificate chain (PEM), to serve https without a proxy. Read again on SIGHUP and when the file changes.",
        |config, value| tls(config, |tls| &mut tls.cert, value),
    ),
    setting(
        "tls.key",
        Form::Text,
        "",
        "Its private key (PEM).",
        |config, value| tls(config, |tls| &mut tls.key, value),
    ),
    row!(
        "google.client_id",
        Text,
        "",
        "OAuth client of your project in Google's console (README, *Google*). Empty: nobody can connect Google calendars.",
        google.client_id = |v| text(v)
    ),
    row!(
        "google.client_secret",
        Text,
        "",
        "Its secret. Better as the variable KALENDS_GOOGLE__CLIENT_SECRET.",
        google.client_secret = |v| text(v).map(SecretString::from)
    ),
    row!(
        "google.authorize_url",
        Text,
        "https://accounts.google.com/o/oauth2/v2/auth",
        "Google's addresses; others for tests and proxies.",
        google.authorize_url = |v| web_address(v)
    ),
    row!(
        "google.token_url",
        Text,
        "https://oauth2.googleapis.com/token",
        "",
        google.token_url = |v| web_address(v)
    ),
    row!(
        "google.userinfo_url",
        Text,
        "https://openidconnect.googleapis.com/v1/userinfo",
        "",
        google.userinfo_url = |v| web_address(v)
    ),
    row!(
        "google.revoke_url",
        Text,
        "https://oauth2.googleapis.com/revoke",
        "",
        google.revoke_url = |v| web_address(v)
    ),
    row!(
        "google.api_url",
        Text,
        "https://www.googleapis.com/calendar/v3",
        "",
        google.api_url = |v| web_address(v)
    ),
    row!(
        "microsoft.client_id",
        Text,
        "",
        "Application (client) id of your registration in Entra (README, *Microsoft*). Empty: nobody can connect Outlook\n\
         calendars.",
        microsoft.client_id = |v| text(v)
    ),
    row!(
        "microsoft.client_secret",
        Text,
        "",
        "Its client secret's value, not its id. Better as the variable KALENDS_MICROSOFT__CLIENT_SECRET.",
        microsoft.client_secret = |v| text(v).map(SecretString::from)
    ),
    row!(
        "microsoft.tenant",
        Text,
        "common",
        "common: work and personal accounts; organizations; consumers; or one organisation's id or domain.",
        microsoft.tenant = |v| text(v)
    ),
    row!(
        "microsoft.authorize_url",
        Text,
        "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
        "Microsoft's addresses, where {tenant} stands for the setting above; others for tests and proxies.",
        microsoft.authorize_url = |v| text(v)
    ),
    row!(
        "microsoft.token_url",
        Text,
        "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        "",
        microsoft.token_url = |v| text(v)
    ),
    row!(
        "microsoft.userinfo_url",
        Text,
        "https://graph.microsoft.com/oidc/userinfo",
        "",
        microsoft.userinfo_url = |v| web_address(v)
    ),
    row!(
        "microsoft.api_url",
        Text,
        "https://graph.microsoft.com/v1.0",
        "",
        microsoft.api_url = |v| web_address(v)
    ),
    row!(
        "fetch.allow_networks",
        List,
        "",
        "Networks inside (10.0.0.0/8, 127.0.0.1 …) that calendar servers and .ics addresses which people connect may be in.\n\
         Otherwise only public addresses are fetched. Addresses in this file are always fetched.",
        fetch_allow = |v| networks(v)
    ),
    row!(
        "limits.object_bytes",
        Plain,
        "10485760",
        "Size of one calendar object.",
        limits.object_bytes = |v| number(v, 1024, GIB)
    ),
    row!(
        "limits.xml_bytes",
        Plain,
        "4194304",
        "Size of an XML request body.",
        limits.xml_bytes = |v| number(v, 1024, 256 * MIB)
    ),
    row!(
        "limits.xml_depth",
        Plain,
        "64",
        "Depth of elements in an XML request body.",
        limits.xml_depth = |v| number(v, 8, 1024)
    ),
    row!(
        "limits.json_bytes",
        Plain,
        "4194304",
        "Size of a JSON request body.",
        limits.json_bytes = |v| number(v, 1024, 256 * MIB)
    ),
    row!(
        "limits.import_bytes",
        Plain,
        "268435456",
        "Size of one file that is imported.",
        limits.import_bytes = |v| number(v, 1024, 4 * GIB)
    ),
    row!(
        "limits.property_bytes",
        Plain,
        "262144",
        "Size of one WebDAV property that a client stores.",
        limits.property_bytes = |v| number(v, 1024, 16 * MIB)
    ),
    row!(
        "limits.multiget_hrefs",
        Plain,
        "20000",
        "Hrefs in one calendar-multiget.",
        limits.multiget_hrefs = |v| number(v, 1, 1_000_000)
    ),
    row!(
        "limits.instances",
        Plain,
        "20000",
        "Instances of recurring objects that one request may expand.",
        limits.instances = |v| number(v, 100, 10_000_000)
    ),
    row!(
        "limits.attendees",
        Plain,
        "1000",
        "Attendees of one instance.",
        limits.attendees = |v| number(v, 1, 100_000)
    ),
    row!(
        "limits.header_bytes",
        Plain,
        "65536",
        "Size of a request's head: its line and headers.",
        limits.header_bytes = |v| number(v, 8192, MIB)
    ),
    row!(
        "limits.header_seconds",
        Plain,
        "60",
        "Time for a request's head to arrive; also how long an idle connection is kept open.",
        limits.header_time = |v| seconds(v, 3600)
    ),
    row!(
        "limits.body_seconds",
        Plain,
        "30",
        "The longest pause within a request body.",
        limits.body_stall = |v| seconds(v, 3600)
    ),
    row!(
        "limits.connections",
        Plain,
        "800",
        "Connections at the same time; more wait to be accepted. Keep it below the limit of open files (ulimit -n).",
        limits.connections = |v| number(v, 1, 100_000)
    ),
    row!(
        "limits.shutdown_seconds",
        Plain,
        "10",
        "Time that requests have to finish when the server is told to stop.",
        limits.shutdown_time = |v| seconds(v, 3600)
    ),
    row!(
        "retention.history_days",
        Plain,
        "90",
        "How long replaced and deleted versions of objects are kept.",
        retention.history_days = |v| number(v, 0, 36500)
    ),
    row!(
        "retention.trash_days",
        Plain,
        "30",
        "How long deleted calendars are kept.",
        retention.trash_days = |v| number(v, 0, 36500)
    ),
    row!(
        "retention.changes_days",
        Plain,
        "180",
        "How long deletions are remembered for sync. A client that was away for longer reads everything again.",
        retention.changes_days = |v| number(v, 1, 36500)
    ),
];

fn database(value: &Value) -> Result<SecretString, String> {
    let url = text(value)?;
    let known = ["sqlite:", "postgres://", "postgresql://"];
    if url.is_empty() || known.iter().any(|scheme| url.starts_with(scheme)) {
        Ok(url.into())
    } else {
        Err("must start with sqlite: or postgres://".into())
    }
}

fn level(value: &Value) -> Result<String, String> {
    let level = text(value)?;
    match tracing_subscriber::EnvFilter::try_new(&level) {
        Ok(_) => Ok(level),
        Err(fault) => Err(format!("`{level}` is not a filter: {fault}")),
    }
}

/// Sets one of the two files; [`super::load`] checks that both or none are there.
fn tls(
    config: &mut Config,
    field: fn(&mut Tls) -> &mut PathBuf,
    value: &Value,
) -> Result<(), String> {
    let path = text(value)?;
    if !path.is_empty() {
        let tls = config.tls.get_or_insert_with(|| Tls {
            cert: PathBuf::new(),
            key: PathBuf::new(),
        });
        *field(tls) = path.into();
    }
    Ok(())
}
