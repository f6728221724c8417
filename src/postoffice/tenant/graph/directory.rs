//! The directory: people, service principals, the tenant itself. Little, for preflight checks and official clients.
//!
//! Cannot see mail.

use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::config::Trace;
use super::super::fate::Kind;
use super::super::residents::{Resident, guid};
use super::Begun;
use super::folders::picked;
use super::odata::{self, Filter};

/// The app behind the message trace.
const TRACE: &str = "8bd644d1-64a1-4d4b-ae52-2e0cbf64e373";
const PROPERTIES: [&str; 7] = [
    "id",
    "displayName",
    "mail",
    "userPrincipalName",
    "accountEnabled",
    "userType",
    "proxyAddresses",
];

impl Begun {
    /// People.
    pub fn users(&self) -> Result<Answer, Answer> {
        let select = odata::select(&self.call, &PROPERTIES, "user")?;
        let filter = self.call.option("$filter").map(Filter::parse).transpose()?;
        let mut found = Vec::new();
        for resident in self.world.residents.listed().into_iter().filter(|r| !r.is_group()) {
            let get = |path: &str| match path {
                "mail" | "userPrincipalName" => Some(odata::Value::Text(resident.address.clone())),
                "displayName" => Some(odata::Value::Text(resident.local().to_owned())),
                "accountEnabled" => Some(odata::Value::Bool(resident.meaning.kind != Kind::Shared)),
                _ => None,
            };
            if filter.as_ref().map_or(Ok(true), |f| f.passes(&get))? {
                found.push(picked(person(&resident), select.as_deref()));
            }
        }
        Ok(Answer::ok(json!({ "@odata.context": self.context("users"), "value": found })))
    }

    /// A person.
    pub fn user(&self) -> Result<Answer, Answer> {
        let select = odata::select(&self.call, &PROPERTIES, "user")?;
        let key = self.route.whom.as_deref().unwrap_or_default();
        let resident = self
            .resident
            .as_ref()
            .filter(|r| !r.is_group())
            .ok_or_else(|| Answer::no_object(key))?;
        Ok(Answer::ok(picked(person(resident), select.as_deref())))
    }

    /// Service principals, found by their app: of interest is that of the message trace.
    pub fn service_principals(&self) -> Result<Answer, Answer> {
        let filter = self.call.option("$filter").map(Filter::parse).transpose()?;
        let mut apps: Vec<(&str, &str)> = self
            .world
            .config
            .apps
            .iter()
            .map(|app| (app.id.as_str(), "Mail-flow probe"))
            .collect();
        if self.world.config.trace == Trace::Ready {
            apps.push((TRACE, "Transport Data Platform"));
        }
        let mut found = Vec::new();
        for (app, name) in apps {
            let get = |path: &str| match path {
                "appId" => Some(odata::Value::Text(app.to_owned())),
                "displayName" => Some(odata::Value::Text(name.to_owned())),
                _ => None,
            };
            if filter.as_ref().map_or(Ok(true), |f| f.passes(&get))? {
                found.push(json!({ "id": guid(&["principal", app]), "appId": app, "displayName": name, "accountEnabled": true }));
            }
        }
        Ok(Answer::ok(
            json!({ "@odata.context": self.context("servicePrincipals"), "value": found }),
        ))
    }

    /// The tenant.
    pub fn organization(&self) -> Answer {
        let domain = self.world.residents.domain();
        Answer::ok(json!({
            "@odata.context": self.context("organization"),
            "value": [{
                "id": self.world.config.id,
                "displayName": "Tenant of the post office",
                "verifiedDomains": [{ "capabilities": "Email", "isDefault": true, "isInitial": true, "name": domain, "type": "Managed" }],
            }],
        }))
    }
}

/// A person as the directory shows it.
pub fn person(resident: &Resident) -> Value {
    json!({
        "id": resident.object_id(),
        "displayName": resident.local(),
        "mail": resident.address,
        "userPrincipalName": resident.address,
        "accountEnabled": resident.meaning.kind != Kind::Shared,
        "userType": "Member",
        "proxyAddresses": [format!("SMTP:{}", resident.address)],
    })
}
