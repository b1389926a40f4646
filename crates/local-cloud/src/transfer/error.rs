//! Errors as AWS Transfer Family puts them on the wire.

use serde_json::{Map, Value, json};

/// One refusal: the error's shape name, and the members of that shape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    /// HTTP status.
    pub(crate) status: u16,
    /// The shape's name, which SDKs turn into an exception.
    pub(crate) code: &'static str,
    /// The members besides `__type`.
    pub(crate) members: Map<String, Value>,
}

impl ApiError {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let mut members = Map::new();
        members.insert("Message".to_owned(), Value::String(message.into()));
        Self { status, code, members }
    }

    /// `InvalidRequestException`: the request is malformed or contradicts itself.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidRequestException", message)
    }

    /// `ResourceNotFoundException`, with the members that the model requires.
    pub(crate) fn unknown(kind: &str, name: &str) -> Self {
        let mut error = Self::new(400, "ResourceNotFoundException", format!("Unknown {}", kind.to_lowercase()));
        error.members.insert("Resource".to_owned(), json!(name));
        error.members.insert("ResourceType".to_owned(), json!(kind));
        error
    }

    /// `ResourceExistsException`.
    pub(crate) fn exists(kind: &str, name: &str) -> Self {
        let mut error = Self::new(400, "ResourceExistsException", format!("{kind} exists already"));
        error.members.insert("Resource".to_owned(), json!(name));
        error.members.insert("ResourceType".to_owned(), json!(kind));
        error
    }

    /// `ConflictException`: the server's state does not allow it now.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(400, "ConflictException", message)
    }

    /// `InvalidNextTokenException`.
    pub(crate) fn invalid_next_token() -> Self {
        Self::new(400, "InvalidNextTokenException", "The NextToken parameter that was passed is invalid")
    }

    /// `InternalServiceError`: the local cloud itself failed, for example at writing its file.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "InternalServiceError", message)
    }

    /// The refusals that come before any operation, the same for every AWS JSON service.
    pub(crate) fn protocol(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let mut error = Self::new(status, code, message);
        // The common errors, unlike Transfer's own, spell this member in lower case.
        if let Some(message) = error.members.remove("Message") {
            error.members.insert("message".to_owned(), message);
        }
        error
    }

    /// The body that goes on the wire.
    pub(crate) fn body(&self) -> Value {
        let mut body = self.members.clone();
        body.insert("__type".to_owned(), json!(self.code));
        Value::Object(body)
    }
}
