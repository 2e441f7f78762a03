//! The consent page: a choice of account, a box for each scope, and a way to say no.

use super::super::web::{self, Answer, Params};
use super::{Authority, Consent, Flavour};

pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// An error that is told to the person, not to the application.
pub fn failure(status: u16, text: &str) -> Answer {
    let body = format!(
        "<!doctype html><title>Error</title><h1>Access blocked</h1><p>{}</p>",
        escape(text)
    );
    web::text(status, "text/html; charset=utf-8", body)
}

impl Authority {
    pub(super) fn show_page(&self, ask: &Params) -> Answer {
        let hidden: String = ask
            .0
            .iter()
            .map(|(key, value)| {
                let (key, value) = (escape(key), escape(value));
                format!("<input type=hidden name=\"{key}\" value=\"{value}\">\n")
            })
            .collect();
        let hint = ask.get("login_hint").unwrap_or("");
        let people = self.people();
        let accounts: String = people
            .iter()
            .enumerate()
            .map(|(at, person)| {
                let chosen = person.email == hint || (at == 0 && !people.iter().any(|p| p.email == hint));
                let email = escape(&person.email);
                let checked = if chosen { " checked" } else { "" };
                format!("<label><input type=radio name=sim_account value=\"{email}\"{checked}> {email}</label><br>\n")
            })
            .collect();
        let scopes: String = ask
            .get("scope")
            .unwrap_or("")
            .split_whitespace()
            .map(|scope| {
                let scope = escape(scope);
                format!("<label><input type=checkbox name=sim_scope value=\"{scope}\" checked> {scope}</label><br>\n")
            })
            .collect();
        let who = match self.flavour {
            Flavour::Google => "Google",
            Flavour::Microsoft => "Microsoft",
        };
        let body = format!(
            "<!doctype html><meta charset=utf-8><title>Simulated {who} sign-in</title>\n\
             <style>body{{font:16px sans-serif;max-width:40em;margin:3em auto}}button{{font:inherit;padding:.4em 1em}}</style>\n\
             <h1>Simulated {who} sign-in</h1>\n<form method=post>\n{hidden}\
             <h2>Account</h2>\n{accounts}<h2>{} wants to</h2>\n{scopes}\
             <p><button name=sim_answer value=allow>Allow</button> \
             <button name=sim_answer value=deny>Deny</button></p>\n</form>\n",
            escape(ask.get("client_id").unwrap_or("?"))
        );
        web::text(200, "text/html; charset=utf-8", body)
    }

    pub(super) fn decide(&self, form: &Params) -> Answer {
        let consent = match form.get("sim_answer") {
            Some("allow") => Consent::Scopes(form.all("sim_scope").map(str::to_string).collect()),
            _ => Consent::Deny,
        };
        let account = form.get("sim_account").unwrap_or("").to_string();
        if consent != Consent::Deny && self.find(&account).is_none() {
            return failure(400, "There is no such account.");
        }
        match self.consent(form, &account, consent) {
            Ok(url) if form.get("response_mode") == Some("form_post") => post_back(&url),
            Ok(url) => web::redirect(&url),
            Err(answer) => answer,
        }
    }
}

/// `response_mode=form_post`: the answer travels as a form that sends itself.
fn post_back(url: &str) -> Answer {
    let (target, query) = url.split_once('?').unwrap_or((url, ""));
    let fields: String = Params::parse(query)
        .0
        .iter()
        .map(|(key, value)| {
            let (key, value) = (escape(key), escape(value));
            format!("<input type=hidden name=\"{key}\" value=\"{value}\">")
        })
        .collect();
    let body = format!(
        "<!doctype html><form method=post action=\"{}\">{fields}<button>Continue</button></form>\
         <script>document.forms[0].submit()</script>",
        escape(target)
    );
    web::text(200, "text/html; charset=utf-8", body)
}
