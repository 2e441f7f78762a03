//! OAuth through the browser (RFC 6749 §4.1, RFC 7636, RFC 9700 §2.1): begun, and finished at our redirect address.
//!
//! - `state` is unguessable, kept as a hash, used once, for ten minutes, and only from the browser that began: that one
//!   has a cookie. So nobody can make somebody else's browser finish what they began.
//! - *Scopes unticked?* What cannot work is said; without the ones that everything needs there is no connection.
//! - *Connecting again?* The same connection, and only with the same account.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::super::Bridge;
use super::super::credentials::{Consent, Keeper, Secret};
use super::{Signed, in_words, keep_listing};
use crate::model::bridge::Connection;
use crate::model::{ConnectionId, Error, PrincipalId, Result};
use crate::remote::oauth::{self, Registration, Tokens};
use crate::remote::{Fault, OAuthSpec};
use crate::seal::Seal;
use crate::store::bridges::{Flow, connections, flows};
use crate::store::principals;

/// Seconds that a walk through the browser may take.
pub const TIME: i64 = 600;
/// For what verifiers are sealed.
pub const PURPOSE: &str = "oauth verifier";

/// An authorization that was begun.
#[derive(Clone)]
pub struct Begun {
    /// Where the browser goes now.
    pub url: String,
    /// The cookie that the browser must bring back: its name and its value.
    pub cookie: (String, SecretString),
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Begun({})", self.cookie.0)
    }
}

/// What came back to the redirect address.
#[derive(Clone, Default)]
pub struct Answered {
    pub state: String,
    pub code: String,
    /// `error` and `error_description` (RFC 6749 §4.1.2.1).
    pub error: String,
    pub description: String,
    /// The value of the cookie named by [`cookie_name`], if the browser has it.
    pub cookie: Option<String>,
}

/// A finished walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    pub id: ConnectionId,
    pub owner: PrincipalId,
    pub return_to: String,
    /// What does not work, in words: scopes that were unticked, calendars that could not be listed.
    pub warnings: Vec<String>,
}

/// A walk that led nowhere.
#[derive(Clone, Debug)]
pub struct Failed {
    pub error: Error,
    /// Where to go on; empty when it is not known that it was this browser which began.
    pub return_to: String,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed {
            error,
            return_to: String::new(),
        }
    }
}

/// Bits of `state` and of the cookie; the verifier has twice as many and so 86 characters (RFC 7636 §4.1: 43 to 128).
const BYTES: usize = 32;

fn unguessable<const N: usize>(bridge: &Bridge) -> Result<Zeroizing<String>> {
    let bytes = Zeroizing::new(bridge.dice.bytes::<N>()?);
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)))
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()))
}

/// The name of the cookie of a walk: each has its own, so that two tabs do not take each other's.
pub fn cookie_name(state: &str) -> String {
    format!("kalends-connect-{}", &hash(state)[..12])
}

/// Begins. `again`: the connection that is to be connected again. `return_to`: a path of ours, for afterwards.
///
/// # Errors
/// `NotFound` for a provider that is not here, `Unavailable` when the operator has registered no application.
pub async fn begin(
    bridge: &Bridge,
    owner: PrincipalId,
    provider: &str,
    again: Option<&Connection>,
    return_to: &str,
) -> Result<Begun> {
    let (app, spec) = application(bridge, provider)?;
    check_return(return_to)?;
    let state = unguessable::<BYTES>(bridge)?;
    let cookie = unguessable::<BYTES>(bridge)?;
    let verifier = unguessable::<{ 2 * BYTES }>(bridge)?;
    let ask = oauth::Begin {
        state: &state,
        verifier: &verifier,
        login_hint: again
            .map(|known| known.label.as_str())
            .filter(|label| label.contains('@')),
        claims: None,
    };
    let url = oauth::authorize_url(app, spec, &ask).map_err(in_words)?;
    let now = bridge.clock.now();
    let (state_hash, flow) = (
        hash(&state),
        Flow {
            principal: owner,
            provider: provider.to_string(),
            connection: again.map(|known| known.id),
            verifier: bridge.seal.seal(PURPOSE, verifier.as_bytes())?,
            bound: hash(&cookie),
            return_to: return_to.to_string(),
            expires: now + TIME,
        },
    );
    bridge
        .store
        .write(move |tx| {
            Box::pin(async move {
                flows::purge(tx, now).await?;
                flows::begin(tx, &state_hash, &flow).await
            })
        })
        .await?;
    Ok(Begun {
        url,
        cookie: (cookie_name(&state), cookie.to_string().into()),
    })
}

/// Our application at a provider, and how the provider does OAuth.
fn application<'b>(
    bridge: &'b Bridge,
    provider: &str,
) -> Result<(&'b Registration, &'static OAuthSpec)> {
    let row = bridge.row(provider)?;
    let Some(spec) = row.oauth else {
        return Err(Error::Invalid {
            field: "provider".into(),
            reason: format!("{} is not connected through the browser", row.title),
        });
    };
    let app = bridge.registrations.get(provider).ok_or_else(|| {
        Error::Unavailable(format!(
            "{} cannot be connected yet: the operator has to register an application there and set {provider}.client_id",
            row.title
        ))
    })?;
    Ok((app, spec))
}

/// Only paths of ours: never another site, whatever a browser makes of backslashes and control characters.
fn check_return(path: &str) -> Result<()> {
    let own = path.is_empty()
        || path.starts_with('/')
            && !path.starts_with("//")
            && path.len() <= 500
            && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    match own {
        true => Ok(()),
        false => Err(Error::Invalid {
            field: "return_to".into(),
            reason: "must be a path of this server, like /connections".into(),
        }),
    }
}

/// Finishes: `state` first, then what the provider said, then tokens, account, and calendars.
///
/// # Errors
/// In words for the person in front of the browser.
pub async fn finish(
    bridge: &Bridge,
    provider: &str,
    answer: Answered,
) -> Result<Connected, Failed> {
    let flow = take(bridge, provider, &answer).await?;
    let return_to = flow.return_to.clone();
    let done = connect(bridge, provider, &answer, flow).await;
    done.map_err(|error| Failed { error, return_to })
}

/// The walk that this belongs to, used up.
async fn take(bridge: &Bridge, provider: &str, answer: &Answered) -> Result<Flow> {
    let unknown = || {
        Error::BadRequest(
            "this sign-in is not known here, was finished before, or took longer than ten minutes: begin again".into(),
        )
    };
    if answer.state.is_empty() || answer.state.len() > 200 {
        return Err(unknown());
    }
    let state_hash = hash(&answer.state);
    let flow = bridge
        .store
        .write(move |tx| Box::pin(async move { flows::take(tx, &state_hash).await }))
        .await?
        .filter(|flow| flow.provider == provider && flow.expires > bridge.clock.now())
        .ok_or_else(unknown)?;
    // Hashes of 256 random bits: how long the comparison takes tells nothing.
    let bound = answer
        .cookie
        .as_deref()
        .is_some_and(|cookie| hash(cookie) == flow.bound);
    match bound {
        true => Ok(flow),
        false => Err(Error::Forbidden(
            "this sign-in was begun in another browser, or under another address of this server, or cookies are switched \
             off: begin again here".into(),
        )),
    }
}

async fn connect(
    bridge: &Bridge,
    provider: &str,
    answer: &Answered,
    flow: Flow,
) -> Result<Connected> {
    let (app, spec) = application(bridge, provider)?;
    if !answer.error.is_empty() {
        let fault = oauth::judge(&answer.error, &answer.description);
        return Err(refused(app, spec, fault));
    }
    in_force(bridge, flow.principal).await?;
    let again = match flow.connection {
        None => None,
        Some(id) => Some(own(bridge, id, flow.principal).await?),
    };
    let verifier = opened(&bridge.seal, &flow.verifier)?;
    let tokens = oauth::exchange(&*bridge.transport, app, &answer.code, &verifier)
        .await
        .map_err(|fault| refused(app, spec, fault))?;
    let (scopes, mut warnings) = granted(spec, &tokens)?;
    let consent = Consent {
        given: bridge.clock.now(),
        ends: None,
    };
    let secret = Secret::of_tokens(&tokens, None, consent, bridge.clock.now());
    let signed = Signed::of(bridge, provider, secret, scopes).await;
    let signed = lasting(bridge, &flow, spec, signed.map_err(in_words)?).await?;
    let account = super::given(bridge, provider, &signed.secret);
    let account = crate::remote::Account {
        label: signed.identity.label.clone(),
        ..account
    };
    let id = signed.store(bridge, flow.principal, again.as_ref()).await?;
    match bridge.provider(provider)?.calendars(&account).await {
        Ok(listed) => drop(keep_listing(bridge, id, listed).await?),
        Err(fault) => warnings.push(format!("its calendars could not be listed: {fault}")),
    }
    Ok(Connected {
        id,
        owner: flow.principal,
        return_to: flow.return_to,
        warnings,
    })
}

/// Whoever was switched off meanwhile connects nothing.
async fn in_force(bridge: &Bridge, owner: PrincipalId) -> Result<()> {
    let person = bridge
        .store
        .peek(|tx| Box::pin(principals::get(tx, owner)))
        .await?;
    match person.is_some_and(|person| person.disabled.is_none()) {
        true => Ok(()),
        false => Err(Error::forbidden("this user may not sign in here any more")),
    }
}

fn opened(seal: &Seal, sealed: &[u8]) -> Result<Zeroizing<String>> {
    let plain = seal.unseal(PURPOSE, sealed)?;
    let text = std::str::from_utf8(&plain).map_err(|_| Error::internal("a verifier is damaged"))?;
    Ok(Zeroizing::new(text.to_string()))
}

async fn own(bridge: &Bridge, id: ConnectionId, owner: PrincipalId) -> Result<Connection> {
    bridge
        .store
        .peek(|tx| Box::pin(connections::get(tx, id)))
        .await?
        .filter(|known| known.owner == owner)
        .ok_or_else(|| {
            Error::Conflict("the connection was removed meanwhile: make a new one".into())
        })
}

/// A refusal in words, with the page where an administrator can say yes.
fn refused(app: &Registration, spec: &OAuthSpec, fault: Fault) -> Error {
    let by_admin = matches!(&fault, Fault::Operator(words) if words.starts_with(oauth::ADMIN));
    match (in_words(fault), oauth::admin_consent_url(app, spec)) {
        (Error::Unavailable(words), Some(url)) if by_admin => {
            Error::Unavailable(format!("{words}. The administrator's page for that: {url}"))
        }
        (error, _) => error,
    }
}

/// The scopes that were granted, and what will not work. An answer without scopes grants what was asked (RFC 6749 §5.1).
fn granted(spec: &OAuthSpec, tokens: &Tokens) -> Result<(String, Vec<String>)> {
    let scopes = match &tokens.scopes {
        Some(scopes) => scopes.join(" "),
        None => {
            let asked: Vec<&str> = spec.scopes.iter().map(|(scope, _)| *scope).collect();
            asked.join(" ")
        }
    };
    let missing = oauth::missing(spec, &scopes);
    if let Some((scope, _)) = missing.iter().find(|(_, without)| without.is_empty()) {
        return Err(Error::Forbidden(format!(
            "without the permission {scope} nothing works: connect again and leave it ticked"
        )));
    }
    let warnings = missing.iter().map(|(scope, without)| {
        format!("the permission {scope} was not given: {without}. Connect again to give it")
    });
    Ok((scopes, warnings.collect()))
}

/// With a refresh token: the new one, or the one there is, which an absent one never replaces.
async fn lasting(
    bridge: &Bridge,
    flow: &Flow,
    spec: &OAuthSpec,
    mut signed: Signed,
) -> Result<Signed> {
    let Secret::OAuth {
        refresh: refresh @ None,
        ..
    } = &mut signed.secret
    else {
        return Ok(signed);
    };
    let (owner, provider) = (flow.principal, flow.provider.clone());
    let account = signed.identity.account.clone();
    let known = bridge
        .store
        .read(|tx| {
            Box::pin(async move { connections::by_account(tx, owner, &provider, &account).await })
        })
        .await?;
    if let Some(known) = known
        && let Ok((Secret::OAuth { refresh: old, .. }, _)) =
            Keeper::new(bridge, known.id, &known.provider).load().await
    {
        *refresh = old;
    }
    match refresh {
        Some(_) => Ok(signed),
        None => Err(Error::Conflict(format!(
            "the provider gave access for an hour only. Take our access back at {}, then connect again",
            spec.consent_page
        ))),
    }
}
