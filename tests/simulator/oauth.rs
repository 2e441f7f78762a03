//! Sign-in of Google and of Microsoft: authorization codes with PKCE, refresh, rotation, revocation, and their ways to say no.
//!
//! FACTS §1 and §3; RFC 6749, RFC 7636, RFC 7009 (Google only: Microsoft has no revocation).

pub mod page;
mod token;

use super::faults::Trouble;
use super::web::{self, Answer, Call, Params};
use super::world::{World, lock};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

pub const CLIENT_ID: &str = "simulator-client";
pub const CLIENT_SECRET: &str = "simulator-secret";
pub(super) const ALPHABET: &[u8] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    Google,
    Microsoft,
}

/// What the person at the consent page does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    All,
    /// Only these scopes stay ticked.
    Scopes(Vec<String>),
    Deny,
}

#[derive(Debug, Clone)]
pub struct Person {
    pub email: String,
    pub name: String,
    /// `sub` (and Microsoft's `oid`).
    pub id: String,
    /// A work or school account (Microsoft), a Workspace account (Google).
    pub work: bool,
}

#[derive(Debug, Clone)]
struct Client {
    id: String,
    secret: Option<String>,
    redirects: Vec<String>,
    /// Any port and path of this machine is fine.
    loopback: bool,
}

#[derive(Debug, Clone)]
struct Code {
    client: String,
    email: String,
    redirect: String,
    challenge: Option<String>,
    scopes: Vec<String>,
    nonce: Option<String>,
    refresh: bool,
    until: i64,
    used: bool,
}

/// What a person allowed an application: refresh tokens and access tokens point to it.
#[derive(Debug, Clone)]
struct Refresh {
    client: String,
    email: String,
    scopes: Vec<String>,
    issued: u64,
    until: i64,
}

/// An access token's bearer.
#[derive(Debug, Clone)]
pub struct Access {
    pub email: String,
    pub client: String,
    pub scopes: Arc<Vec<String>>,
    until: i64,
}

impl Access {
    /// Whether one of the scopes was granted (with or without Graph's prefix).
    pub fn has(&self, any: &[&str]) -> bool {
        let short = |scope: &str| scope.rsplit('/').next().unwrap_or(scope).to_lowercase();
        self.scopes.iter().any(|granted| {
            any.iter()
                .any(|wanted| granted == wanted || short(granted) == wanted.to_lowercase())
        })
    }
}

/// Why a bearer token is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    Missing,
    Unknown,
    Expired,
    /// Continuous access evaluation: sign in again with these claims.
    Claims(String),
}

/// Both tokens, as a finished sign-in has them.
#[derive(Debug, Clone)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

pub struct Authority {
    world: Arc<World>,
    pub flavour: Flavour,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    people: Vec<Person>,
    clients: Vec<Client>,
    codes: BTreeMap<String, Code>,
    refresh: BTreeMap<String, Refresh>,
    access: BTreeMap<String, Access>,
    /// (client, email) → scopes consented to before.
    consents: BTreeMap<(String, String), BTreeSet<String>>,
    claims: BTreeMap<String, String>,
    settings: Settings,
}

/// How the authority behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Life of access tokens, seconds.
    pub access_life: i64,
    /// Google's publishing status "Testing": refresh tokens die after seven days.
    pub testing: bool,
    /// How long a rotated refresh token still works (Microsoft).
    pub old_refresh_life: i64,
    /// Every refresh yields a new refresh token (Microsoft does).
    pub rotates: bool,
    /// Only an administrator can consent (Microsoft).
    pub admin_consent: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            access_life: 3599,
            testing: false,
            old_refresh_life: 86_400,
            rotates: false,
            admin_consent: false,
        }
    }
}

impl Authority {
    pub fn new(world: Arc<World>, flavour: Flavour) -> Authority {
        let mut state = State::default();
        state.settings.rotates = flavour == Flavour::Microsoft;
        state.clients.push(Client {
            id: CLIENT_ID.to_string(),
            secret: Some(CLIENT_SECRET.to_string()),
            redirects: Vec::new(),
            loopback: true,
        });
        Authority {
            world,
            flavour,
            state: Mutex::new(state),
        }
    }

    /// A person with an account.
    pub fn person(&self, email: &str, name: &str, work: bool) -> Person {
        let mut state = lock(&self.state);
        if let Some(known) = state.people.iter().find(|p| p.email == email) {
            return known.clone();
        }
        let id = match self.flavour {
            Flavour::Google => format!("1{}", self.world.random(20, b"0123456789")),
            Flavour::Microsoft => self.world.uuid(),
        };
        let person = Person {
            email: email.to_string(),
            name: name.to_string(),
            id,
            work,
        };
        state.people.push(person.clone());
        person
    }
    pub fn people(&self) -> Vec<Person> {
        lock(&self.state).people.clone()
    }
    pub fn find(&self, email: &str) -> Option<Person> {
        let state = lock(&self.state);
        state.people.iter().find(|p| p.email == email).cloned()
    }

    /// Another redirect address of the default application; compared exactly.
    pub fn allow_redirect(&self, uri: &str) {
        if let Some(client) = lock(&self.state).clients.first_mut() {
            client.redirects.push(uri.to_string());
        }
    }
    /// Only registered redirect addresses from now on, also on this machine.
    pub fn refuse_loopback(&self) {
        for client in &mut lock(&self.state).clients {
            client.loopback = false;
        }
    }
    /// The default application's secret is another one from now on (as after it expired).
    pub fn change_secret(&self, secret: &str) {
        if let Some(client) = lock(&self.state).clients.first_mut() {
            client.secret = Some(secret.to_string());
        }
    }
    pub fn settings(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut lock(&self.state).settings);
    }

    /// Tokens without the walk through the browser.
    pub fn tokens(&self, email: &str, scopes: &[&str]) -> Tokens {
        let scopes: Vec<String> = scopes.iter().map(|s| s.to_string()).collect();
        let mut state = lock(&self.state);
        let refresh = self.new_refresh(&mut state, CLIENT_ID, email, &scopes);
        let access = self.new_access(&mut state, CLIENT_ID, email, &scopes);
        Tokens { access, refresh }
    }
    /// An access token of a person for everything.
    pub fn full_access(&self, email: &str) -> String {
        let all: &[&str] = match self.flavour {
            Flavour::Google => &[
                "https://www.googleapis.com/auth/calendar",
                "openid",
                "https://www.googleapis.com/auth/userinfo.email",
            ],
            Flavour::Microsoft => &[
                "https://graph.microsoft.com/Calendars.ReadWrite",
                "https://graph.microsoft.com/User.Read",
                "https://graph.microsoft.com/MailboxSettings.Read",
            ],
        };
        self.tokens(email, all).access
    }

    /// All access tokens are dead; refreshing helps.
    pub fn forget_access_tokens(&self) {
        lock(&self.state).access.clear();
    }
    /// The person withdrew consent, or the account was closed: nothing helps but signing in again.
    pub fn revoke(&self, email: &str) {
        let mut state = lock(&self.state);
        state.refresh.retain(|_, r| r.email != email);
        state.access.retain(|_, a| a.email != email);
        state.consents.retain(|(_, who), _| who != email);
    }
    /// Refuse the person's tokens until a sign-in with `claims` (continuous access evaluation).
    pub fn demand_claims(&self, email: &str, claims: &str) {
        let mut state = lock(&self.state);
        state.claims.insert(email.to_string(), claims.to_string());
    }
    /// Live refresh tokens of a person.
    pub fn refresh_tokens(&self, email: &str) -> Vec<String> {
        let state = lock(&self.state);
        let own = state.refresh.iter().filter(|(_, r)| r.email == email);
        own.map(|(token, _)| token.clone()).collect()
    }

    /// Whose request this is.
    pub fn who(&self, call: &Call) -> Result<Access, Denied> {
        let token = call.bearer().ok_or(Denied::Missing)?;
        let state = lock(&self.state);
        let access = state.access.get(token).ok_or(Denied::Unknown)?;
        if access.until <= self.world.now() {
            return Err(Denied::Expired);
        }
        match state.claims.get(&access.email) {
            Some(claims) => Err(Denied::Claims(claims.clone())),
            None => Ok(access.clone()),
        }
    }

    pub fn handle(&self, call: &Call) -> Answer {
        let path = call.path.as_str();
        let post = call.method == http::Method::POST;
        let ending = path.rsplit('/').next().unwrap_or("");
        match (ending, post) {
            ("auth" | "authorize", false) => self.show_page(&call.params()),
            ("auth" | "authorize", true) => self.decide(&call.form()),
            ("token", true) => self.token(call),
            ("revoke", true) if self.flavour == Flavour::Google => self.revoke_token(&call.form()),
            ("userinfo", _) => self.userinfo(call),
            ("openid-configuration", false) => self.discovery(path),
            _ => web::text(404, "text/plain", "Not found\n"),
        }
    }

    /// What a browser ends up at, after the person chose account and consent on the page at `url`.
    /// `Err` is an error page that leads nowhere.
    pub fn authorize(&self, url: &str, account: &str, consent: Consent) -> Result<String, Answer> {
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let query = query.split('#').next().unwrap_or("");
        self.consent(&Params::parse(query), account, consent)
    }

    fn consent(&self, ask: &Params, account: &str, consent: Consent) -> Result<String, Answer> {
        let mut state = lock(&self.state);
        let (client, redirect) = self.check_client(&state, ask)?;
        let back = |pairs: &[(&str, &str)]| Ok(back_to(&redirect, ask, pairs));
        if ask.get("response_type") != Some("code") {
            return back(&[("error", "unsupported_response_type")]);
        }
        let challenge = ask.get("code_challenge").map(str::to_string);
        if challenge.is_some() && ask.get("code_challenge_method") != Some("S256") {
            return back(&[("error", "invalid_request")]);
        }
        if state.settings.admin_consent {
            let text = "AADSTS90094: An administrator has to grant access.";
            return back(&[("error", "consent_required"), ("error_description", text)]);
        }
        let asked: Vec<String> = ask
            .get("scope")
            .unwrap_or("")
            .split(' ')
            .filter(|scope| !scope.is_empty())
            .map(str::to_string)
            .collect();
        let granted = match consent {
            Consent::Deny => return self.denied(&redirect, ask),
            Consent::All => asked,
            Consent::Scopes(ticked) => asked.into_iter().filter(|s| ticked.contains(s)).collect(),
        };
        let code = self.remember(
            &mut state, ask, client, &redirect, account, granted, challenge,
        );
        back(&[("code", &code)])
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one code")]
    fn remember(
        &self,
        state: &mut State,
        ask: &Params,
        client: String,
        redirect: &str,
        account: &str,
        granted: Vec<String>,
        challenge: Option<String>,
    ) -> String {
        let granted: Vec<String> = granted.iter().map(|s| self.full_name(s)).collect();
        let key = (client.clone(), account.to_string());
        let first = !state.consents.contains_key(&key);
        let before = state.consents.entry(key).or_default();
        let mut scopes = granted.clone();
        if self.flavour == Flavour::Google && ask.is_true("include_granted_scopes") {
            scopes.extend(before.iter().filter(|s| !granted.contains(s)).cloned());
        }
        before.extend(granted);
        let prompted = ask.get("prompt").is_some_and(|p| p.contains("consent"));
        let refresh = match self.flavour {
            Flavour::Google => ask.get("access_type") == Some("offline") && (first || prompted),
            Flavour::Microsoft => scopes.iter().any(|s| s == "offline_access"),
        };
        if ask.get("claims").is_some() {
            state.claims.remove(account);
        }
        let code = format!("4/0A{}", self.world.random(40, ALPHABET));
        let entry = Code {
            client,
            email: account.to_string(),
            redirect: redirect.to_string(),
            challenge,
            scopes,
            nonce: ask.get("nonce").map(str::to_string),
            refresh,
            until: self.world.now() + 600,
            used: false,
        };
        state.codes.insert(code.clone(), entry);
        code
    }

    fn denied(&self, redirect: &str, ask: &Params) -> Result<String, Answer> {
        let mut pairs = vec![("error", "access_denied")];
        if self.flavour == Flavour::Microsoft {
            pairs.push((
                "error_description",
                "AADSTS65004: User declined to consent to access the app.",
            ));
        }
        Ok(back_to(redirect, ask, &pairs))
    }

    /// An unknown application or address is told to the person, never to the address.
    fn check_client(&self, state: &State, ask: &Params) -> Result<(String, String), Answer> {
        let id = ask.get("client_id").unwrap_or("");
        let client = state.clients.iter().find(|client| client.id == id);
        let Some(client) = client else {
            let text = match self.flavour {
                Flavour::Google => "Error 401: invalid_client. The OAuth client was not found.",
                Flavour::Microsoft => "AADSTS700016: Application was not found in the directory.",
            };
            return Err(page::failure(401, text));
        };
        let redirect = ask.get("redirect_uri").unwrap_or("");
        let local = redirect.starts_with("http://127.0.0.1:")
            || redirect.starts_with("http://localhost:")
            || redirect.starts_with("http://[::1]:");
        let known = client.redirects.iter().any(|known| known == redirect);
        if !(known || client.loopback && local) {
            let text = match self.flavour {
                Flavour::Google => "Error 400: redirect_uri_mismatch.",
                Flavour::Microsoft => "AADSTS50011: The redirect URI does not match.",
            };
            return Err(page::failure(400, text));
        }
        Ok((client.id.clone(), redirect.to_string()))
    }

    /// Google answers with the long names of the short OpenID scopes.
    fn full_name(&self, scope: &str) -> String {
        match (self.flavour, scope) {
            (Flavour::Google, "email" | "profile") => {
                format!("https://www.googleapis.com/auth/userinfo.{scope}")
            }
            _ => scope.to_string(),
        }
    }

    fn userinfo(&self, call: &Call) -> Answer {
        let Ok(access) = self.who(call) else {
            let body =
                json!({"error": "invalid_request", "error_description": "Invalid Credentials"});
            return web::json(401, &body);
        };
        let Some(person) = self.find(&access.email) else {
            return web::json(401, &json!({"error": "invalid_request"}));
        };
        let mut body = json!({"sub": person.id});
        if access.has(&["userinfo.email", "email"]) {
            body["email"] = person.email.into();
            body["email_verified"] = true.into();
        }
        if access.has(&["userinfo.profile", "profile"]) {
            body["name"] = person.name.into();
        }
        web::json(200, &body)
    }

    fn discovery(&self, path: &str) -> Answer {
        let origin = self.world.origin();
        let body = match self.flavour {
            Flavour::Google => json!({
                "issuer": format!("{origin}/google"),
                "authorization_endpoint": format!("{origin}/google/o/oauth2/v2/auth"),
                "token_endpoint": format!("{origin}/google/token"),
                "revocation_endpoint": format!("{origin}/google/revoke"),
                "userinfo_endpoint": format!("{origin}/google/userinfo"),
                "code_challenge_methods_supported": ["S256"],
                "response_types_supported": ["code"],
            }),
            Flavour::Microsoft => {
                let tenant = path.split('/').nth(2).unwrap_or("common");
                let base = format!("{origin}/microsoft/{tenant}");
                json!({
                    "issuer": format!("{base}/v2.0"),
                    "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
                    "token_endpoint": format!("{base}/oauth2/v2.0/token"),
                    "userinfo_endpoint": format!("{base}/userinfo"),
                    "response_types_supported": ["code"],
                })
            }
        };
        web::json(200, &body)
    }

    fn new_access(
        &self,
        state: &mut State,
        client: &str,
        email: &str,
        scopes: &[String],
    ) -> String {
        let now = self.world.now();
        if state.access.len() > 10_000 {
            state.access.retain(|_, access| access.until > now);
        }
        let start = match self.flavour {
            Flavour::Google => "ya29.a0",
            Flavour::Microsoft => "EwB4A8l6",
        };
        let token = format!("{start}{}", self.world.random(60, ALPHABET));
        let access = Access {
            email: email.to_string(),
            client: client.to_string(),
            scopes: Arc::new(scopes.to_vec()),
            until: now + state.settings.access_life,
        };
        state.access.insert(token.clone(), access);
        token
    }

    fn new_refresh(
        &self,
        state: &mut State,
        client: &str,
        email: &str,
        scopes: &[String],
    ) -> String {
        let start = match self.flavour {
            Flavour::Google => "1//0",
            Flavour::Microsoft => "M.C5_BAY.0.U.",
        };
        let token = format!("{start}{}", self.world.random(60, ALPHABET));
        let days = match (self.flavour, state.settings.testing) {
            (Flavour::Google, true) => 7,
            (Flavour::Google, false) => 180,
            (Flavour::Microsoft, _) => 90,
        };
        let refresh = Refresh {
            client: client.to_string(),
            email: email.to_string(),
            scopes: scopes.to_vec(),
            issued: self.world.next(),
            until: self.world.now() + days * 86_400,
        };
        state.refresh.insert(token.clone(), refresh);
        if self.flavour == Flavour::Google {
            drop_the_hundred_and_first(state, client, email);
        }
        token
    }
}

/// Google keeps a hundred refresh tokens for a person and an application; the oldest dies silently.
fn drop_the_hundred_and_first(state: &mut State, client: &str, email: &str) {
    let own = || {
        let all = state.refresh.iter();
        all.filter(|(_, r)| r.client == client && r.email == email)
    };
    if own().count() > 100 {
        let oldest = own().min_by_key(|(_, r)| r.issued);
        if let Some(token) = oldest.map(|(token, _)| token.clone()) {
            state.refresh.remove(&token);
        }
    }
}

/// The redirect address with an answer and the `state` that was sent.
fn back_to(redirect: &str, ask: &Params, pairs: &[(&str, &str)]) -> String {
    let mut url = redirect.to_string();
    let state = ask.get("state").map(|state| ("state", state));
    for (key, value) in state.iter().chain(pairs) {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&format!("{key}={}", web::encode(value)));
    }
    url
}

/// An error of the token endpoint out of the blue: the reason is OAuth's `error`, or the number of an AADSTS code.
pub fn trouble(trouble: &Trouble) -> Answer {
    if let Ok(code) = trouble.reason.trim_start_matches("AADSTS").parse::<u32>() {
        return token::aadsts(trouble.code, code, "simulated");
    }
    let error = match (trouble.reason.as_str(), trouble.code) {
        ("", 500..) => "server_error",
        ("", _) => "temporarily_unavailable",
        (reason, _) => reason,
    };
    let body: Value = json!({"error": error, "error_description": "simulated"});
    web::json(trouble.code, &body)
}
