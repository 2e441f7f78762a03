//! Authorizations that were begun: found by the hash of their `state`, once.

use crate::model::{ConnectionId, PrincipalId, Result};
use crate::store::sql::{Tx, args, sql};

/// An authorization on its way through a browser.
#[derive(Clone)]
pub struct Flow {
    pub principal: PrincipalId,
    pub provider: String,
    /// A reconnect of this one.
    pub connection: Option<ConnectionId>,
    /// Sealed PKCE verifier.
    pub verifier: Vec<u8>,
    /// Hash of the cookie of the browser that began it.
    pub bound: String,
    pub return_to: String,
    pub expires: i64,
}

impl std::fmt::Debug for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Flow({} of {})", self.provider, self.principal)
    }
}

pub async fn begin(tx: &mut Tx<'_>, state_hash: &str, flow: &Flow) -> Result<()> {
    let statement = sql!(
        "insert into oauth_flow (state_hash, principal_id, provider, connection_id, verifier, bound, return_to, expires)
         values ($1, $2, $3, $4, $5, $6, $7, $8)"
    );
    let values = args![
        state_hash,
        flow.principal,
        &flow.provider,
        flow.connection,
        flow.verifier.as_slice(),
        &flow.bound,
        &flow.return_to,
        flow.expires
    ];
    tx.execute(statement, &values).await.map(drop)
}

/// The flow of this `state`, which is used up with that; expired ones too (the caller looks).
pub async fn take(tx: &mut Tx<'_>, state_hash: &str) -> Result<Option<Flow>> {
    let statement = sql!(
        "delete from oauth_flow where state_hash = $1
         returning principal_id, provider, connection_id, verifier, bound, return_to, expires"
    );
    tx.one(statement, &args![state_hash], |row| {
        Ok(Flow {
            principal: PrincipalId(row.int(0)?),
            provider: row.text(1)?.to_string(),
            connection: row.opt_int(2)?.map(ConnectionId),
            verifier: row.bytes(3)?.to_vec(),
            bound: row.text(4)?.to_string(),
            return_to: row.text(5)?.to_string(),
            expires: row.int(6)?,
        })
    })
    .await
}

/// The sealed verifiers of those in force.
pub async fn verifiers(tx: &mut Tx<'_>, now: i64) -> Result<Vec<Vec<u8>>> {
    let statement = sql!("select verifier from oauth_flow where expires >= $1 limit 1000");
    tx.all(statement, &args![now], |row| Ok(row.bytes(0)?.to_vec()))
        .await
}

/// Forgets those that expired.
pub async fn purge(tx: &mut Tx<'_>, now: i64) -> Result<u64> {
    tx.execute(
        sql!("delete from oauth_flow where expires < $1"),
        &args![now],
    )
    .await
}
