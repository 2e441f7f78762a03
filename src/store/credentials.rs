//! App passwords and API tokens: secrets of 160 random bits, kept as a hash.

use super::principals;
use super::sql::{Row, Tx, args, sql};
use crate::model::{CredentialId, Error, Principal, PrincipalId, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    AppPassword,
    ApiToken,
}

impl CredentialKind {
    pub fn as_str(self) -> &'static str {
        match self {
            CredentialKind::AppPassword => "app_password",
            CredentialKind::ApiToken => "api_token",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::AppPassword, Self::ApiToken]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// A credential to be made. `hash` is the SHA-256 of the secret, in hex; scopes as `Scopes::print` writes them.
#[derive(Clone)]
pub struct NewCredential {
    pub kind: CredentialKind,
    pub principal: PrincipalId,
    pub label: String,
    pub hash: String,
    pub scopes: String,
}

/// A credential with whom it belongs to.
#[derive(Clone, Debug)]
pub struct Credential {
    pub id: CredentialId,
    pub kind: CredentialKind,
    pub principal: Principal,
    pub label: String,
    pub scopes: String,
    pub created: i64,
    pub last_used: Option<i64>,
    pub revoked: Option<i64>,
}

macro_rules! columns {
    () => {
        "c.id, c.kind, c.label, c.scopes, c.created, c.last_used, c.revoked, "
    };
}

fn credential(row: &Row<'_>) -> Result<Credential> {
    let kind = row.text(1)?;
    Ok(Credential {
        id: CredentialId(row.int(0)?),
        kind: CredentialKind::parse(kind)
            .ok_or_else(|| Error::Internal(format!("credential of kind {kind}")))?,
        label: row.text(2)?.to_string(),
        scopes: row.text(3)?.to_string(),
        created: row.int(4)?,
        last_used: row.opt_int(5)?,
        revoked: row.opt_int(6)?,
        principal: principals::principal(row, 7)?,
    })
}

pub async fn create(tx: &mut Tx<'_>, new: &NewCredential, now: i64) -> Result<CredentialId> {
    let statement = sql!(
        "insert into credential (kind, principal_id, label, hash, scopes, created)
         values ($1, $2, $3, $4, $5, $6) returning id"
    );
    let values = args![
        new.kind.as_str(),
        new.principal,
        &new.label,
        &new.hash,
        &new.scopes,
        now
    ];
    let id = tx
        .one(statement, &values, |row| Ok(CredentialId(row.int(0)?)))
        .await?;
    id.ok_or_else(|| Error::Internal("the credential was not stored".into()))
}

/// The credential with this hash, revoked or not.
pub async fn by_hash(tx: &mut Tx<'_>, hash: &str) -> Result<Option<Credential>> {
    let statement = sql!(
        "select ",
        columns!(),
        principals::columns!(),
        "
           from credential c join principal p on p.id = c.principal_id where c.hash = $1"
    );
    tx.one(statement, &args![hash], credential).await
}

/// Somebody's credentials, of one kind or all, oldest first, with those revoked.
pub async fn list(
    tx: &mut Tx<'_>,
    principal: PrincipalId,
    kind: Option<CredentialKind>,
) -> Result<Vec<Credential>> {
    let statement = sql!(
        "select ",
        columns!(),
        principals::columns!(),
        "
           from credential c join principal p on p.id = c.principal_id
          where c.principal_id = $1 and ($2 = '' or c.kind = $2) order by c.id"
    );
    tx.all(
        statement,
        &args![principal, kind.map_or("", CredentialKind::as_str)],
        credential,
    )
    .await
}

/// Revokes a credential of `principal`. False: there is no such one in force.
pub async fn revoke(
    tx: &mut Tx<'_>,
    id: CredentialId,
    principal: PrincipalId,
    now: i64,
) -> Result<bool> {
    let statement = sql!(
        "update credential set revoked = $3 where id = $1 and principal_id = $2 and revoked is null"
    );
    Ok(tx.execute(statement, &args![id, principal, now]).await? > 0)
}

/// Notes that it was used.
pub async fn touch(tx: &mut Tx<'_>, id: CredentialId, now: i64) -> Result<()> {
    tx.execute(
        sql!("update credential set last_used = $2 where id = $1"),
        &args![id, now],
    )
    .await
    .map(drop)
}
