//! Reads Rust source far enough to know which paths and string literals it mentions: comments fall away, use trees are
//! expanded, `self` and `super` are resolved, test code is left out. Macros defined here are read like other code.

/// What a file of `src` mentions outside its tests.
#[derive(Debug, Default)]
pub struct Mentions {
    pub paths: Vec<Mention>,
    /// String literals.
    pub texts: Vec<Mention>,
}

/// One mention: a path such as `crate::model::Error` or `std::fs::read`, or the text of a literal.
#[derive(Debug, PartialEq)]
pub struct Mention {
    pub line: usize,
    pub text: String,
}

/// The module that a file below `src` is: `["dav", "methods", "put"]`; empty for `lib.rs`.
pub fn module_of(file: &str) -> Vec<String> {
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    match stem {
        "lib" => Vec::new(),
        _ => stem.split('/').map(String::from).collect(),
    }
}

pub fn mentions(file: &str, source: &str) -> Mentions {
    let tokens = without_tests(tokens(source));
    let mut found = Mentions::default();
    let mut module = module_of(file);
    let mut inline: Vec<usize> = Vec::new(); // brace depth at which each inline `mod` opened
    let mut depth = 0;
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at].kind {
            Kind::Text(text) => found.texts.push(Mention {
                line: tokens[at].line,
                text: text.clone(),
            }),
            Kind::Mark('{') => depth += 1,
            Kind::Mark('}') => {
                depth -= 1;
                if inline.last() == Some(&depth) {
                    inline.pop();
                    module.pop();
                }
            }
            Kind::Word(word) if word == "mod" && is_mark(&tokens, at + 2, '{') => {
                inline.push(depth);
                module.extend(word_at(&tokens, at + 1).map(String::from));
            }
            Kind::Word(word) if word == "use" => {
                at = use_tree(&tokens, at + 1, &module, &[], &mut found.paths);
                continue;
            }
            Kind::Word(_) if starts_path(&tokens, at) => {
                let (path, next) = path_at(&tokens, at);
                push_path(&mut found.paths, tokens[at].line, &path, &module);
                at = next;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Expands `a::{b, c::d as e}` after `prefix`; the position after the tree.
fn use_tree(
    tokens: &[Token],
    mut at: usize,
    module: &[String],
    prefix: &[String],
    into: &mut Vec<Mention>,
) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match tokens.get(at).map(|t| &t.kind) {
            Some(Kind::Word(word)) if word == "as" => at += 2, // the new name says nothing
            Some(Kind::Word(word)) => {
                path.push(word.clone());
                at += 1;
            }
            Some(Kind::Mark(':')) => at += 1,
            Some(Kind::Mark('*')) => {
                path.push("*".into());
                at += 1;
            }
            Some(Kind::Mark('{')) => {
                at += 1;
                while at < tokens.len() && !is_mark(tokens, at, '}') {
                    at = use_tree(tokens, at, module, &path, into);
                    at += usize::from(is_mark(tokens, at, ','));
                }
                return at + 1;
            }
            _ => {
                let line = tokens[at.min(tokens.len() - 1)].line;
                push_path(into, line, &path, module);
                return at;
            }
        }
    }
}

/// A path begins at a word followed by `::` that nothing of a path precedes.
fn starts_path(tokens: &[Token], at: usize) -> bool {
    let follows = at > 0 && is_mark(tokens, at - 1, ':') && at > 1 && is_mark(tokens, at - 2, ':');
    !follows && is_mark(tokens, at + 1, ':') && is_mark(tokens, at + 2, ':')
}

fn path_at(tokens: &[Token], mut at: usize) -> (Vec<String>, usize) {
    let mut path = Vec::new();
    while let Some(word) = word_at(tokens, at) {
        path.push(word.to_string());
        at += 1;
        if !(is_mark(tokens, at, ':') && is_mark(tokens, at + 1, ':')) {
            break;
        }
        at += 2;
    }
    (path, at)
}

/// `self::` and `super::` become `crate::…`; a trailing `self` of a use tree names its parent.
fn push_path(into: &mut Vec<Mention>, line: usize, path: &[String], module: &[String]) {
    let mut whole: Vec<String> = Vec::new();
    let mut rest = path;
    if matches!(rest.first().map(String::as_str), Some("self" | "super")) {
        whole.push("crate".into());
        whole.extend(module.iter().cloned());
    }
    while let Some((first, others)) = rest.split_first() {
        match first.as_str() {
            "super" if whole.len() > 1 => drop(whole.pop()),
            "super" | "self" => {}
            _ => break,
        }
        rest = others;
    }
    whole.extend(rest.iter().filter(|word| *word != "self").cloned());
    if !whole.is_empty() {
        into.push(Mention {
            line,
            text: whole.join("::"),
        });
    }
}

#[derive(Debug, Clone)]
struct Token {
    line: usize,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Word(String),
    Text(String),
    Mark(char),
}

fn is_mark(tokens: &[Token], at: usize, mark: char) -> bool {
    tokens.get(at).is_some_and(|t| t.kind == Kind::Mark(mark))
}

fn word_at(tokens: &[Token], at: usize) -> Option<&str> {
    match &tokens.get(at)?.kind {
        Kind::Word(word) => Some(word),
        _ => None,
    }
}

/// Drops each item under `#[test]` or a `#[cfg(…test…)]` that does not say `not`.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if is_mark(&tokens, at, '#') && is_mark(&tokens, at + 1, '[') {
            let end = group_end(&tokens, at + 1);
            let words: Vec<_> = (at..end).filter_map(|i| word_at(&tokens, i)).collect();
            let test = words.contains(&"test") && !words.contains(&"not");
            if test && matches!(words[0], "cfg" | "test" | "tokio") {
                at = item_end(&tokens, end);
                continue;
            }
        }
        kept.push(tokens[at].clone());
        at += 1;
    }
    kept
}

/// The position after the bracket group that opens at `at`.
fn group_end(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(at) {
        match token.kind {
            Kind::Mark('(' | '[' | '{') => depth += 1,
            Kind::Mark(')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    tokens.len()
}

/// The position after the item, field or arm that begins at `at`: its block, or its `;`, or its `,`.
fn item_end(tokens: &[Token], mut at: usize) -> usize {
    let mut item = false;
    while at < tokens.len() {
        match &tokens[at].kind {
            Kind::Mark('{') => return group_end(tokens, at),
            Kind::Mark(';') => return at + 1,
            Kind::Mark(',') if !item => return at + 1,
            Kind::Mark('(' | '[') => at = group_end(tokens, at),
            Kind::Word(word) => {
                item |= ["fn", "impl", "mod", "struct", "enum", "trait", "type"]
                    .contains(&word.as_str());
                at += 1;
            }
            _ => at += 1,
        }
    }
    at
}

fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let mut out = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let from = at;
        let kind = match chars[at] {
            '/' if chars.get(at + 1) == Some(&'/') => {
                at = find(&chars, at, |c| c == '\n');
                None
            }
            '/' if chars.get(at + 1) == Some(&'*') => {
                at = comment_end(&chars, at);
                None
            }
            '"' => quoted(&chars, &mut at, 0, false),
            '\'' => {
                at = char_or_lifetime_end(&chars, at);
                None
            }
            c if c.is_alphanumeric() || c == '_' => word_or_text(&chars, &mut at),
            c => {
                at += 1;
                (!c.is_whitespace()).then_some(Kind::Mark(c))
            }
        };
        out.extend(kind.map(|kind| Token { line, kind }));
        line += chars[from..at].iter().filter(|c| **c == '\n').count();
    }
    out
}

fn find(chars: &[char], at: usize, stop: impl Fn(char) -> bool) -> usize {
    (at..chars.len())
        .find(|i| stop(chars[*i]))
        .unwrap_or(chars.len())
}

fn comment_end(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// `'x'`, `'\n'` and `'\u{1F600}'` are characters; `'a` without a closing quote is a lifetime.
fn char_or_lifetime_end(chars: &[char], at: usize) -> usize {
    if chars.get(at + 1) == Some(&'\\') {
        return find(chars, at + 3, |c| c == '\'') + 1;
    }
    match chars.get(at + 2) {
        Some('\'') => at + 3,
        _ => at + 1,
    }
}

/// A word, a number, or a literal with a prefix (`r#"…"#`, `b"…"`, `c"…"`).
fn word_or_text(chars: &[char], at: &mut usize) -> Option<Kind> {
    let end = find(chars, *at, |c| !(c.is_alphanumeric() || c == '_'));
    let word: String = chars[*at..end].iter().collect();
    let hashes = find(chars, end, |c| c != '#') - end;
    let prefix = matches!(word.as_str(), "r" | "b" | "c" | "br" | "cr");
    let raw = word.ends_with('r');
    if prefix && chars.get(end + hashes) == Some(&'"') && (raw || hashes == 0) {
        *at = end + hashes;
        return quoted(chars, at, hashes, raw);
    }
    if word == "b" && chars.get(end) == Some(&'\'') {
        *at = char_or_lifetime_end(chars, end);
        return None;
    }
    if word == "r" && hashes == 1 {
        *at = end + 1; // a raw identifier: the word follows
        return None;
    }
    *at = end;
    Some(Kind::Word(word))
}

/// The literal whose opening quote is at `at`.
fn quoted(chars: &[char], at: &mut usize, hashes: usize, raw: bool) -> Option<Kind> {
    let from = *at + 1;
    let mut i = from;
    while i < chars.len() {
        match chars[i] {
            '\\' if !raw => i += 2,
            '"' if find(chars, i + 1, |c| c != '#') - (i + 1) >= hashes => break,
            _ => i += 1,
        }
    }
    let end = i.min(chars.len());
    *at = (end + 1 + hashes).min(chars.len());
    Some(Kind::Text(chars[from.min(end)..end].iter().collect()))
}
