//! The token endpoint (RFC 6749 §4.1.3, §6; RFC 7636 §4.6) and Google's revocation (RFC 7009).

use super::super::web::{self, Answer, Call, Params};
use super::super::world::lock;
use super::{Authority, Flavour, State};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The challenge of a verifier (RFC 7636 §4.2).
fn digest(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// (AADSTS number, OAuth error, suberror)
const AADSTS: &[(u32, &str, &str)] = &[
    (65001, "invalid_grant", "consent_required"),
    (65004, "invalid_grant", ""),
    (90094, "invalid_grant", ""),
    (50076, "invalid_grant", "basic_action"),
    (50079, "invalid_grant", "basic_action"),
    (53000, "invalid_grant", "message_only"),
    (50173, "invalid_grant", "bad_token"),
    (70043, "invalid_grant", "token_expired"),
    (700082, "invalid_grant", ""),
    (700084, "invalid_grant", ""),
    (70008, "invalid_grant", ""),
    (50089, "invalid_grant", ""),
    (54005, "invalid_grant", ""),
    (70000, "invalid_grant", ""),
    (501481, "invalid_grant", ""),
    (9002313, "invalid_request", ""),
    (50011, "invalid_request", ""),
    (7000215, "invalid_client", ""),
    (7000222, "invalid_client", ""),
    (700016, "unauthorized_client", ""),
    (90002, "invalid_request", ""),
    (90033, "temporarily_unavailable", ""),
    (90055, "temporarily_unavailable", ""),
    (50196, "invalid_grant", ""),
];

/// Microsoft's error body.
pub fn aadsts(status: u16, code: u32, text: &str) -> Answer {
    let row = AADSTS.iter().find(|(number, ..)| *number == code);
    let (_, error, suberror) = row.copied().unwrap_or((code, "invalid_grant", ""));
    let mut body = json!({
        "error": error,
        "error_description": format!("AADSTS{code}: {text}"),
        "error_codes": [code],
        "timestamp": "2026-01-01 00:00:00Z",
        "trace_id": "7b1fd6a5-0000-4000-a000-000000000000",
        "correlation_id": "2f0a1c11-0000-4000-a000-000000000000",
        "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
    });
    if !suberror.is_empty() {
        body["suberror"] = suberror.into();
    }
    if matches!(code, 50076 | 50079 | 53000) {
        body["error"] = "interaction_required".into();
        body["claims"] =
            r#"{"access_token":{"capolids":{"essential":true,"values":["simulated"]}}}"#.into();
    }
    web::json(status, &body)
}

impl Authority {
    /// An error in the words of the provider.
    fn refusal(&self, status: u16, google: &str, aadsts_code: u32, text: &str) -> Answer {
        match self.flavour {
            Flavour::Google => {
                web::json(status, &json!({"error": google, "error_description": text}))
            }
            Flavour::Microsoft => aadsts(status, aadsts_code, text),
        }
    }

    pub(super) fn token(&self, call: &Call) -> Answer {
        let form = call.form();
        let mut state = lock(&self.state);
        let client = match self.client(&state, call, &form) {
            Ok(client) => client,
            Err(answer) => return answer,
        };
        let result = match form.get("grant_type") {
            Some("authorization_code") => self.redeem(&mut state, &client, &form),
            Some("refresh_token") => self.refresh(&mut state, &client, &form),
            _ => Err(self.refusal(400, "unsupported_grant_type", 70003, "Invalid grant_type")),
        };
        match result {
            Ok(body) => web::with(web::json(200, &body), "cache-control", "no-store"),
            Err(answer) => answer,
        }
    }

    /// The application: credentials in the form or as Basic.
    fn client(&self, state: &State, call: &Call, form: &Params) -> Result<String, Answer> {
        let basic = call.header("authorization").and_then(|value| {
            let bytes = STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
            let text = String::from_utf8(bytes).ok()?;
            let (id, secret) = text.split_once(':')?;
            Some((web::decode(id), web::decode(secret)))
        });
        let (id, secret) = match basic {
            Some((id, secret)) => (id, Some(secret)),
            None => (
                form.get("client_id").unwrap_or("").to_string(),
                form.get("client_secret").map(str::to_string),
            ),
        };
        let Some(client) = state.clients.iter().find(|client| client.id == id) else {
            let status = if self.flavour == Flavour::Google {
                401
            } else {
                400
            };
            return Err(self.refusal(
                status,
                "invalid_client",
                700016,
                "The OAuth client was not found.",
            ));
        };
        if client.secret.is_some() && client.secret != secret {
            return Err(self.refusal(
                401,
                "invalid_client",
                7000215,
                "Invalid client secret provided.",
            ));
        }
        Ok(id)
    }

    fn redeem(&self, state: &mut State, client: &str, form: &Params) -> Result<Value, Answer> {
        let now = self.world.now();
        let bad = |text: &str, code: u32| self.refusal(400, "invalid_grant", code, text);
        let key = form.get("code").unwrap_or("").to_string();
        let Some(code) = state.codes.get_mut(&key) else {
            return Err(bad("Malformed auth code.", 70000));
        };
        if code.used || code.until <= now {
            return Err(bad("Code was already redeemed or has expired.", 54005));
        }
        if code.client != client {
            return Err(bad("Unauthorized", 70000));
        }
        if form.get("redirect_uri") != Some(&code.redirect) {
            return Err(self.refusal(
                400,
                "redirect_uri_mismatch",
                50011,
                "The redirect URI does not match.",
            ));
        }
        let verifier = form.get("code_verifier");
        if let Some(challenge) = &code.challenge {
            let fine = verifier.is_some_and(|verifier| {
                (43..=128).contains(&verifier.len()) && digest(verifier) == *challenge
            });
            if !fine {
                return Err(bad("Invalid code verifier.", 501481));
            }
        } else {
            self.world.violation("sign-in without PKCE");
        }
        code.used = true;
        let code = code.clone();
        let mut body = self.answer(state, client, &code.email, &code.scopes);
        if code.refresh {
            let refresh = self.new_refresh(state, client, &code.email, &code.scopes);
            body["refresh_token"] = refresh.into();
            if state.settings.testing && self.flavour == Flavour::Google {
                body["refresh_token_expires_in"] = 604_799.into();
            }
        }
        if code.scopes.iter().any(|scope| scope == "openid") {
            body["id_token"] = self.id_token(state, client, &code.email, code.nonce).into();
        }
        Ok(body)
    }

    fn refresh(&self, state: &mut State, client: &str, form: &Params) -> Result<Value, Answer> {
        let now = self.world.now();
        let token = form.get("refresh_token").unwrap_or("").to_string();
        let Some(grant) = state.refresh.get(&token).cloned() else {
            let text = "Token has been expired or revoked.";
            return Err(self.refusal(400, "invalid_grant", 50173, text));
        };
        if grant.until <= now || grant.client != client {
            let text = "Token has been expired or revoked.";
            return Err(self.refusal(400, "invalid_grant", 700082, text));
        }
        let mut body = self.answer(state, client, &grant.email, &grant.scopes);
        if state.settings.rotates {
            let fresh = self.new_refresh(state, client, &grant.email, &grant.scopes);
            body["refresh_token"] = fresh.into();
            let life = state.settings.old_refresh_life;
            match state.refresh.get_mut(&token) {
                Some(old) if life > 0 => old.until = old.until.min(now + life),
                _ => drop(state.refresh.remove(&token)),
            }
        }
        Ok(body)
    }

    fn answer(&self, state: &mut State, client: &str, email: &str, scopes: &[String]) -> Value {
        let access = self.new_access(state, client, email, scopes);
        let told = scopes.iter().filter(|scope| *scope != "offline_access");
        let told: Vec<&str> = told.map(String::as_str).collect();
        let mut body = json!({
            "access_token": access,
            "expires_in": state.settings.access_life,
            "scope": told.join(" "),
            "token_type": "Bearer",
        });
        if self.flavour == Flavour::Microsoft {
            body["ext_expires_in"] = state.settings.access_life.into();
        }
        body
    }

    /// A JWT whose signature means nothing: it comes straight from the token endpoint (OpenID Connect Core §3.1.3.7).
    fn id_token(&self, state: &State, client: &str, email: &str, nonce: Option<String>) -> String {
        let person = state.people.iter().find(|person| person.email == email);
        let id = person.map_or("", |person| &person.id);
        let now = self.world.now();
        let mut claims = json!({
            "iss": match self.flavour {
                Flavour::Google => "https://accounts.google.com",
                Flavour::Microsoft => "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
            },
            "aud": client, "sub": id, "email": email, "iat": now, "exp": now + 3600,
            "name": person.map_or("", |person| &person.name),
        });
        match self.flavour {
            Flavour::Google => claims["email_verified"] = true.into(),
            Flavour::Microsoft => {
                claims["oid"] = id.into();
                claims["preferred_username"] = email.into();
                claims["tid"] = "9188040d-6c67-4c5b-b112-36a304b66dad".into();
            }
        }
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = part(&json!({"alg": "RS256", "typ": "JWT", "kid": "simulator"}));
        format!(
            "{head}.{}.{}",
            part(&claims),
            URL_SAFE_NO_PAD.encode("not a signature")
        )
    }

    /// Either token kills the whole grant.
    pub(super) fn revoke_token(&self, form: &Params) -> Answer {
        let token = form.get("token").unwrap_or("");
        let mut state = lock(&self.state);
        let grant = state
            .refresh
            .get(token)
            .map(|r| (r.client.clone(), r.email.clone()));
        let grant = grant.or_else(|| {
            let access = state.access.get(token)?;
            Some((access.client.clone(), access.email.clone()))
        });
        let Some((client, email)) = grant else {
            let body =
                json!({"error": "invalid_token", "error_description": "Token expired or revoked"});
            return web::json(400, &body);
        };
        state
            .refresh
            .retain(|_, r| (&r.client, &r.email) != (&client, &email));
        state
            .access
            .retain(|_, a| (&a.client, &a.email) != (&client, &email));
        state.consents.remove(&(client, email));
        web::json(200, &json!({}))
    }
}
