//! People and what they sign in with: what the commands `user`, `app-password` and `token` do.

use secrecy::SecretString;

use super::App;
use crate::auth::{device, password};
use crate::model::access::Scopes;
use crate::model::principal::valid_name;
use crate::model::{
    CalendarKind, ComponentSet, CredentialId, Error, Principal, PrincipalId, PrincipalKind, Result,
    Who,
};
use crate::store::calendars::NewCalendar;
use crate::store::credentials::{Credential, CredentialKind, NewCredential};
use crate::store::principals::NewPrincipal;
use crate::store::properties::OwnerKind;
use crate::store::{Tx, calendars, credentials, principals, properties};

/// Who the first start creates.
const FIRST: &str = "admin";

/// Calendars that every user has from the start: slug, name, kind, components. Apple's Reminders and other task programs
/// prefer a list that holds tasks and nothing else.
const CALENDARS: &[(&str, &str, CalendarKind, &[&str])] = &[
    (
        "calendar",
        "Calendar",
        CalendarKind::Calendar,
        &["VEVENT", "VTODO", "VJOURNAL"],
    ),
    ("sessions", "Sessions", CalendarKind::Sessions, &["VEVENT"]),
    ("tasks", "Tasks", CalendarKind::Calendar, &["VTODO"]),
];

/// A user to be made.
pub struct NewUser {
    pub name: String,
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub admin: bool,
    /// Without one only app passwords open the door.
    pub password: Option<SecretString>,
}

/// Makes a user with their calendars.
///
/// # Errors
/// `Invalid` with the field that is wrong, `Conflict` when name or address are taken.
pub async fn add(app: &App, user: NewUser) -> Result<PrincipalId> {
    check_name(&user.name)?;
    let phc = user
        .password
        .as_ref()
        .map(|new| hashed(app, new))
        .transpose()?;
    let principal = NewPrincipal {
        kind: PrincipalKind::User,
        display_name: user.display_name.unwrap_or_else(|| user.name.clone()),
        addresses: user
            .email
            .map(|mail| mail.to_lowercase())
            .into_iter()
            .collect(),
        name: user.name,
        admin: user.admin,
    };
    let now = app.clock.now();
    app.store
        .write(move |tx| Box::pin(async move { create(tx, &principal, phc, now).await }))
        .await
}

async fn create(
    tx: &mut Tx<'_>,
    principal: &NewPrincipal,
    phc: Option<String>,
    now: i64,
) -> Result<PrincipalId> {
    let id = principals::create(tx, principal, now).await?;
    if phc.is_some() {
        principals::set_password(tx, id, phc.as_deref()).await?;
    }
    for (slug, name, kind, components) in CALENDARS {
        let calendar = NewCalendar {
            home: id,
            slug: (*slug).into(),
            kind: *kind,
            components: ComponentSet(components.iter().map(|c| (*c).into()).collect()),
            timezone: String::new(),
            transparent: false,
        };
        let calendar = calendars::create(tx, &calendar, now).await?;
        let title = format!(r#"<displayname xmlns="DAV:">{name}</displayname>"#);
        properties::set(
            tx,
            OwnerKind::Calendar,
            calendar.0,
            properties::EVERYBODY,
            "{DAV:}displayname",
            &title,
        )
        .await?;
    }
    Ok(id)
}

/// What the first start prints.
pub struct FirstAccount {
    pub name: String,
    pub app_password: SecretString,
}

/// Makes the administrator when there is nobody yet. Of several servers that start at once on one database, one does.
pub async fn first_start(app: &App) -> Result<Option<FirstAccount>> {
    let nobody = app.store.peek(|tx| Box::pin(principals::count(tx))).await? == 0;
    if !nobody {
        return Ok(None);
    }
    let secret = device::mint(&app.dice)?;
    let hash = device::hash_of(&secret);
    let now = app.clock.now();
    let principal = NewPrincipal {
        kind: PrincipalKind::User,
        name: FIRST.into(),
        display_name: "Administrator".into(),
        addresses: Vec::new(),
        admin: true,
    };
    let made = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let id = create(tx, &principal, None, now).await?;
                let credential = NewCredential {
                    kind: CredentialKind::AppPassword,
                    principal: id,
                    label: "first start".into(),
                    hash,
                    scopes: String::new(),
                };
                credentials::create(tx, &credential, now).await
            })
        })
        .await;
    match made {
        Ok(_) => Ok(Some(FirstAccount {
            name: FIRST.into(),
            app_password: secret,
        })),
        Err(Error::Conflict(_)) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The principal of this name.
///
/// # Errors
/// `Invalid`, naming it, when there is none.
pub async fn find(app: &App, name: &str) -> Result<Principal> {
    let wanted = name.to_lowercase();
    let found = app
        .store
        .read(|tx| Box::pin(async move { principals::find(tx, &wanted).await }))
        .await?;
    found.ok_or_else(|| Error::Invalid {
        field: "name".into(),
        reason: format!("there is no `{name}`"),
    })
}

/// Somebody, as commands act for them: with all that is theirs.
pub async fn acting(app: &App, name: &str) -> Result<Who> {
    let found = find(app, name).await?;
    Ok(Who {
        id: found.id,
        name: found.name,
        admin: found.admin,
        scopes: Scopes::ALL,
    })
}

/// Everybody, in the order of their names.
pub async fn list(app: &App) -> Result<Vec<Principal>> {
    const PAGE: i64 = 200;
    let mut all: Vec<Principal> = Vec::new();
    loop {
        let after = all.last().map(|last| last.name.clone());
        let page = app
            .store
            .read(|tx| Box::pin(async move { principals::list(tx, after.as_deref(), PAGE).await }))
            .await?;
        let last = page.len() < PAGE as usize;
        all.extend(page);
        if last {
            return Ok(all);
        }
    }
}

/// Sets or, with `None`, takes away the password; app passwords stay.
pub async fn set_password(app: &App, name: &str, new: Option<&SecretString>) -> Result<()> {
    let id = find(app, name).await?.id;
    let phc = new.map(|new| hashed(app, new)).transpose()?;
    app.store
        .write(move |tx| {
            Box::pin(async move { principals::set_password(tx, id, phc.as_deref()).await })
        })
        .await?;
    app.auth.forget();
    Ok(())
}

/// What can be changed of a user besides name and password; `None` leaves it.
#[derive(Default)]
pub struct Change {
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub admin: Option<bool>,
    pub second_factor: Option<bool>,
    /// Nothing opens the door any more; what is theirs stays.
    pub disabled: Option<bool>,
}

pub async fn change(app: &App, name: &str, change: Change) -> Result<()> {
    let id = find(app, name).await?.id;
    let now = app.clock.now();
    app.store
        .write(move |tx| Box::pin(async move { apply(tx, id, change, now).await }))
        .await?;
    app.auth.forget();
    Ok(())
}

async fn apply(tx: &mut Tx<'_>, id: PrincipalId, change: Change, now: i64) -> Result<()> {
    if let Some(email) = change.email {
        principals::set_addresses(tx, id, &[email.to_lowercase()]).await?;
    }
    if let Some(name) = change.display_name {
        principals::set_display_name(tx, id, &name).await?;
    }
    if let Some(admin) = change.admin {
        principals::set_admin(tx, id, admin).await?;
    }
    if let Some(on) = change.second_factor {
        principals::set_second_factor(tx, id, on).await?;
    }
    if let Some(off) = change.disabled {
        principals::set_disabled(tx, id, off.then_some(now)).await?;
    }
    Ok(())
}

/// Gives a principal another name; addresses with the old one redirect from then on.
pub async fn rename(app: &App, name: &str, new: &str) -> Result<()> {
    check_name(new)?;
    let (id, new) = (find(app, name).await?.id, new.to_string());
    app.store
        .write(move |tx| Box::pin(async move { principals::rename(tx, id, &new).await }))
        .await?;
    app.auth.forget();
    Ok(())
}

/// Removes a principal with everything that is theirs: calendars and their history, credentials, feeds, connections.
pub async fn remove(app: &App, name: &str) -> Result<()> {
    let id = find(app, name).await?.id;
    super::connections::end_all(app, id).await?;
    app.store
        .write(move |tx| Box::pin(principals::remove(tx, id)))
        .await?;
    app.auth.forget();
    Ok(())
}

/// A new app password, to be shown once.
pub async fn new_app_password(app: &App, name: &str, label: &str) -> Result<SecretString> {
    new_credential(app, CredentialKind::AppPassword, name, label, String::new()).await
}

/// A new API token, to be shown once.
pub async fn new_token(app: &App, name: &str, label: &str, scopes: Scopes) -> Result<SecretString> {
    new_credential(app, CredentialKind::ApiToken, name, label, scopes.print()).await
}

async fn new_credential(
    app: &App,
    kind: CredentialKind,
    name: &str,
    label: &str,
    scopes: String,
) -> Result<SecretString> {
    let secret = device::mint(&app.dice)?;
    let credential = NewCredential {
        kind,
        principal: find(app, name).await?.id,
        label: label.into(),
        hash: device::hash_of(&secret),
        scopes,
    };
    let now = app.clock.now();
    app.store
        .write(move |tx| Box::pin(async move { credentials::create(tx, &credential, now).await }))
        .await?;
    Ok(secret)
}

pub async fn credentials(app: &App, kind: CredentialKind, name: &str) -> Result<Vec<Credential>> {
    let id = find(app, name).await?.id;
    app.store
        .peek(|tx| Box::pin(credentials::list(tx, id, Some(kind))))
        .await
}

/// Somebody's app passwords, revoked ones too, oldest first.
pub async fn app_passwords(app: &App, name: &str) -> Result<Vec<Credential>> {
    credentials(app, CredentialKind::AppPassword, name).await
}

/// Ends a credential: here at once, in other servers within seconds. Says whether there was one in force.
pub async fn revoke(app: &App, name: &str, credential: CredentialId) -> Result<bool> {
    let id = find(app, name).await?.id;
    let now = app.clock.now();
    let revoked = app
        .store
        .write(move |tx| Box::pin(credentials::revoke(tx, credential, id, now)))
        .await?;
    app.auth.forget();
    Ok(revoked)
}

fn hashed(app: &App, new: &SecretString) -> Result<String> {
    password::acceptable(new).map_err(|reason| Error::Invalid {
        field: "password".into(),
        reason,
    })?;
    password::hash(new, &app.dice)
}

fn check_name(name: &str) -> Result<()> {
    if valid_name(name) {
        return Ok(());
    }
    Err(Error::Invalid {
        field: "name".into(),
        reason: format!("`{name}` is not 1 to 64 characters of a-z 0-9 . _ @ -"),
    })
}
