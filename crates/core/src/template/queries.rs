//! The saved queries, which an environment may leave out.

use serde_json::{Map, Value};

use super::TemplateError;
use crate::spec::model::Environment;

const TYPE: &str = "AWS::Logs::QueryDefinition";

/// Takes the queries away, if the environment does not ask for them.
pub(super) fn fit(environment: &Environment, resources: &mut Map<String, Value>) -> Result<(), TemplateError> {
    if !resources.values().any(|resource| resource["Type"] == TYPE) {
        return Err(TemplateError::Lacks(TYPE));
    }
    if !environment.logs.saved_queries {
        resources.retain(|_, resource| resource["Type"] != TYPE);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{Code, render};
    use super::*;
    use crate::spec;

    fn queries(more: &str) -> Vec<Value> {
        let file = format!("{}{more}", include_str!("../../../../environments/99.yaml"));
        // The key may be in the file already.
        let file = file.replace("logs:\n  retention_days: 30\n", "");
        let environment = spec::load(&file, "99.yaml").unwrap();
        let code = Code { bucket: "b".into(), key: "k".into() };
        let template = render(&environment, "us-west-2", &code).unwrap().template;
        let resources = template["Resources"].as_object().unwrap().values();
        resources.filter(|resource| resource["Type"] == TYPE).map(|resource| resource["Properties"].clone()).collect()
    }

    #[test]
    fn queries_are_there_if_asked_for() {
        assert_eq!(queries(""), Vec::<Value>::new());
        let all = queries("logs: { saved_queries: true }\n");
        assert_eq!(all.len(), 6);
        let names: BTreeSet<&str> = all.iter().filter_map(|query| query["Name"]["Fn::Sub"].as_str()).collect();
        assert!(names.len() == 6 && names.iter().all(|name| name.starts_with("${ResourceStem}/")), "{names:?}");
        for query in &all {
            let text = query["QueryString"].as_str().unwrap();
            // CloudWatch Logs API reference, PutQueryDefinition.
            assert!(text.len() < 10_000 && text.starts_with("filter "), "{text}");
            assert_eq!(text.contains("{{path}}"), query["Parameters"].is_array(), "{text}");
        }
    }
}
