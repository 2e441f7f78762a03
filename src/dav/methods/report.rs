//! REPORT (RFC 3253 §3.6): the body's root element says which.

use crate::dav::reports::REPORTS;
use crate::dav::{Call, resource};
use crate::model::{Error, Precondition, Result};
use crate::wire::Response;

pub async fn run(call: Call) -> Result<Response> {
    let document = call
        .request
        .xml(&call.xml_limits())?
        .ok_or_else(|| Error::BadRequest("the body must say which report".into()))?;
    let kind = resource::kind(call.path());
    let report = REPORTS
        .iter()
        .find(|report| *report.name == document.name && report.on.meets(kind));
    let Some(report) = report else {
        let reason = format!("{} is not a report on this resource", document.name);
        return Err(Error::precondition(Precondition::SupportedReport, reason));
    };
    call.check_if().await?;
    (report.run)(call, document).await
}
