//! Errors in the form of AWS Transfer Family's API.

use serde_json::{Map, Value, json};

/// An error of the API: the name of its shape in the model, and its members.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
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

    /// `ValidationException`: values violate constraints of the model, such as a length or a pattern. The model lists no
    /// such error, but AWS answers so (terraform-provider-aws#44110).
    pub(crate) fn constraint(message: impl Into<String>) -> Self {
        Self::protocol(400, "ValidationException", message)
    }

    /// `InvalidRequestException`: the request contradicts itself, or what exists.
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

    /// `ConflictException`: the server's state does not allow the operation.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(400, "ConflictException", message)
    }

    /// `InvalidNextTokenException`.
    pub(crate) fn invalid_next_token() -> Self {
        Self::new(400, "InvalidNextTokenException", "The NextToken parameter that was passed is invalid")
    }

    /// `InternalServiceError`: the local cloud itself failed, for example to write its file.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "InternalServiceError", message)
    }

    /// An error that precedes the operation and is the same for every AWS service with a JSON protocol.
    pub(crate) fn protocol(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let mut error = Self::new(status, code, message);
        // The common errors, unlike Transfer's own, spell this member in lower case.
        if let Some(message) = error.members.remove("Message") {
            error.members.insert("message".to_owned(), message);
        }
        error
    }

    /// The body of the response.
    pub(crate) fn body(&self) -> Value {
        let mut body = self.members.clone();
        body.insert("__type".to_owned(), json!(self.code));
        Value::Object(body)
    }
}
