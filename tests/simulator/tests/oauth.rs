//! FACTS §1 and §3.

use super::super::Simulator;
use super::super::oauth::{CLIENT_ID, CLIENT_SECRET, Consent};
use super::super::web::Params;
use super::{NOW, form};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// RFC 7636 appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const BACK: &str = "http://localhost:8080/callback";

fn ask(extra: &str) -> String {
    format!(
        "https://simulator.test/x?client_id={CLIENT_ID}&redirect_uri={BACK}&response_type=code&state=s%2B1\
         &code_challenge={CHALLENGE}&code_challenge_method=S256&{extra}"
    )
}

fn code(url: &str) -> String {
    let (_, query) = url.split_once('?').unwrap();
    let params = Params::parse(query);
    assert_eq!(params.get("state"), Some("s+1"));
    params.get("code").unwrap_or_default().to_string()
}

fn redeem<'a>(code: &'a str, verifier: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", BACK),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
        ("code_verifier", verifier),
    ]
}

fn refresh(token: &str) -> Vec<(&str, &str)> {
    vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
    ]
}

#[test]
fn google_signs_in_with_fewer_scopes_and_keeps_its_refresh_token() {
    let simulator = Simulator::new(1, NOW);
    simulator
        .google()
        .account("ann@gmail.test", "Europe/Berlin");
    let oauth = simulator.google().oauth();
    let url = ask("scope=openid%20email%20a%20b&access_type=offline");
    let ticked = Consent::Scopes(vec!["openid".into(), "a".into()]);
    let got = code(&oauth.authorize(&url, "ann@gmail.test", ticked).unwrap());
    let wrong = form(
        &simulator,
        "/google/token",
        &redeem(&got, &VERIFIER.replace('d', "e")),
    );
    assert_eq!(
        (wrong.status, wrong.body["error"].as_str()),
        (400, Some("invalid_grant"))
    );
    let fine = form(&simulator, "/google/token", &redeem(&got, VERIFIER));
    assert_eq!(
        (fine.status, fine.body["scope"].as_str()),
        (200, Some("openid a"))
    );
    let token = fine.body["refresh_token"].as_str().unwrap();
    let again = form(&simulator, "/google/token", &redeem(&got, VERIFIER));
    assert_eq!(again.body["error"], "invalid_grant");
    let renewed = form(&simulator, "/google/token", &refresh(token));
    assert_eq!(
        (renewed.status, renewed.body.get("refresh_token")),
        (200, None)
    );
    // Only the first consent, or an explicit one, yields a refresh token.
    for (extra, wanted) in [("", false), ("&prompt=consent", true)] {
        let got = code(
            &oauth
                .authorize(&format!("{url}{extra}"), "ann@gmail.test", Consent::All)
                .unwrap(),
        );
        let answer = form(&simulator, "/google/token", &redeem(&got, VERIFIER));
        assert_eq!(
            answer.body.get("refresh_token").is_some(),
            wanted,
            "{extra}"
        );
    }
    let revoked = form(&simulator, "/google/revoke", &[("token", token)]);
    assert_eq!(revoked.status, 200);
    assert_eq!(
        form(&simulator, "/google/revoke", &[("token", token)]).status,
        400
    );
    assert_eq!(
        form(&simulator, "/google/token", &refresh(token)).body["error"],
        "invalid_grant"
    );
}

#[test]
fn refusals_go_where_they_belong() {
    let simulator = Simulator::new(1, NOW);
    let oauth = simulator.google().oauth();
    let denied = oauth
        .authorize(&ask("scope=a"), "ann@gmail.test", Consent::Deny)
        .unwrap();
    assert!(
        denied.starts_with(BACK) && denied.contains("error=access_denied"),
        "{denied}"
    );
    let other = ask("scope=a").replace(BACK, "https://evil.test/callback");
    let page = oauth
        .authorize(&other, "ann@gmail.test", Consent::All)
        .unwrap_err();
    assert_eq!(
        (page.status().as_u16(), page.headers().get("location")),
        (400, None)
    );
}

#[test]
fn microsoft_rotates_and_speaks_in_numbers() {
    let simulator = Simulator::new(1, NOW);
    let oauth = simulator.graph().oauth();
    oauth.person("bob@outlook.test", "Bob", false);
    oauth.settings(|settings| settings.old_refresh_life = 0);
    let path = "/microsoft/common/oauth2/v2.0/token";
    let url =
        ask("scope=openid%20offline_access%20https://graph.microsoft.com/Calendars.ReadWrite");
    let got = code(
        &oauth
            .authorize(&url, "bob@outlook.test", Consent::All)
            .unwrap(),
    );
    let first = form(&simulator, path, &redeem(&got, VERIFIER));
    assert_eq!(
        first.body["scope"],
        "openid https://graph.microsoft.com/Calendars.ReadWrite"
    );
    let old = first.body["refresh_token"].as_str().unwrap();
    let second = form(&simulator, path, &refresh(old));
    assert_ne!(second.body["refresh_token"], first.body["refresh_token"]);
    let dead = form(&simulator, path, &refresh(old));
    assert_eq!(
        (dead.status, &dead.body["error_codes"][0]),
        (400, &50173.into())
    );
    oauth.change_secret("another");
    let operator = form(&simulator, path, &refresh(old));
    assert_eq!(
        (operator.status, &operator.body["error_codes"][0]),
        (401, &7000215.into())
    );
}
