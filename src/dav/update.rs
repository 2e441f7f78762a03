//! Setting properties: the instructions of PROPPATCH (RFC 4918 §9.2), MKCALENDAR (RFC 4791 §5.3.1) and extended MKCOL
//! (RFC 5689 §3). All of them hold or none does; what fails says why, the rest fail with it (424).
//!
//! Reading and judging are pure; [`apply`] then runs inside of one transaction.

use http::StatusCode;

use super::error;
use super::live::{self, Change};
use super::names::dav;
use super::plan::{PROPERTIES, too_many_properties};
use super::view::On;
use crate::model::{CalendarId, Error, Precondition, PrincipalId, Result};
use crate::store::properties::{self, OwnerKind};
use crate::store::{Tx, calendars, principals};
use crate::xml::{Element, Name, Writer};

/// One instruction: a new value, or the property's removal.
#[derive(Clone, Debug)]
pub struct Instruction {
    pub name: Name,
    pub value: Option<Element>,
}

/// Instructions in document order; a later one on the same property replaces an earlier one.
pub fn read(document: &Element) -> Result<Vec<Instruction>> {
    let mut all: Vec<Instruction> = Vec::new();
    for block in document.elements() {
        let set = block.name == dav::SET;
        if !set && block.name != dav::REMOVE {
            continue;
        }
        for property in block.children_named(&dav::PROP).flat_map(Element::elements) {
            if all.len() >= PROPERTIES {
                return Err(too_many_properties());
            }
            all.retain(|earlier| earlier.name != property.name);
            all.push(Instruction {
                name: property.name.clone(),
                value: set.then(|| property.clone()),
            });
        }
    }
    if all.is_empty() && document.name == dav::PROPERTYUPDATE {
        return Err(Error::BadRequest(
            "propertyupdate without an instruction".into(),
        ));
    }
    Ok(all)
}

/// A property and what becomes of it.
pub struct Judged {
    pub instruction: Instruction,
    pub outcome: Result<Change>,
}

/// What each instruction would do to a resource of this kind.
pub fn judge(instructions: Vec<Instruction>, kind: On, property_bytes: usize) -> Vec<Judged> {
    instructions
        .into_iter()
        .map(|instruction| {
            let outcome = judge_one(&instruction, kind, property_bytes);
            Judged {
                instruction,
                outcome,
            }
        })
        .collect()
}

fn judge_one(instruction: &Instruction, kind: On, property_bytes: usize) -> Result<Change> {
    let value = instruction.value.as_ref();
    if value.is_some_and(|value| size(value) > property_bytes) {
        return Err(Error::TooLarge(format!(
            "over {property_bytes} bytes (limits.property_bytes)"
        )));
    }
    let protected = || {
        Err(Error::precondition(
            Precondition::CannotModifyProtectedProperty,
            format!("{} cannot be changed", instruction.name),
        ))
    };
    match live::find(&instruction.name) {
        None if RESERVED.contains(&instruction.name) => protected(),
        None => Ok(Change::Keep),
        Some(prop) => match prop.set {
            Some(set) if prop.on.meets(kind) => set(value),
            // Clients set what calendars have on other things too; there it is theirs to keep.
            Some(_) => Ok(Change::Keep),
            None => protected(),
        },
    }
}

/// Names that the RFCs give to servers and that no resource here has: nobody else may fill them, or clients would believe
/// in locks and limits that there are not.
static RESERVED: [Name; 8] = [
    Name::dav("lockdiscovery"),
    Name::dav("supportedlock"),
    Name::dav("quota-available-bytes"),
    Name::dav("group"),
    Name::caldav("calendar-data"),
    Name::caldav("max-instances"),
    Name::caldav("schedule-inbox-URL"),
    Name::caldav("schedule-outbox-URL"),
];

/// About how long the element is when written.
fn size(element: &Element) -> usize {
    use crate::xml::Node;
    let inside = element.children.iter().map(|child| match child {
        Node::Text(text) => text.len(),
        Node::Element(element) => size(element),
    });
    element.name.local.len()
        + element
            .attrs
            .iter()
            .map(|attr| attr.value.len())
            .sum::<usize>()
        + inside.sum::<usize>()
}

/// Whether each person has a value of their own.
pub fn is_personal(name: &Name) -> bool {
    live::find(name).is_some_and(|prop| prop.personal)
}

pub fn all_good(judged: &[Judged]) -> bool {
    judged.iter().all(|one| one.outcome.is_ok())
}

/// Whose properties are set.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub kind: OwnerKind,
    pub id: i64,
    /// The person asking, where some values are their own; `None`: all values hold for everybody.
    pub own: Option<PrincipalId>,
}

/// Carries the changes out. Every outcome has to be good.
pub async fn apply(tx: &mut Tx<'_>, target: Target, judged: &[Judged], now: i64) -> Result<()> {
    for Judged {
        instruction,
        outcome,
    } in judged
    {
        let Ok(change) = outcome else { continue };
        apply_one(tx, target, instruction, change, now).await?;
    }
    if target.kind == OwnerKind::Calendar {
        calendars::touch_props(tx, CalendarId(target.id), now).await?;
    }
    Ok(())
}

async fn apply_one(
    tx: &mut Tx<'_>,
    target: Target,
    instruction: &Instruction,
    change: &Change,
    now: i64,
) -> Result<()> {
    let calendar = CalendarId(target.id);
    match change {
        Change::Keep
            if target.kind == OwnerKind::Principal && instruction.name == dav::DISPLAYNAME =>
        {
            let name = instruction
                .value
                .as_ref()
                .map(Element::trimmed_text)
                .unwrap_or_default();
            return principals::set_display_name(tx, PrincipalId(target.id), &name).await;
        }
        Change::Keep => {}
        Change::Timezone(zone) => calendars::set_timezone(tx, calendar, zone, now).await?,
        Change::TimezoneId(zone) => {
            let text = super::names::cal::CALENDAR_TIMEZONE.to_string();
            properties::remove(tx, target.kind, target.id, PrincipalId(0), &text).await?;
            return calendars::set_timezone(tx, calendar, zone, now).await;
        }
        Change::Transparent(yes) => {
            return calendars::set_transparent(tx, calendar, *yes, now).await;
        }
    }
    let whose = target
        .own
        .filter(|_| is_personal(&instruction.name))
        .unwrap_or(PrincipalId(0));
    let name = instruction.name.to_string();
    match &instruction.value {
        Some(value) => {
            properties::set(
                tx,
                target.kind,
                target.id,
                whose,
                &name,
                &value.to_xml_string(),
            )
            .await
        }
        None => properties::remove(tx, target.kind, target.id, whose, &name)
            .await
            .map(drop),
    }
}

/// The propstats of an answer: all 200, or what failed by its status and the rest 424.
pub fn write_propstats(w: &mut Writer, judged: &[Judged]) {
    if all_good(judged) {
        return write_one(
            w,
            judged.iter().map(|one| &one.instruction.name),
            StatusCode::OK,
            None,
        );
    }
    for one in judged {
        if let Err(why) = &one.outcome {
            write_one(w, [&one.instruction.name], failure(why), Some(why));
        }
    }
    let fine: Vec<&Name> = judged
        .iter()
        .filter(|one| one.outcome.is_ok())
        .map(|one| &one.instruction.name)
        .collect();
    if !fine.is_empty() {
        write_one(w, fine, StatusCode::FAILED_DEPENDENCY, None);
    }
}

/// The status of a refused instruction; too long a value is RFC 4918 §9.2.1's 507.
pub fn failure(why: &Error) -> StatusCode {
    match why {
        Error::TooLarge(_) => StatusCode::INSUFFICIENT_STORAGE,
        other => error::status(other),
    }
}

fn write_one<'n>(
    w: &mut Writer,
    names: impl IntoIterator<Item = &'n Name>,
    status: StatusCode,
    why: Option<&Error>,
) {
    w.open(&dav::PROPSTAT).open(&dav::PROP);
    for name in names {
        w.empty(name);
    }
    let reason = status.canonical_reason().unwrap_or_default();
    w.close().element(
        &dav::STATUS,
        &format!("HTTP/1.1 {} {reason}", status.as_u16()),
    );
    if let Some(why) = why {
        if let Error::Precondition { is, .. } = why {
            w.open(&dav::ERROR);
            error::write(w, is, "", "");
            w.close();
        }
        w.element(&dav::RESPONSEDESCRIPTION, &why.to_string());
    }
    w.close();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml;

    fn parse(text: &str) -> Element {
        xml::read(text.as_bytes(), &xml::Limits::default()).unwrap()
    }

    fn update(inside: &str) -> Vec<Judged> {
        let document = format!(
            "<D:propertyupdate xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav' xmlns:x='urn:x'>{inside}</D:propertyupdate>"
        );
        judge(read(&parse(&document)).unwrap(), On::CALENDAR, 100)
    }

    #[test]
    fn instructions_are_judged_by_the_property_table() {
        for (inside, want) in [
            (
                "<D:set><D:prop><x:any>1</x:any></D:prop></D:set>",
                Some(Change::Keep),
            ),
            (
                "<D:set><D:prop><D:displayname>a</D:displayname></D:prop></D:set>",
                Some(Change::Keep),
            ),
            (
                "<D:remove><D:prop><D:displayname/></D:prop></D:remove>",
                Some(Change::Keep),
            ),
            (
                "<D:set><D:prop><D:getetag>a</D:getetag></D:prop></D:set>",
                None,
            ),
            (
                "<D:remove><D:prop><D:resourcetype/></D:prop></D:remove>",
                None,
            ),
            ("<D:set><D:prop><D:lockdiscovery/></D:prop></D:set>", None),
            (
                "<D:set><D:prop><C:calendar-data>x</C:calendar-data></D:prop></D:set>",
                None,
            ),
            (
                "<D:set><D:prop><C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp></D:prop></D:set>",
                Some(Change::Transparent(true)),
            ),
            (
                "<D:set><D:prop><C:schedule-calendar-transp><x:y/></C:schedule-calendar-transp></D:prop></D:set>",
                None,
            ),
        ] {
            let judged = update(inside);
            assert_eq!(judged[0].outcome.as_ref().ok(), want.as_ref(), "{inside}");
        }
        let long = format!(
            "<D:set><D:prop><x:any>{}</x:any></D:prop></D:set>",
            "a".repeat(101)
        );
        assert_eq!(
            failure(update(&long)[0].outcome.as_ref().unwrap_err()),
            StatusCode::INSUFFICIENT_STORAGE
        );
    }

    #[test]
    fn the_last_instruction_on_a_property_counts() {
        let judged = update(
            "<D:set><D:prop><x:a>1</x:a><x:b/></D:prop></D:set><D:remove><D:prop><x:a/></D:prop></D:remove>",
        );
        let names: Vec<_> = judged
            .iter()
            .map(|one| {
                (
                    one.instruction.name.to_string(),
                    one.instruction.value.is_some(),
                )
            })
            .collect();
        assert_eq!(
            names,
            [
                ("{urn:x}b".to_string(), true),
                ("{urn:x}a".to_string(), false)
            ]
        );
    }

    #[test]
    fn one_failure_fails_the_rest() {
        let judged = update(
            "<D:set><D:prop><D:getetag>x</D:getetag><D:displayname>a</D:displayname></D:prop></D:set>",
        );
        let mut w = Writer::fragment();
        w.open(&dav::RESPONSE);
        write_propstats(&mut w, &judged);
        let root = parse(&String::from_utf8(w.finish()).unwrap());
        let seen: Vec<_> = root
            .elements()
            .map(|propstat| {
                let name = propstat
                    .child(&dav::PROP)
                    .unwrap()
                    .elements()
                    .next()
                    .unwrap()
                    .name
                    .local
                    .to_string();
                (name, propstat.child(&dav::STATUS).unwrap().text())
            })
            .collect();
        assert_eq!(
            seen[0],
            ("getetag".to_string(), "HTTP/1.1 403 Forbidden".to_string())
        );
        assert_eq!(
            seen[1],
            (
                "displayname".to_string(),
                "HTTP/1.1 424 Failed Dependency".to_string()
            )
        );
        let error = root.elements().next().unwrap().child(&dav::ERROR).unwrap();
        assert!(
            error
                .child(&Name::dav("cannot-modify-protected-property"))
                .is_some()
        );
    }
}
