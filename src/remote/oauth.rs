//! OAuth 2.0 with PKCE (RFC 6749, 7636), driven by each provider's [`OAuthSpec`] and [`Endpoints`]: begin, exchange,
//! refresh, revoke; and whose trouble an error is: the owner's, the operator's, or nobody's for long.

use bytes::Bytes;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, ExtraTokenFields, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RefreshToken, RequestTokenError, RevocationUrl, Scope, StandardRevocableToken,
    StandardTokenResponse, TokenResponse, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};

use super::address::Address;
use super::{Broken, Endpoints, Fault, OAuthSpec, Transport};

/// The application as it is registered at the provider.
#[derive(Clone, Debug)]
pub struct Registration {
    pub client_id: String,
    /// None: a public client.
    pub client_secret: Option<SecretString>,
    pub endpoints: Endpoints,
    /// `{public_url}/oauth/{provider}/callback`, exactly as registered.
    pub redirect: String,
}

/// An authorization to be begun.
#[derive(Clone, Debug, Default)]
pub struct Begin<'a> {
    /// Unguessable, single use.
    pub state: &'a str,
    /// PKCE: 43 to 128 unreserved characters.
    pub verifier: &'a str,
    pub login_hint: Option<&'a str>,
    /// What a claims challenge asked for.
    pub claims: Option<&'a str>,
}

/// What a token endpoint gave.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: SecretString,
    /// None: keep the one there is.
    pub refresh: Option<SecretString>,
    /// Seconds.
    pub expires_in: Option<i64>,
    /// Seconds until the whole grant ends, when the owner allowed it for a time (Google).
    pub refresh_expires_in: Option<i64>,
    /// What was granted, when it is said.
    pub scopes: Option<Vec<String>>,
}

/// What token answers have beside RFC 6749.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
struct Further {
    #[serde(default)]
    refresh_token_expires_in: Option<i64>,
}

impl ExtraTokenFields for Further {}

type Answered = StandardTokenResponse<Further, BasicTokenType>;
type Registered = Client<
    BasicErrorResponse,
    Answered,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointSet,
>;

fn registered(app: &Registration) -> Result<Registered, Fault> {
    let bad = |key: &'static str| {
        move |_| Fault::Operator(format!("the setting {key} is not an address"))
    };
    if app.client_id.is_empty() {
        return Err(Fault::Operator(
            "client_id is not set: register an application at the provider first".into(),
        ));
    }
    let revoke = match app.endpoints.revoke.as_str() {
        "" => None,
        url => Some(RevocationUrl::new(url.into()).map_err(bad("revoke_url"))?),
    };
    let authorize = AuthUrl::new(app.endpoints.authorize.clone()).map_err(bad("authorize_url"))?;
    let token = TokenUrl::new(app.endpoints.token.clone()).map_err(bad("token_url"))?;
    let redirect = RedirectUrl::new(app.redirect.clone()).map_err(bad("public_url"))?;
    let mut client = Client::new(ClientId::new(app.client_id.clone()))
        .set_auth_type(oauth2::AuthType::RequestBody)
        .set_auth_uri(authorize)
        .set_token_uri(token)
        .set_redirect_uri(redirect)
        .set_revocation_url_option(revoke);
    if let Some(secret) = &app.client_secret {
        client = client.set_client_secret(ClientSecret::new(secret.expose_secret().into()));
    }
    Ok(client)
}

/// Where the browser is sent.
///
/// # Errors
/// `Fault::Operator` when the application is not registered in the settings.
pub fn authorize_url(
    app: &Registration,
    spec: &OAuthSpec,
    begin: &Begin<'_>,
) -> Result<String, Fault> {
    let client = registered(app)?;
    let verifier = PkceCodeVerifier::new(begin.verifier.into());
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    let state = begin.state.to_string();
    let mut request = client
        .authorize_url(move || CsrfToken::new(state))
        .set_pkce_challenge(challenge)
        .add_scopes(
            spec.scopes
                .iter()
                .map(|(scope, _)| Scope::new((*scope).into())),
        );
    for (name, value) in spec.authorize {
        request = request.add_extra_param(*name, *value);
    }
    for (name, value) in [("login_hint", begin.login_hint), ("claims", begin.claims)] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            request = request.add_extra_param(name, value.to_string());
        }
    }
    Ok(request.url().0.into())
}

/// Where an administrator approves the application for a whole organisation; none: there is no such page.
pub fn admin_consent_url(app: &Registration, spec: &OAuthSpec) -> Option<String> {
    let (root, _) = app.endpoints.authorize.rsplit_once("/oauth2/")?;
    if spec.admin_consent.is_empty() {
        return None;
    }
    let address = Address::new(root)
        .path(spec.admin_consent)
        .query("client_id", &app.client_id)
        .query("redirect_uri", &app.redirect);
    Some(address.as_str().to_owned())
}

/// Code to tokens.
pub async fn exchange(
    transport: &dyn Transport,
    app: &Registration,
    code: &str,
    verifier: &str,
) -> Result<Tokens, Fault> {
    let client = registered(app)?;
    let http = Http(transport);
    let asked = client
        .exchange_code(AuthorizationCode::new(code.into()))
        .set_pkce_verifier(PkceCodeVerifier::new(verifier.into()))
        .request_async(&http)
        .await;
    asked.map(tokens).map_err(fault)
}

/// A refresh token to new tokens. The answer's refresh token, if there is one, must be stored before the access token
/// is used.
pub async fn refresh(
    transport: &dyn Transport,
    app: &Registration,
    token: &SecretString,
) -> Result<Tokens, Fault> {
    let client = registered(app)?;
    let token = RefreshToken::new(token.expose_secret().into());
    let http = Http(transport);
    let asked = client
        .exchange_refresh_token(&token)
        .request_async(&http)
        .await;
    asked.map(tokens).map_err(fault)
}

/// Takes the grant back. `false`: the provider has no call for that. A token that is dead already is a success.
pub async fn revoke(
    transport: &dyn Transport,
    app: &Registration,
    token: &SecretString,
) -> Result<bool, Fault> {
    if app.endpoints.revoke.is_empty() {
        return Ok(false);
    }
    let token = percent_encoding::utf8_percent_encode(
        token.expose_secret(),
        percent_encoding::NON_ALPHANUMERIC,
    );
    let request = ::http::Request::post(&app.endpoints.revoke)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(format!("token={token}")))
        .map_err(|_| Fault::Operator("the setting revoke_url is not an address".into()))?;
    let answer = transport.send(request).await.map_err(transient)?;
    match answer.status().as_u16() {
        200..=299 | 400 => Ok(true),
        status => Err(Fault::Transient(format!(
            "taking access back was answered with {status}"
        ))),
    }
}

/// Scopes of `spec` that were not granted, with what does not work without them.
pub fn missing(spec: &OAuthSpec, granted: &str) -> Vec<(&'static str, &'static str)> {
    let has = |scope: &str| {
        granted
            .split(' ')
            .any(|one| one == scope || alias(scope) == one)
    };
    let mut missing: Vec<_> = spec.scopes.to_vec();
    missing.retain(|(scope, without)| *without != NOT_LISTED && !has(scope));
    missing
}

/// Scopes that providers do not name in their answers, whether granted or not (`openid`, `offline_access`).
pub const NOT_LISTED: &str = "-";

/// Providers answer some scopes under another name.
fn alias(scope: &str) -> &str {
    match scope {
        "email" => "https://www.googleapis.com/auth/userinfo.email",
        scope => scope
            .strip_prefix("https://graph.microsoft.com/")
            .unwrap_or(scope),
    }
}

/// The transport as the library wants it: a type, so that what waits for it can be sent to another thread.
struct Http<'t>(&'t dyn Transport);

impl<'c> oauth2::AsyncHttpClient<'c> for Http<'_> {
    type Error = Fault;
    type Future = super::Answer<'c, Result<oauth2::HttpResponse, Fault>>;

    fn call(&'c self, request: oauth2::HttpRequest) -> Self::Future {
        Box::pin(send(self.0, request))
    }
}

/// One request for the library. Answers that are not OAuth's own stop here.
async fn send(
    transport: &dyn Transport,
    request: oauth2::HttpRequest,
) -> Result<oauth2::HttpResponse, Fault> {
    let answer = transport
        .send(request.map(Bytes::from))
        .await
        .map_err(transient)?;
    match answer.status().as_u16() {
        429 => Err(Fault::Throttled(None)),
        status @ 500.. => Err(Fault::Transient(format!(
            "the sign-in service answered with {status}"
        ))),
        _ => Ok(answer.map(|body| body.to_vec())),
    }
}

fn transient(broken: Broken) -> Fault {
    Fault::Transient(broken.reason)
}

fn tokens(answer: Answered) -> Tokens {
    let secret = |text: &str| SecretString::from(text.to_string());
    Tokens {
        access: secret(answer.access_token().secret()),
        refresh: answer.refresh_token().map(|token| secret(token.secret())),
        expires_in: answer
            .expires_in()
            .and_then(|life| i64::try_from(life.as_secs()).ok()),
        refresh_expires_in: answer.extra_fields().refresh_token_expires_in,
        scopes: answer
            .scopes()
            .map(|all| all.iter().map(|scope| scope.to_string()).collect()),
    }
}

fn fault(fault: RequestTokenError<Fault, BasicErrorResponse>) -> Fault {
    match fault {
        RequestTokenError::ServerResponse(answer) => {
            let word = answer.error().to_string();
            let words = answer.error_description().map_or("", String::as_str);
            judge(&word, words)
        }
        RequestTokenError::Request(fault) => fault,
        // The body may hold tokens: nothing of it is told.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            Fault::Transient("the sign-in service gave an answer that is not understood".into())
        }
    }
}

/// What is said when only an administrator can consent; see [`admin_consent_url`].
pub const ADMIN: &str = "an administrator of the organisation has to approve this application";

enum Whose {
    /// Only connecting again helps.
    User,
    Operator,
    Later,
}

/// Microsoft's numbers: whose trouble, and what to say.
const AADSTS: &[(&[u32], Whose, &str)] = &[
    (
        &[65001, 65004],
        Whose::User,
        "consent was not given: connect again and agree",
    ),
    (&[90094, 90093], Whose::Operator, ADMIN),
    (
        &[50076, 50079, 50158, 53000, 53001, 53002, 53003, 530003],
        Whose::User,
        "the organisation asks for a new sign-in (second factor or conditional access): connect again",
    ),
    (
        &[50173, 70043, 700082, 70008, 50089],
        Whose::User,
        "access has expired or was taken back: connect again",
    ),
    (
        &[700084],
        Whose::User,
        "access ended after a day, because the redirect address is registered as a single-page application: the \
         operator has to register it as \"Web\" (README, Microsoft); then connect again",
    ),
    (
        &[54005, 70000, 9002313],
        Whose::User,
        "the sign-in was used twice or took too long: begin again",
    ),
    (
        &[50011],
        Whose::Operator,
        "the redirect address is not registered: register {public_url}/oauth/{provider}/callback, letter by letter",
    ),
    (
        &[7000215, 7000222],
        Whose::Operator,
        "the client secret is wrong or has expired",
    ),
    (
        &[700016, 90002, 50194],
        Whose::Operator,
        "the application or the tenant is not known, or not open to such accounts",
    ),
    (
        &[50020, 50034, 50057],
        Whose::User,
        "this account may not use the application, does not exist or is switched off",
    ),
    (
        &[90033, 90055, 50196],
        Whose::Later,
        "the sign-in service is busy",
    ),
];

/// The `error` words of RFC 6749 §5.2 and Google's own.
const WORDS: &[(&str, Whose, &str)] = &[
    (
        "invalid_grant",
        Whose::User,
        "access has expired or was taken back: connect again",
    ),
    (
        "access_denied",
        Whose::User,
        "consent was not given: connect again and agree",
    ),
    (
        "interaction_required",
        Whose::User,
        "a new sign-in is asked for: connect again",
    ),
    (
        "consent_required",
        Whose::User,
        "consent was not given: connect again and agree",
    ),
    (
        "login_required",
        Whose::User,
        "a new sign-in is asked for: connect again",
    ),
    (
        "invalid_client",
        Whose::Operator,
        "client_id or client_secret is wrong",
    ),
    (
        "deleted_client",
        Whose::Operator,
        "the application was deleted at the provider",
    ),
    (
        "disabled_client",
        Whose::Operator,
        "the application was switched off at the provider",
    ),
    (
        "unauthorized_client",
        Whose::Operator,
        "the application may not sign people in this way",
    ),
    (
        "redirect_uri_mismatch",
        Whose::Operator,
        "the redirect address is not registered: register {public_url}/oauth/{provider}/callback, letter by letter",
    ),
    (
        "org_internal",
        Whose::Operator,
        "the application is only open to its own organisation",
    ),
    ("admin_policy_enforced", Whose::Operator, ADMIN),
    (
        "invalid_scope",
        Whose::Operator,
        "a scope is not known, or not approved for the application",
    ),
    (
        "temporarily_unavailable",
        Whose::Later,
        "the sign-in service is busy",
    ),
    (
        "server_error",
        Whose::Later,
        "the sign-in service is in trouble",
    ),
];

/// Whose trouble an error of an authorization or token endpoint is.
pub fn judge(word: &str, description: &str) -> Fault {
    let number = description.split_once("AADSTS").and_then(|(_, rest)| {
        rest.split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    });
    let by_number = number.and_then(|number: u32| {
        let row = AADSTS.iter().find(|(all, ..)| all.contains(&number))?;
        Some((&row.1, format!("{} (AADSTS{number})", row.2)))
    });
    let by_word = || {
        let row = WORDS.iter().find(|(known, ..)| *known == word)?;
        Some((&row.1, format!("{} ({word})", row.2)))
    };
    match by_number.or_else(by_word) {
        Some((Whose::User, words)) => Fault::Revoked(words),
        Some((Whose::Operator, words)) => Fault::Operator(words),
        Some((Whose::Later, words)) => Fault::Transient(words),
        None => Fault::Operator(format!("the sign-in service refused: {}", plain(word))),
    }
}

/// At most a line of harmless characters of what a stranger wrote.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_alphanumeric() || "_-. ".contains(*c))
        .take(80)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    const SPEC: OAuthSpec = OAuthSpec {
        scopes: &[
            ("openid", NOT_LISTED),
            ("email", ""),
            ("https://x/cal", "events"),
        ],
        authorize: &[("access_type", "offline"), ("prompt", "consent")],
        consent_page: "",
        admin_consent: "",
        short_lived: None,
    };

    fn app() -> Registration {
        Registration {
            client_id: "me".into(),
            client_secret: Some("s3cret".to_string().into()),
            endpoints: Endpoints {
                authorize: "https://p.test/auth".into(),
                token: "https://p.test/token".into(),
                revoke: "https://p.test/revoke".into(),
                ..Endpoints::default()
            },
            redirect: "https://k.test/oauth/p/callback".into(),
        }
    }

    /// Answers everything with one status and body, and keeps what was asked.
    struct Scripted(u16, &'static str, Mutex<Vec<String>>);

    impl Transport for Scripted {
        fn send(
            &self,
            request: ::http::Request<Bytes>,
        ) -> super::super::Answer<'_, Result<::http::Response<Bytes>, Broken>> {
            let body = String::from_utf8_lossy(request.body()).into_owned();
            self.2
                .lock()
                .unwrap()
                .push(format!("{} {body}", request.uri()));
            let answer = ::http::Response::builder()
                .status(self.0)
                .header("content-type", "application/json")
                .body(Bytes::from(self.1));
            Box::pin(async move { Ok(answer.unwrap()) })
        }
    }

    #[test]
    fn the_authorize_address_carries_pkce_state_and_the_providers_parameters() {
        let begin = Begin {
            state: "st8",
            verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            login_hint: Some("a@b.example"),
            claims: None,
        };
        let url = url::Url::parse(&authorize_url(&app(), &SPEC, &begin).unwrap()).unwrap();
        let query: std::collections::BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", "me"),
            ("state", "st8"),
            // RFC 7636 appendix B
            (
                "code_challenge",
                "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            ),
            ("code_challenge_method", "S256"),
            ("redirect_uri", "https://k.test/oauth/p/callback"),
            ("scope", "openid email https://x/cal"),
            ("access_type", "offline"),
            ("prompt", "consent"),
            ("login_hint", "a@b.example"),
        ] {
            assert_eq!(query.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(!url.as_str().contains("s3cret"));
    }

    #[tokio::test]
    async fn a_refresh_without_a_new_refresh_token_gives_none() {
        let answer = r#"{"access_token":"at","expires_in":3599,"token_type":"Bearer","scope":"email https://x/cal"}"#;
        let http = Scripted(200, answer, Mutex::default());
        let got = refresh(&http, &app(), &"old".to_string().into())
            .await
            .unwrap();
        assert!(got.refresh.is_none());
        assert_eq!(
            (got.access.expose_secret(), got.expires_in),
            ("at", Some(3599))
        );
        assert_eq!(got.scopes.unwrap(), ["email", "https://x/cal"]);
        let asked = http.2.lock().unwrap().join("");
        assert!(
            asked.contains("grant_type=refresh_token") && asked.contains("refresh_token=old"),
            "{asked}"
        );
    }

    #[tokio::test]
    async fn errors_tell_whose_trouble_it_is_and_nothing_secret() {
        for (status, body, expected) in [
            (
                400,
                r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#,
                "revoked",
            ),
            (401, r#"{"error":"invalid_client"}"#, "operator"),
            (
                400,
                r#"{"error":"invalid_grant","error_description":"AADSTS700082: The refresh token has expired","error_codes":[700082]}"#,
                "revoked",
            ),
            (
                401,
                r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret","error_codes":[7000215]}"#,
                "operator",
            ),
            (
                400,
                r#"{"error":"invalid_grant","error_description":"AADSTS90033: A transient error"}"#,
                "later",
            ),
            (503, "<html>", "later"),
            (429, "", "slow"),
            (
                200,
                r#"{"access_token": 7, "refresh_token":"tell-nobody"}"#,
                "later",
            ),
        ] {
            let http = Scripted(status, body, Mutex::default());
            let fault = exchange(&http, &app(), "code", "verifier")
                .await
                .unwrap_err();
            let kind = match &fault {
                Fault::Revoked(_) => "revoked",
                Fault::Operator(_) => "operator",
                Fault::Transient(_) => "later",
                Fault::Throttled(_) => "slow",
                _ => "other",
            };
            assert_eq!(kind, expected, "{status} {body}");
            assert!(!format!("{fault:?} {fault}").contains("tell-nobody"));
        }
    }

    #[tokio::test]
    async fn revoking_a_dead_token_is_a_success_and_some_cannot_revoke() {
        for (status, done) in [(200, true), (400, true)] {
            let http = Scripted(status, "{}", Mutex::default());
            let token = "a/b+c".to_string().into();
            assert_eq!(revoke(&http, &app(), &token).await, Ok(done));
            assert!(http.2.lock().unwrap()[0].ends_with("token=a%2Fb%2Bc"));
        }
        let mut none = app();
        none.endpoints.revoke = String::new();
        let http = Scripted(500, "", Mutex::default());
        assert_eq!(
            revoke(&http, &none, &"x".to_string().into()).await,
            Ok(false)
        );
    }

    #[test]
    fn what_was_not_granted_is_named_with_what_it_costs() {
        let google = "https://www.googleapis.com/auth/userinfo.email openid";
        assert_eq!(missing(&SPEC, google), [("https://x/cal", "events")]);
        assert_eq!(missing(&SPEC, "email https://x/cal"), []);
    }
}
