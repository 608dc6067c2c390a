//! Becoming a client that the authorization server knows (AU-7, AU-20 to AU-24).

use http::StatusCode;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::{
    discovery::Discovered,
    exchange::{Exchange, seconds},
    grant::said,
    store::{Client, Proof},
};
use crate::{
    config::sign_in::{SignIn, StaticClient},
    error::{Error, Kind},
    json::{text, texts},
    kept::now,
};

/// Has the form of a challenge (RFC 7636, 4.2), and no verifier that anybody knows.
const NO_CHALLENGE: &str = "0000000000000000000000000000000000000000000";

/// The client to sign in with: the one that was named, its metadata document, the one that was
/// registered before, or one that is registered now.
///
/// # Errors
/// There is none, and none can be registered.
pub async fn client(
    exchange: &Exchange,
    discovered: &Discovered,
    options: &SignIn,
    known: Option<&Client>,
    redirect_uri: Option<&str>,
) -> Result<Client, Error> {
    if let Some(client) = self::known(options, &discovered.metadata) {
        return Ok(client);
    }
    let pinned = options.client_metadata.get("scope").and_then(Value::as_str);
    let scope = pinned.or(discovered.scope.as_deref());
    if let Some(known) = known.filter(|known| is_usable(known, redirect_uri, now()))
        && is_welcome(exchange, discovered, known, scope).await
    {
        return Ok(known.clone());
    }
    register(exchange, discovered, options, redirect_uri).await
}

/// The client that needs no registration: the one that was named, or its metadata document where
/// the server takes such.
pub fn known(options: &SignIn, metadata: &Value) -> Option<Client> {
    if let Some(client) = &options.client {
        return Some(named(client, metadata));
    }
    let takes_documents = metadata.get("client_id_metadata_document_supported");
    let id = options.client_metadata_url.clone();
    let id = id.filter(|_| takes_documents == Some(&Value::Bool(true)))?;
    Some(Client { id, ..Client::default() })
}

/// The client that the options name.
pub fn named(client: &StaticClient, metadata: &Value) -> Client {
    let said = client.method.as_deref().and_then(Proof::named);
    let offers = |proof: Proof| {
        texts(metadata, "token_endpoint_auth_methods_supported").any(|name| name == proof.name())
    };
    let usual = match &client.secret {
        _ if client.key.is_some() => Proof::PrivateKey,
        None => Proof::None,
        Some(_) if !offers(Proof::Basic) && offers(Proof::Post) => Proof::Post,
        Some(_) => Proof::Basic,
    };
    Client {
        id: client.id.clone(),
        secret: client.secret.clone(),
        key: client.key.clone(),
        proof: said.unwrap_or(usual),
        is_named: true,
        ..Client::default()
    }
}

/// Whether a client that was registered before can be used again.
fn is_usable(known: &Client, redirect_uri: Option<&str>, now: u64) -> bool {
    let is_registered = known.redirect_uri.is_some();
    let fits = redirect_uri.is_none_or(|uri| known.redirect_uri.as_deref() == Some(uri));
    is_registered && fits && known.expires_at.is_none_or(|end| end == 0 || now < end)
}

/// Whether the authorization server knows the client, and lets it ask for these scopes. If it does
/// not, it need not lead back from its sign-in page (RFC 6749, 4.1.2.1): the person would see an
/// error there, and the bridge hear of nothing (AU-24).
async fn is_welcome(
    exchange: &Exchange,
    discovered: &Discovered,
    known: &Client,
    scope: Option<&str>,
) -> bool {
    let Ok(mut url) = discovered.endpoint("authorization_endpoint") else { return true };
    url.query_pairs_mut()
        .extend_pairs([
            ("response_type", "code"),
            ("client_id", &known.id),
            ("redirect_uri", known.redirect_uri.as_deref().unwrap_or_default()),
            ("state", "none"),
            ("code_challenge", NO_CHALLENGE),
            ("code_challenge_method", "S256"),
        ])
        .extend_pairs(scope.map(|scope| ("scope", scope)))
        .extend_pairs(discovered.resource.as_ref().map(|resource| ("resource", resource)));
    // Who does not answer now will be heard of soon enough.
    let Ok((status, leads)) = exchange.knock(&url).await else { return true };
    let is_refused = leads.is_some_and(|leads| {
        const REFUSALS: [&str; 3] = ["invalid_client", "unauthorized_client", "invalid_scope"];
        leads.query_pairs().any(|(name, code)| name == "error" && REFUSALS.contains(&&*code))
    });
    !is_refused && !matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED)
}

async fn register(
    exchange: &Exchange,
    discovered: &Discovered,
    options: &SignIn,
    redirect_uri: Option<&str>,
) -> Result<Client, Error> {
    if text(&discovered.metadata, "registration_endpoint").is_none() {
        return Err(Error::new(Kind::Authorization, "the authorization server knows no client")
            .because("it does not let programs register themselves")
            .hint("register one there, and pass it as `--static-oauth-client-info @FILE`"));
    }
    let url = discovered.endpoint("registration_endpoint")?;
    let mut request = Value::Object(request(discovered, &options.client_metadata, redirect_uri));
    let mut answer = exchange.post_json(&url, &request).await?;
    // Some take the scopes that are their own alone, and not those of the servers behind them; a
    // scope can still be asked for when signing in (AU-22).
    if text(&answer.body, "error") == Some("invalid_client_metadata") {
        let scope = request.as_object_mut().and_then(|members| members.remove("scope"));
        if scope.is_some() {
            answer = exchange.post_json(&url, &request).await?;
        }
    }
    let Some(id) = text(&answer.body, "client_id").filter(|_| answer.status.is_success()) else {
        let what = "the authorization server did not register the bridge as a client";
        return Err(Error::new(Kind::Authorization, what)
            .because(said(&answer))
            .hint("register a client there, and pass it as `--static-oauth-client-info @FILE`"));
    };
    let secret = text(&answer.body, "client_secret").map(SecretString::from);
    let usual = if secret.is_some() { Proof::Basic } else { Proof::None };
    let proof = text(&answer.body, "token_endpoint_auth_method").and_then(Proof::named);
    Ok(Client {
        id: id.to_owned(),
        secret,
        key: None,
        proof: proof.unwrap_or(usual),
        redirect_uri: redirect_uri.map(String::from),
        expires_at: seconds(answer.body.get("client_secret_expires_at")),
        is_named: false,
    })
}

/// What to register: a program on a person's machine, without a secret if the server lets it
/// (AU-21, AU-45).
fn request(
    discovered: &Discovered,
    further: &Map<String, Value>,
    redirect_uri: Option<&str>,
) -> Map<String, Value> {
    const METHODS: &str = "token_endpoint_auth_methods_supported";
    let in_order = [Proof::None, Proof::Post, Proof::Basic];
    let offered = in_order.into_iter().find(|proof| discovered.lists(METHODS, proof.name()));
    let grants = match redirect_uri {
        Some(_) => ["authorization_code", "refresh_token"],
        None => ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
    };
    let mut members = Map::new();
    let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
    add("client_name", json!("Composio Bridge"));
    add("application_type", json!("native"));
    add("grant_types", json!(grants));
    add("token_endpoint_auth_method", json!(offered.unwrap_or_default().name()));
    // Said also where there are none: a server takes silence for `code`, which needs an address to
    // lead back to (RFC 7591, 2).
    add("redirect_uris", json!(redirect_uri.as_slice()));
    add("response_types", json!(redirect_uri.map(|_| "code").as_slice()));
    if let Some(scope) = &discovered.scope {
        add("scope", json!(scope));
    }
    members.extend(further.clone());
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discovered(metadata: Value) -> Discovered {
        let issuer = "https://as.example".to_owned();
        Discovered { issuer, resource: None, scope: None, metadata, is_assumed: false }
    }

    #[test]
    fn a_native_program_that_wants_to_stay_is_registered() {
        let server = discovered(json!({
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]
        }));
        let further = json!({"client_name": "mine", "scope": "a"});
        let further = further.as_object().expect("an object");
        let members = Value::Object(request(&server, further, Some("http://localhost:1/cb")));
        assert_eq!(
            members,
            json!({
                "client_name": "mine",
                "application_type": "native",
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "redirect_uris": ["http://localhost:1/cb"],
                "token_endpoint_auth_method": "client_secret_post",
                "scope": "a",
            })
        );
    }

    #[test]
    fn a_device_needs_no_address_to_lead_back_to() {
        let members = Value::Object(request(&discovered(json!({})), &Map::new(), None));
        assert_eq!(members["redirect_uris"], json!([]));
        assert_eq!(members["response_types"], json!([]));
    }

    #[test]
    fn a_registration_is_used_again_while_it_fits() {
        let known = |uri: Option<&str>, expires_at| Client {
            redirect_uri: uri.map(String::from),
            expires_at,
            ..Client::default()
        };
        for (client, uri, usable) in [
            (known(Some("a"), None), Some("a"), true),
            (known(Some("a"), Some(0)), Some("a"), true),
            (known(Some("a"), Some(11)), Some("a"), true),
            (known(Some("a"), Some(10)), Some("a"), false),
            (known(Some("a"), None), Some("b"), false),
            (known(None, None), None, false),
        ] {
            assert_eq!(is_usable(&client, uri, 10), usable, "{client:?} {uri:?}");
        }
    }

    #[test]
    fn a_secret_is_shown_as_the_server_offers() {
        let client = |secret: Option<&str>, method: Option<&str>| StaticClient {
            id: "me".into(),
            secret: secret.map(SecretString::from),
            key: None,
            method: method.map(String::from),
        };
        let post = json!({"token_endpoint_auth_methods_supported": ["client_secret_post"]});
        for (client, metadata, proof) in [
            (client(None, None), json!({}), Proof::None),
            (client(Some("s"), None), json!({}), Proof::Basic),
            (client(Some("s"), None), post.clone(), Proof::Post),
            (client(Some("s"), Some("client_secret_basic")), post, Proof::Basic),
        ] {
            assert_eq!(named(&client, &metadata).proof, proof);
        }
    }
}
