//! The page at `/` for people who open the address in a browser: what this is, and what to type into a calendar client.

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue};

use crate::app::App;
use crate::wire::Response;

pub fn page(app: &App) -> Response {
    let mut response = http::Response::new(text(&app.url("/")).into());
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            HeaderName::from_static("content-security-policy"),
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        (HeaderName::from_static("referrer-policy"), "no-referrer"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

fn text(address: &str) -> String {
    let address = escape(address);
    format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Kalends</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }}
code {{ font-size: 1.05em; overflow-wrap: anywhere }}
</style>
<h1>Kalends</h1>
<p>This is a calendar server (CalDAV). Calendar programs connect to it with</p>
<dl>
<dt>Server address</dt><dd><code>{address}</code></dd>
<dt>User name and password</dt><dd>those that the operator gave you; best an app password for each device</dd>
</dl>
<p>Apple Calendar: <em>Add account → Other → CalDAV account</em>, then <em>Advanced</em> or <em>Manual</em>.
Thunderbird: <em>New calendar → On the network</em>. Android: DAVx⁵, <em>Login with URL and user name</em>.
The whole address of the CalDAV service, for programs that ask for it: <code>{address}dav/</code>.</p>
<p>Calendars at Google, Microsoft, iCloud and elsewhere: <a href="connections">connections</a>.</p>
<p>Programs find the JSON interface described at <a href="api/v1/openapi.json">api/v1/openapi.json</a>.</p>
</html>
"#
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_the_address_to_type_in() {
        let page = text("https://a.example/x/?<b>/");
        assert!(page.contains("<code>https://a.example/x/?&lt;b&gt;/</code>"));
    }
}
