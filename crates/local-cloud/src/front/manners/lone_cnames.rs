//! A CNAME is alone at its name.

use std::collections::BTreeMap;

use async_trait::async_trait;
use axum::body::Body;
use hyper::Response;

use super::super::authorize::xml;
use super::super::{Front, refusal};
use super::{Description, Inquiry, Manner};

pub(super) struct LoneCnames;

/// The types of the record sets of each name.
type Types = BTreeMap<String, Vec<String>>;

#[async_trait]
impl Manner for LoneCnames {
    fn description(&self) -> &'static Description {
        &Description {
            name: "lone-cnames",
            aws: "A CNAME is refused beside records of other types, and these beside a CNAME",
            source: "RFC 1034, section 3.6.2; ansible-collections/amazon.aws#2694 and presslabs/zinc#178 quote the \
                     sentences",
        }
    }

    async fn ask(&self, front: &Front, request: &Inquiry<'_>) -> Option<Response<Body>> {
        let is_batch = request.is("route53", &["ChangeResourceRecordSets"]);
        let changes = xml::elements(is_batch.then(|| xml::plain(request.body).ok()).flatten()?, "Change");
        let id = request.parts.uri.path().split('/').nth(3)?;
        let route53 = front.cloud.aws(&request.call.account).await.route53();
        let (mut types, mut from) = (Types::new(), None);
        loop {
            let (page, next) = route53.page_of_records(id, from).await.ok()?;
            for record in page {
                types.entry(record.name.trim_end_matches('.').to_ascii_lowercase()).or_default().push(record.kind);
            }
            from = next;
            if from.is_none() {
                break;
            }
        }
        let is_apex = |kinds: &&Vec<String>| kinds.iter().any(|kind| kind == "SOA");
        let zone = types.iter().find(|(_, kinds)| is_apex(kinds)).map(|(name, _)| name.clone()).unwrap_or_default();
        let message = conflict(&mut types, &changes, &zone)?;
        Some(refusal::error(request.call, 400, "InvalidChangeBatch", &format!("[{message}]")))
    }
}

/// What is wrong with changes of a zone whose record sets have these types.
fn conflict(types: &mut Types, changes: &[&str], zone: &str) -> Option<String> {
    for change in changes {
        let text = |name: &str| xml::elements(change, name).first().and_then(|text| xml::text(text).ok());
        let (action, name, kind) = (text("Action")?, text("Name")?, text("Type")?);
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let kinds = types.entry(name.clone()).or_default();
        if action == "DELETE" {
            if let Some(index) = kinds.iter().position(|have| *have == kind) {
                kinds.remove(index);
            }
            continue;
        }
        let start = format!("RRSet of type {kind} with DNS name {name}. is not permitted");
        if kind == "CNAME" && kinds.iter().any(|have| have != "CNAME") {
            return Some(format!("{start} as it conflicts with other records with the same DNS name in zone {zone}."));
        }
        if kind != "CNAME" && kinds.iter().any(|have| have == "CNAME") {
            return Some(format!(
                "{start} because a conflicting RRSet of type CNAME with the same DNS name already exists in zone \
                 {zone}."
            ));
        }
        kinds.push(kind);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_judged_by_what_it_leaves() {
        let change = |action: &str, kind: &str| {
            format!(
                "<Action>{action}</Action><ResourceRecordSet><Name>A.xx.net.</Name><Type>{kind}</Type>\
                 </ResourceRecordSet>"
            )
        };
        let judged = |kinds: &[&str], changes: &[String]| {
            let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
            let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
            conflict(&mut BTreeMap::from([("a.xx.net".to_owned(), kinds)]), &changes, "xx.net")
        };
        assert_eq!(judged(&[], &[change("CREATE", "CNAME")]), None);
        let beside = judged(&["A"], &[change("UPSERT", "CNAME")]).unwrap();
        assert!(beside.contains("CNAME with DNS name a.xx.net. is not permitted as it conflicts"), "{beside}");
        assert!(judged(&["CNAME"], &[change("CREATE", "TXT")]).is_some());
        assert_eq!(judged(&["A"], &[change("DELETE", "A"), change("CREATE", "CNAME")]), None);
        assert_eq!(judged(&["CNAME"], &[change("UPSERT", "CNAME")]), None, "of another region, for example");
    }
}
