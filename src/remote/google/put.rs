//! Making an event be what it shall be, with as few requests as that takes. FACTS §2.3, §2.4, §8.
//!
//! What is to be written is [`map`]'s; this runs it. Each write that replaces something carries the ETag of what was
//! read, so an edit made there meanwhile is [`Fault::Stale`] and never lost. A repeated put finds what an earlier one
//! did: inserts by their id, the rest by difference.

use serde_json::json;

use super::map::{self, Desired, Known, Rights, Step};
use super::wire::Json;
use super::{answers, calls, get, resource, wire, write};
use crate::remote::{Account, Fault, Item, Loss, Place, Placed, Put, Refusal};
use calls::Sending;

/// One put on its way.
struct Run<'a> {
    account: &'a Account,
    place: &'a Place,
    put: Put<'a>,
    desired: Desired,
    known: Known,
    /// The series was made by this very put: nobody else can have touched its instances.
    fresh: bool,
    lost: Vec<Loss>,
}

pub async fn run(account: &Account, place: &Place, put: Put<'_>) -> Result<Placed, Fault> {
    let mut run = Run {
        account,
        place,
        desired: Desired::of(&put, place)?,
        known: Known::of(put.known, place),
        fresh: false,
        lost: Vec::new(),
        put,
    };
    if run.known.master.is_none() && run.known.exceptions.is_empty() {
        run.create().await?;
    }
    run.check_shape()?;
    run.master().await?;
    run.instances().await?;
    run.respond().await?;
    run.conference().await?;
    Ok(run.placed())
}

/// Is it among these, unchanged?
pub fn is_known(item: &Item, known: &[Item]) -> bool {
    known
        .iter()
        .any(|one| one.id == item.id && one.stamp == item.stamp)
}

impl Run<'_> {
    fn rights(&self) -> Rights<'_> {
        Rights {
            place: self.place,
            account: &self.account.label,
        }
    }

    fn sending<'s>(&self, stamp: &'s str) -> Sending<'s> {
        Sending {
            guests: self.put.guests,
            stamp,
        }
    }

    /// Exceptions without a master are somebody else's series: they can be changed and not be made.
    fn check_shape(&self) -> Result<(), Fault> {
        if self.desired.master.is_some() == self.known.master.is_some() {
            return Ok(());
        }
        Err(Refusal::new(
            "no-master",
            "Google has no single instances of a series that is not there",
        )
        .into())
    }

    async fn create(&mut self) -> Result<(), Fault> {
        if self.desired.master.is_none() {
            return self.check_none();
        }
        let mut body =
            map::master_changes(&self.desired, &self.known, self.put.key, &self.rights())?;
        body.insert("id".into(), json!(self.put.key));
        let calendar = &self.place.remote_id;
        let request = calls::insert(self.account, calendar, body.clone(), self.put.guests)?;
        match write(self.account, request).await {
            Ok(response) => {
                self.take(&answers::object(&response)?)?;
                self.fresh = true;
                Ok(())
            }
            Err(Fault::Duplicate(_)) => self.adopt(body).await,
            Err(fault) => Err(fault),
        }
    }

    fn check_none(&self) -> Result<(), Fault> {
        Err(Refusal::new(
            "no-master",
            "it is a single instance of a series that is not here: Google can not hold it",
        )
        .into())
    }

    /// The id is taken: by our own earlier attempt, by one that was deleted since, or by somebody else's event.
    async fn adopt(&mut self, mut body: Json) -> Result<(), Fault> {
        let id = self.put.key;
        let Some(there) = resource(self.account, self.place, id).await? else {
            return Err(Fault::Transient(
                "Google says that it exists, and that it does not".into(),
            ));
        };
        if super::is_cancelled(&there) {
            body.remove("id");
            body.insert("status".into(), json!("confirmed"));
            let how = self.sending(&there.stamp);
            let request = calls::update(self.account, &self.place.remote_id, id, body, how)?;
            let response = write(self.account, request).await?;
            return self.take(&answers::object(&response)?);
        }
        if map::marker(&wire::parse(&there.doc)).as_ref() != Some(self.put.marker) {
            return Err(Fault::Duplicate(Some(there.id)));
        }
        self.reread(id).await
    }

    /// Notes what is there now.
    fn take(&mut self, doc: &Json) -> Result<(), Fault> {
        // A write whose answer can not be read has happened all the same.
        let item = answers::item(doc)
            .ok_or_else(|| Fault::OutcomeUnknown("Google's answer names no event".into()))?;
        self.known.take(item, self.place);
        Ok(())
    }

    async fn reread(&mut self, id: &str) -> Result<(), Fault> {
        let items = get(self.account, self.place, id)
            .await?
            .ok_or(Fault::NotFound)?;
        self.known = Known::of(&items, self.place);
        Ok(())
    }

    async fn master(&mut self) -> Result<(), Fault> {
        let body = map::master_changes(&self.desired, &self.known, self.put.key, &self.rights())?;
        let Some(there) = &self.known.master else {
            return Ok(());
        };
        if body.is_empty() {
            return Ok(());
        }
        let item = there.item.clone();
        // Another rule or another time makes other instances: what becomes of exceptions is Google's to say.
        let reshapes = (body.contains_key("recurrence") || body.contains_key("start"))
            && !wire::list(&there.doc, "recurrence").is_empty();
        if reshapes && !self.fresh {
            self.check_exceptions(&item).await?;
        }
        self.patch(&item.id, &item.stamp, body).await?;
        if reshapes {
            self.reread(&item.id).await?;
        }
        Ok(())
    }

    /// An exception that changed there since it was read stops a write that could undo it.
    async fn check_exceptions(&self, master: &Item) -> Result<(), Fault> {
        let doc = wire::parse(&master.doc);
        let uid = wire::text(&doc, "iCalUID");
        let there = super::exceptions(self.account, self.place, &master.id, uid).await?;
        match there.iter().all(|item| is_known(item, self.put.known)) {
            true => Ok(()),
            false => Err(Fault::Stale),
        }
    }

    async fn patch(&mut self, id: &str, stamp: &str, body: Json) -> Result<(), Fault> {
        let how = self.sending(stamp);
        let request = calls::patch(self.account, &self.place.remote_id, id, body, how)?;
        let response = write(self.account, request).await?;
        self.take(&answers::object(&response)?)
    }

    async fn instances(&mut self) -> Result<(), Fault> {
        let steps = map::instance_steps(&self.desired, &self.known, &self.rights())?;
        for step in steps {
            match self.instance(&step).await {
                Err(Fault::NotFound) => self.lose(&step),
                other => other?,
            }
        }
        Ok(())
    }

    /// One instance. Where it has no resource yet, nothing tells whether somebody has changed it just now; so it is
    /// read before, unless the series is our own and new.
    async fn instance(&mut self, step: &Step) -> Result<(), Fault> {
        let mut stamp = step.stamp.clone();
        if let (Some(usual), false) = (&step.usual, self.fresh) {
            let there = resource(self.account, self.place, &step.id).await?;
            let there = there.ok_or(Fault::NotFound)?;
            if !map::is_still(&there, usual, self.place) {
                return Err(Fault::Stale);
            }
            stamp = there.stamp;
        }
        self.patch(&step.id, &stamp, step.body.clone()).await
    }

    /// An override of an instance that the series there does not have.
    fn lose(&mut self, step: &Step) {
        let written = self
            .desired
            .overrides
            .get(&step.rid)
            .map(|wish| wish.written.clone());
        self.lost.push(Loss {
            rid: written,
            property: "RECURRENCE-ID".into(),
            what: "Google does not see this instance in the series".into(),
        });
        self.known.exceptions.remove(&step.rid);
    }

    /// Our answer to an invitation.
    async fn respond(&mut self) -> Result<(), Fault> {
        let Some(partstat) = self.put.respond else {
            return Ok(());
        };
        let masters = self.known.master.iter();
        let alone = self
            .known
            .exceptions
            .values()
            .filter(|_| self.known.master.is_none());
        let mut bodies = Vec::new();
        for one in masters.chain(alone) {
            if map::editable(&one.doc, self.place, &self.account.label) {
                continue;
            }
            if let Some(body) = map::respond(one, &self.account.label, partstat)? {
                bodies.push((one.item.id.clone(), one.item.stamp.clone(), body));
            }
        }
        for (id, stamp, body) in bodies {
            self.patch(&id, &stamp, body).await?;
        }
        Ok(())
    }

    /// A conference is made a moment later than the event (FACTS §2.3): one more look.
    async fn conference(&mut self) -> Result<(), Fault> {
        let waiting = self
            .known
            .master
            .as_ref()
            .filter(|one| map::pending(&one.doc));
        let Some(id) = waiting.map(|one| one.item.id.clone()) else {
            return Ok(());
        };
        // Without an answer it is there all the same, and the next run sees it.
        if let Ok(Some(item)) = resource(self.account, self.place, &id).await {
            self.known.take(item, self.place);
        }
        Ok(())
    }

    fn placed(self) -> Placed {
        let doc = self.known.master.as_ref().map(|one| &one.doc);
        let mut losses = self.desired.losses(self.put.text, doc);
        losses.extend(self.lost);
        Placed {
            items: self.known.into_items(),
            losses,
        }
    }
}
