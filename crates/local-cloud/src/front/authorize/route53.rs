//! Route 53.

use std::collections::BTreeSet;

use super::need::{Asked, Need};
use super::table::Row;
use super::xml;

pub(super) const ROWS: &[Row] = &[
    ("ChangeResourceRecordSets", "route53:ChangeResourceRecordSets", "hostedzone"),
    ("ChangeTagsForResource", "route53:ChangeTagsForResource", "hostedzone"),
    ("CreateHostedZone", "route53:CreateHostedZone", ""),
    ("DeleteHostedZone", "route53:DeleteHostedZone", "hostedzone"),
    ("GetChange", "route53:GetChange", "change"),
    ("GetHostedZone", "route53:GetHostedZone", "hostedzone"),
    ("GetHostedZoneLimit", "route53:GetHostedZoneLimit", "hostedzone"),
    ("ListHostedZones", "route53:ListHostedZones", ""),
    ("ListHostedZonesByName", "route53:ListHostedZonesByName", ""),
    ("ListResourceRecordSets", "route53:ListResourceRecordSets", "hostedzone"),
    ("ListTagsForResource", "route53:ListTagsForResource", "hostedzone"),
];

pub(super) fn needs(action: &str, kind: &'static str, asked: &Asked<'_>) -> Result<Vec<Need>, String> {
    let resource = match (kind, asked.operation) {
        ("", _) => "*".to_owned(),
        // /2013-04-01/tags/hostedzone/ID
        (_, "ChangeTagsForResource" | "ListTagsForResource") => {
            format!("arn:aws:route53:::{kind}/{}", asked.segment(3)?)
        }
        _ => format!("arn:aws:route53:::{kind}/{}", asked.segment(2)?),
    };
    let own = Need::new(action, kind, resource);
    if asked.operation != "ChangeResourceRecordSets" {
        return Ok(vec![own]);
    }
    let xml = xml::plain(asked.body)?;
    let names: Vec<String> = texts(xml, "Name")?.iter().map(|name| normalized(name)).collect();
    if names.is_empty() {
        return Err("the request changes no records".to_owned());
    }
    let prefix = "route53:ChangeResourceRecordSets";
    let own = own.with_all(&format!("{prefix}NormalizedRecordNames"), names);
    let own = own.with_all(&format!("{prefix}RecordTypes"), texts(xml, "Type")?);
    Ok(vec![own.with_all(&format!("{prefix}Actions"), texts(xml, "Action")?)])
}

/// The texts of all elements of a name, each once.
fn texts(xml: &str, name: &str) -> Result<Vec<String>, &'static str> {
    let texts = xml::elements(xml, name).into_iter().map(|text| Ok(xml::text(text)?.trim().to_owned()));
    Ok(texts.collect::<Result<BTreeSet<String>, &str>>()?.into_iter().collect())
}

/// A name as the condition key has it: in lower case, without the final dot, special characters in octal
/// (Route 53 developer guide, "Using IAM policy conditions for fine-grained access control").
fn normalized(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.\\".contains(c);
    let octal = |c: char| if plain(c) { c.to_string() } else { format!("\\{:03o}", u32::from(c)) };
    name.trim_end_matches('.').to_ascii_lowercase().chars().map(octal).collect()
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::{asked, shown};

    #[test]
    fn changes_are_conditions() {
        let xml = "<ChangeResourceRecordSetsRequest><ChangeBatch><Changes>\
            <Change><Action>UPSERT</Action><ResourceRecordSet><Name>A.xx.net.</Name><Type>CNAME</Type>\
            <AliasTarget><DNSName>b.</DNSName></AliasTarget></ResourceRecordSet></Change>\
            <Change><Action>DELETE</Action><ResourceRecordSet><Name>*.xx.net</Name><Type>CNAME</Type>\
            </ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>";
        let request = hyper::Request::post("/2013-04-01/hostedzone/Z1/rrset").body(xml.to_owned()).unwrap();
        let needs = asked("route53", "ChangeResourceRecordSets", request);
        assert_eq!(shown(&needs), [("route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z1")]);
        let of = |key: &str| needs[0].context[&format!("route53:ChangeResourceRecordSets{key}")].clone();
        assert_eq!(of("NormalizedRecordNames"), ["\\052.xx.net", "a.xx.net"]);
        assert_eq!((of("RecordTypes"), of("Actions")), (vec!["CNAME".into()], vec!["DELETE".into(), "UPSERT".into()]));
    }

    #[test]
    fn zones_are_named_in_the_path() {
        let get = |path: &str| hyper::Request::get(path).body(String::new()).unwrap();
        let zone = "arn:aws:route53:::hostedzone/Z1";
        for (operation, path, resource) in [
            ("ListResourceRecordSets", "/2013-04-01/hostedzone/Z1/rrset?name=a", zone),
            ("ListTagsForResource", "/2013-04-01/tags/hostedzone/Z1", zone),
            ("GetChange", "/2013-04-01/change/C1", "arn:aws:route53:::change/C1"),
            ("ListHostedZonesByName", "/2013-04-01/hostedzonesbyname", "*"),
        ] {
            let needs = asked("route53", operation, get(path));
            assert_eq!(shown(&needs), [(format!("route53:{operation}").as_str(), resource)]);
        }
    }
}
