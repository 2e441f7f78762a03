//! Tables for people and JSON for programs, out of the same rows.

use std::io::{self, Write};

use serde_json::Value;

use super::Outcome;

/// Prints rows: an aligned table, or with `json` an array of objects.
pub fn rows(json: bool, columns: &[&str], rows: &[Vec<Value>]) -> Outcome {
    let mut out = io::stdout().lock();
    if json {
        let objects: Vec<Value> = rows
            .iter()
            .map(|row| {
                let named = columns.iter().zip(row);
                named
                    .map(|(name, value)| (name.to_string(), value.clone()))
                    .collect()
            })
            .collect();
        serde_json::to_writer_pretty(&mut out, &objects).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(());
    }
    write!(out, "{}", table(columns, rows))?;
    Ok(())
}

fn table(columns: &[&str], rows: &[Vec<Value>]) -> String {
    let heads: Vec<String> = columns
        .iter()
        .map(|c| c.replace('_', " ").to_uppercase())
        .collect();
    let mut lines = vec![heads];
    lines.extend(
        rows.iter()
            .map(|row| row.iter().map(cell).collect::<Vec<_>>()),
    );
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(false) => "-".into(),
        Value::Bool(true) => "yes".into(),
        // Labels are what people and programs chose: they must not drive a terminal.
        Value::String(text) => text
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Seconds since 1970 as RFC 3339.
pub fn time(seconds: i64) -> Value {
    jiff::Timestamp::from_second(seconds).map_or(Value::Null, |time| time.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_and_harmless() {
        let rows = [
            vec!["anna".into(), true.into(), Value::Null],
            vec!["b\u{1b}[31m".into(), false.into(), vec!["x", "y"].into()],
        ];
        let text = table(&["name", "admin", "last_used"], &rows);
        assert_eq!(
            text,
            "NAME    ADMIN  LAST USED\nanna    yes    -\nb\u{fffd}[31m  -      x, y\n"
        );
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(time(0), Value::from("1970-01-01T00:00:00Z"));
    }
}
