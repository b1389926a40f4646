//! What becomes of a prototype in the source: the same value, with what is a cluster's in its place.

use serde_json::{Map, Value, json};

/// What stands in the place of the prototype's texts, parameters and logical IDs.
pub(super) struct Fitting<'a> {
    /// Replaced wherever they are in a text.
    pub(super) texts: &'a [(&'a str, &'a str)],
    /// Parameters and resources, and what a `Ref` to them becomes.
    pub(super) refs: &'a [(&'a str, &'a Value)],
    /// Logical IDs that each cluster has for itself.
    pub(super) ids: &'a [&'a str],
    /// The end of such an ID, for this cluster.
    pub(super) stem: &'a str,
}

impl Fitting<'_> {
    /// The cluster's logical ID of a resource.
    pub(super) fn id(&self, prototype: &str) -> String {
        if self.ids.contains(&prototype) { format!("{prototype}{}", self.stem) } else { prototype.to_owned() }
    }

    /// The cluster's value.
    pub(super) fn value(&self, prototype: &Value) -> Value {
        match prototype {
            Value::String(text) => {
                json!(self.texts.iter().fold(text.clone(), |text, (name, is)| text.replace(name, is)))
            }
            Value::Array(values) => values.iter().map(|value| self.value(value)).collect(),
            Value::Object(fields) => self.object(fields),
            other => other.clone(),
        }
    }

    fn object(&self, fields: &Map<String, Value>) -> Value {
        if let Some(Value::String(id)) = fields.get("Ref") {
            let given = self.refs.iter().find(|(name, _)| name == id);
            return given.map_or_else(|| json!({ "Ref": self.id(id) }), |(_, value)| (*value).clone());
        }
        let fitted = fields.iter().map(|(name, value)| match (name.as_str(), value) {
            ("DependsOn", Value::String(id)) => (name.clone(), json!(self.id(id))),
            ("Fn::GetAtt", Value::Array(words)) => {
                (name.clone(), json!([self.id(words[0].as_str().unwrap_or_default()), words[1]]))
            }
            _ => (name.clone(), self.value(value)),
        });
        Value::Object(fitted.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_parameters_and_ids_are_the_clusters() {
        let topic = json!({ "Ref": "Topic99x2d5" });
        let fitting = Fitting {
            texts: &[("${UploadBucketName}", "uploads"), ("decrypted/", "in/")],
            refs: &[("Topic", &topic)],
            ids: &["Bucket", "Role"],
            stem: "99x2d5",
        };
        let prototype = json!({
            "DependsOn": "Bucket",
            "Type": "Bucket",
            "Properties": {
                "Names": [{ "Ref": "Bucket" }, { "Ref": "AWS::Region" }, { "Ref": "Topic" }],
                "Role": { "Fn::GetAtt": ["Role", "Arn"] },
                "Other": { "Fn::GetAtt": ["Queue", "Arn"] },
                "Path": { "Fn::Sub": "${UploadBucketName}/decrypted/*" },
                "Count": 1,
            },
        });
        let fitted = json!({
            "DependsOn": "Bucket99x2d5",
            "Type": "Bucket",
            "Properties": {
                "Names": [{ "Ref": "Bucket99x2d5" }, { "Ref": "AWS::Region" }, topic],
                "Role": { "Fn::GetAtt": ["Role99x2d5", "Arn"] },
                "Other": { "Fn::GetAtt": ["Queue", "Arn"] },
                "Path": { "Fn::Sub": "uploads/in/*" },
                "Count": 1,
            },
        });
        assert_eq!(fitting.value(&prototype), fitted);
        assert_eq!((fitting.id("Role"), fitting.id("Queue")), ("Role99x2d5".to_owned(), "Queue".to_owned()));
    }
}
