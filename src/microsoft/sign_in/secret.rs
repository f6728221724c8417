//! A client secret.

use super::{Ask, Grant, SignInError};
use crate::microsoft::Resource;
use secrecy::{ExposeSecret, SecretString};

pub(super) async fn grant(ask: &Ask<'_>, resource: Resource, secret: &SecretString) -> Result<Grant, SignInError> {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", ask.client),
        ("scope", &ask.cloud.scope(resource)),
        ("client_secret", secret.expose_secret()),
    ];
    ask.token(&form, &[secret]).await
}
