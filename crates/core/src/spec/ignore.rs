//! Rules for expected drift: the resource or property, and the reason. Pure.

/// A rule for drift to ignore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignore {
    /// Name of the resource; a `*` at its end matches anything.
    pub resource: String,
    /// Property, with everything inside it; `None` means the whole resource.
    pub property: Option<String>,
    pub reason: String,
}

impl Ignore {
    /// Reads `RESOURCE` or `RESOURCE:PROPERTY`, the argument of `--ignore`.
    pub fn parse(text: &str) -> Self {
        let (resource, property) = match text.split_once(':') {
            Some((resource, property)) => (resource, Some(property.to_owned())),
            None => (text, None),
        };
        Self { resource: resource.to_owned(), property, reason: "--ignore on the command line".to_owned() }
    }

    /// Whether the rule covers this property of this resource.
    pub fn covers(&self, resource: &str, property: &str) -> bool {
        let this = match self.resource.strip_suffix('*') {
            Some(start) => resource.starts_with(start),
            None => resource == self.resource,
        };
        this && self.property.as_deref().is_none_or(|wanted| {
            let inside = property.strip_prefix(wanted);
            inside.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_cover_a_resource_or_a_property_with_its_contents() {
        let rule = |text| Ignore::parse(text);
        for (text, resource, property, covered) in [
            ("us-west-2/server", "us-west-2/server", "SETSTAT", true),
            ("us-west-2/server", "us-west-2/server-id", "SERVER_ID", false),
            ("us-west-2/*", "us-west-2/stack/Authorizer", "Timeout", true),
            ("us-west-2/stack/A:Tags", "us-west-2/stack/A", "Tags[0].Value", true),
            ("us-west-2/stack/A:Tags", "us-west-2/stack/A", "TagsOfOthers", false),
            ("us-west-2/stack/A:Tags", "us-west-2/stack/A", "Timeout", false),
        ] {
            assert_eq!(rule(text).covers(resource, property), covered, "{text} {resource} {property}");
        }
    }
}
