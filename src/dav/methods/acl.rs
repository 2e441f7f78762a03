//! ACL (RFC 3744 §8.1). Rights are not changed through it: every entry is protected, so each request conflicts with one.

use crate::dav::{Call, resource};
use crate::model::{Error, Precondition, Privilege, Result};
use crate::wire::Response;

pub async fn run(call: Call) -> Result<Response> {
    let (who, path) = (call.who(), call.path());
    let may = call
        .app
        .store
        .read(|tx| {
            Box::pin(async move {
                let found = resource::load(tx, who, path).await?;
                Ok(found.node().privileges(who))
            })
        })
        .await?;
    resource::demand(may, Privilege::WriteAcl)?;
    Err(Error::precondition(
        Precondition::NoProtectedAceConflict,
        "rights are not changed by the ACL method",
    ))
}
