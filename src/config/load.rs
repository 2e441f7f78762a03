//! Gathering the settings from file, variables and flags.

use std::path::PathBuf;

use toml::Value;

use super::Config;
use super::settings::{Form, SETTINGS, Setting};

/// Where settings come from, besides the defaults. Everything is handed in, so that tests need no environment.
#[derive(Default)]
pub struct Sources {
    /// The configuration file that was asked for; it must exist then. Otherwise `config.toml` is read if it is there.
    pub file: Option<PathBuf>,
    /// All variables of the process.
    pub variables: Vec<(String, String)>,
    /// Flags of the command line: key and value.
    pub flags: Vec<(&'static str, String)>,
}

/// Variables with our prefix that are no settings.
const NO_SETTINGS: &[&str] = &["KEY", "CONFIG", "SHARED"];
/// Beginnings of such variables: those of tests, and those that container schedulers set for a service named
/// `kalends` (KALENDS_SERVICE_HOST, KALENDS_PORT_8008_TCP …).
const NO_SETTINGS_PREFIX: &[&str] = &["TEST_", "SERVICE_", "PORT"];

/// All settings, or what is wrong with them, for a person.
pub fn load(sources: &Sources) -> Result<Config, String> {
    let mut config = Config::default();
    let named = variable(sources, "KALENDS_CONFIG").map(PathBuf::from);
    let (path, required) = match sources.file.clone().or(named) {
        Some(path) => (path, true),
        None => (PathBuf::from("config.toml"), false),
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let origin = path.display().to_string();
            apply_file(&mut config, &text).map_err(|why| format!("{origin}: {why}"))?;
        }
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound && !required => {}
        Err(fault) => return Err(format!("{}: {fault}", path.display())),
    }
    for (name, value) in &sources.variables {
        apply_variable(&mut config, name, value)?;
    }
    for (key, value) in &sources.flags {
        let value = Value::String(value.clone());
        apply(&mut config, key, &value).map_err(|why| format!("--{}: {why}", dashed(key)))?;
    }
    check(&config)?;
    Ok(config)
}

fn variable<'a>(sources: &'a Sources, name: &str) -> Option<&'a str> {
    let mut all = sources.variables.iter();
    all.find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

fn dashed(key: &str) -> String {
    key.replace(['_', '.'], "-")
}

fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

fn apply(config: &mut Config, key: &str, value: &Value) -> Result<(), String> {
    let setting = find(key).ok_or_else(|| format!("there is no setting `{key}`"))?;
    (setting.set)(config, value)
}

fn apply_file(config: &mut Config, text: &str) -> Result<(), String> {
    let table: toml::Table = text
        .parse()
        .map_err(|fault: toml::de::Error| fault.to_string())?;
    for (key, value) in &table {
        match value {
            Value::Table(inner) if find(key).is_none() => {
                for (name, value) in inner {
                    let key = format!("{key}.{name}");
                    apply(config, &key, value).map_err(|why| named(&key, why))?;
                }
            }
            _ => apply(config, key, value).map_err(|why| named(key, why))?,
        }
    }
    Ok(())
}

/// Puts the setting's name before a complaint about its value.
fn named(key: &str, why: String) -> String {
    if why.starts_with("there is no setting") {
        why
    } else {
        format!("{key}: {why}")
    }
}

fn apply_variable(config: &mut Config, name: &str, value: &str) -> Result<(), String> {
    let Some(rest) = name.strip_prefix("KALENDS_") else {
        return Ok(());
    };
    let ours = |prefix: &&str| rest.starts_with(*prefix);
    if NO_SETTINGS.contains(&rest) || NO_SETTINGS_PREFIX.iter().any(ours) {
        return Ok(());
    }
    let key = rest.to_ascii_lowercase().replace("__", ".");
    let value = Value::String(value.to_string());
    apply(config, &key, &value).map_err(|why| format!("{name}: {why}"))
}

/// What no single setting can say.
fn check(config: &Config) -> Result<(), String> {
    let Some(tls) = &config.tls else {
        return Ok(());
    };
    if tls.cert.as_os_str().is_empty() || tls.key.as_os_str().is_empty() {
        return Err("tls.cert and tls.key must be set together".into());
    }
    Ok(())
}

/// The text of `config.example.toml`: every setting with its documentation and default, commented out.
pub fn example() -> String {
    let mut text = String::from(
        "# Kalends: every setting with its default. Copy to config.toml and uncomment what you change.\n\
         # Each one can be given as a variable as well: KALENDS_LISTEN, KALENDS_LIMITS__OBJECT_BYTES …\n\
         # The sealing key comes from KALENDS_KEY or from kalends.key in data_dir; it is never part of a backup.\n",
    );
    let mut table = "";
    for setting in SETTINGS {
        let (group, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
        if group != table {
            text.push_str(&format!("\n[{group}]\n"));
            table = group;
        }
        if !setting.doc.is_empty() {
            text.push('\n');
        }
        for line in setting.doc.lines() {
            text.push_str(&format!("# {line}\n"));
        }
        text.push_str(&format!("#{name} = {}\n", written(setting)));
    }
    text
}

fn written(setting: &Setting) -> String {
    match setting.form {
        Form::Plain => setting.default.to_string(),
        Form::Text => Value::from(setting.default).to_string(),
        Form::List => {
            let words = setting.default.split(", ").filter(|word| !word.is_empty());
            let items: Vec<Value> = words.map(Value::from).collect();
            Value::Array(items).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(text: &str) -> Result<Config, String> {
        let mut config = Config::default();
        apply_file(&mut config, text)?;
        check(&config)?;
        Ok(config)
    }

    fn with_variables(variables: &[(&str, &str)]) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "workers = 3\n").unwrap();
        load(&Sources {
            file: Some(file),
            variables: variables
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            flags: vec![("listen", "127.0.0.1:9".into())],
        })
    }

    #[test]
    fn the_example_file_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml");
        if std::env::var_os("KALENDS_TEST_WRITE_EXAMPLE").is_some() {
            std::fs::write(path, example()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), example());
    }

    #[test]
    fn the_example_uncommented_is_the_default() {
        let text: String = example()
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let config = with_file(&text).unwrap();
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn later_sources_win() {
        let config = with_variables(&[
            ("KALENDS_LISTEN", "127.0.0.1:7"),
            ("KALENDS_LIMITS__OBJECT_BYTES", "2_000_000"),
            ("KALENDS_KEY", "secret"),
            ("KALENDS_TEST_POSTGRES", "postgres://"),
            ("KALENDS_PORT_8008_TCP", "tcp://10.0.0.1:8008"),
            ("HOME", "/root"),
        ])
        .unwrap();
        assert_eq!(config.workers, 3);
        assert_eq!(config.limits.object_bytes, 2_000_000);
        assert_eq!(config.listen, ["127.0.0.1:9".parse().unwrap()]);
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        for (text, complaint) in [
            ("lisen = 1", "there is no setting `lisen`"),
            (
                "[limits]\nobject_byte = 1",
                "there is no setting `limits.object_byte`",
            ),
            (
                "[limits]\nobject_bytes = \"big\"",
                "limits.object_bytes: must be a whole number",
            ),
            (
                "listen = \"localhost\"",
                "listen: `localhost` is not an address",
            ),
            (
                "[tls]\ncert = \"a.pem\"",
                "tls.cert and tls.key must be set together",
            ),
            (
                "[gogle]\nclient_id = \"x\"",
                "there is no setting `gogle.client_id`",
            ),
            (
                "database_url = \"mysql://\"",
                "database_url: must start with",
            ),
        ] {
            let why = with_file(text).unwrap_err();
            assert!(why.starts_with(complaint), "{text}: {why}");
        }
        let why = with_variables(&[("KALENDS_LISTN", "x")]).unwrap_err();
        assert_eq!(why, "KALENDS_LISTN: there is no setting `listn`");
    }
}
