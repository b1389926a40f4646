//! The condition keys this model knows, and the request context built from them.
//!
//! A misspelt key is the most dangerous mistake in a policy: under a negated or an `IfExists` operator it is "missing"
//! and the condition holds. Keys outside these tables are therefore refused, in policies and in requests alike. To
//! support another key, add it to the table it belongs to.

use std::collections::BTreeMap;

/// Keys with at most one value in a request.
const SINGLE: &[&str] = &[
    "aws:assumedroot",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:currenttime",
    "aws:ec2instancesourceprivateipv4",
    "aws:ec2instancesourcevpc",
    "aws:epochtime",
    "aws:federatedprovider",
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principalorgid",
    "aws:principalservicename",
    "aws:principaltype",
    "aws:referer",
    "aws:requestedregion",
    "aws:resourceaccount",
    "aws:resourceorgid",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceidentity",
    "aws:sourceip",
    "aws:sourceorgid",
    // Of SNS, in the policy that it gives to each new topic (SNS developer guide, "`aws:SourceAccount` versus
    // `aws:SourceOwner`").
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:tokenissuetime",
    "aws:useragent",
    "aws:userid",
    "aws:username",
    "aws:viaawsservice",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "aws:vpcsourceip",
    "cloudformation:changesetname",
    "cloudformation:createaction",
    "cloudformation:rolearn",
    "cloudformation:templateurl",
    "cloudwatch:namespace",
    "dynamodb:enclosingoperation",
    "dynamodb:returnconsumedcapacity",
    "dynamodb:returnvalues",
    "dynamodb:select",
    "ec2:createaction",
    "events:managedby",
    "iam:associatedresourcearn",
    "iam:awsservicename",
    "iam:passedtoservice",
    "iam:permissionsboundary",
    "iam:policyarn",
    "kms:calleraccount",
    "kms:viaservice",
    "lambda:eventsourcetoken",
    "lambda:functionarn",
    "lambda:functionurlauthtype",
    "lambda:invokedviafunctionurl",
    "lambda:principal",
    "lambda:sourcefunctionarn",
    "s3:accesspointnetworkorigin",
    "s3:authtype",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:delimiter",
    "s3:if-match",
    "s3:if-none-match",
    "s3:locationconstraint",
    "s3:max-keys",
    "s3:object-lock-legal-hold",
    "s3:object-lock-mode",
    "s3:object-lock-remaining-retention-days",
    "s3:object-lock-retain-until-date",
    "s3:objectcreationoperation",
    "s3:prefix",
    "s3:resourceaccount",
    "s3:signatureage",
    "s3:signatureversion",
    "s3:tlsversion",
    "s3:versionid",
    "s3:x-amz-acl",
    "s3:x-amz-content-sha256",
    "s3:x-amz-copy-source",
    "s3:x-amz-metadata-directive",
    "s3:x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-server-side-encryption-customer-algorithm",
    "s3:x-amz-storage-class",
    "s3:x-amz-website-redirect-location",
    "s3files:createaction",
    "sts:awsservicename",
    "sts:externalid",
    "sts:rolesessionname",
    "sts:sourceidentity",
    "transfer:requestsecuritypolicyname",
    "transfer:requestserverdomain",
    "transfer:requestserverendpointtype",
];

/// Keys with a set of values in a request.
const MULTIPLE: &[&str] = &[
    "aws:calledvia",
    "aws:principalorgpaths",
    "aws:principalservicenameslist",
    "aws:resourceorgpaths",
    "aws:sourceorgpaths",
    "aws:tagkeys",
    "aws:vpceorgpaths",
    "dynamodb:attributes",
    "dynamodb:leadingkeys",
    "route53:changeresourcerecordsetsactions",
    "route53:changeresourcerecordsetsnormalizedrecordnames",
    "route53:changeresourcerecordsetsrecordtypes",
    "s3:requestobjecttagkeys",
    "sts:transitivetagkeys",
    "transfer:requestserverprotocols",
];

/// Single-valued families in which a tag's name follows the slash.
const TAGGED: &[&str] = &[
    "aws:principaltag/",
    "aws:requesttag/",
    "aws:resourcetag/",
    "iam:resourcetag/",
    "s3:existingobjecttag/",
    "s3:requestobjecttag/",
];

/// A known condition key in lower case, because AWS compares keys without case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    name: String,
    multiple: bool,
}

impl Key {
    /// Recognises a key in any case.
    pub fn parse(text: &str) -> Result<Self, String> {
        let name = text.to_ascii_lowercase();
        let tagged = TAGGED.iter().any(|prefix| {
            name.strip_prefix(prefix).is_some_and(|tag| !tag.is_empty() && tag.chars().all(is_tag_character))
        });
        let multiple = MULTIPLE.contains(&name.as_str());
        if tagged || multiple || SINGLE.contains(&name.as_str()) {
            Ok(Self { name, multiple })
        } else {
            Err(format!("unknown condition key {text:?}"))
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether requests carry a set of values under this key.
    pub fn is_multiple(&self) -> bool {
        self.multiple
    }
}

/// The characters AWS allows in tag names, without those that have a meaning in policies.
fn is_tag_character(character: char) -> bool {
    character.is_alphanumeric() || " _.:/=+-@".contains(character)
}

/// The keys and values of one request.
#[derive(Debug, Default)]
pub struct Context {
    values: BTreeMap<String, Vec<String>>,
}

impl Context {
    /// Checks the keys a caller supplied and folds their case.
    pub fn new(supplied: &BTreeMap<String, Vec<String>>) -> Result<Self, String> {
        let mut context = Self::default();
        for (name, values) in supplied {
            let key = Key::parse(name)?;
            if !key.multiple && values.len() > 1 {
                return Err(format!("{name:?} is single-valued but has {} values", values.len()));
            }
            let previous = context.values.insert(key.name, values.clone());
            if previous.is_some() {
                return Err(format!("{name:?} is given twice, in different case"));
            }
        }
        Ok(context)
    }

    /// Adds a value that follows from the request itself and refuses a contradiction,
    /// since a test with the wrong `aws:PrincipalArn` would prove nothing.
    pub fn derive(&mut self, name: &str, value: &str) -> Result<(), String> {
        let key = Key::parse(name)?;
        match self.values.get(&key.name).map(Vec::as_slice) {
            None => {
                self.values.insert(key.name, vec![value.to_owned()]);
                Ok(())
            }
            Some([given]) if given == value => Ok(()),
            Some(given) => Err(format!("{name:?} is given as {given:?} but follows from the request as {value:?}")),
        }
    }

    /// The values of a key; a key without values counts as absent, as AWS documents for `Null`.
    pub fn get(&self, key: &Key) -> Option<&[String]> {
        self.values.get(key.name()).map(Vec::as_slice).filter(|values| !values.is_empty())
    }

    /// The value of a key used as a policy variable; only single-valued keys may be.
    pub fn single(&self, key: &Key) -> Option<&str> {
        self.get(key).and_then(<[String]>::first).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        entries
            .iter()
            .map(|(key, values)| ((*key).to_owned(), values.iter().map(|v| (*v).to_owned()).collect()))
            .collect()
    }

    #[test]
    fn only_known_keys_are_accepted() {
        for known in ["aws:PrincipalArn", "S3:Prefix", "aws:PrincipalTag/Team", "aws:TagKeys"] {
            assert!(Key::parse(known).is_ok(), "{known}");
        }
        for unknown in [
            "aws:PrincipleArn",
            "aws:PrincipalTag/",
            "aws:PrincipalTag",
            "aws:PrincipalTag/${aws:username}",
            "s3:prefixes",
            "",
            "SourceIp",
        ] {
            assert!(Key::parse(unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn tables_are_in_lower_case() {
        for name in SINGLE.iter().chain(MULTIPLE).chain(TAGGED) {
            assert_eq!(*name, name.to_ascii_lowercase());
        }
    }

    #[test]
    fn invalid_contexts_are_refused() {
        for supplied in [
            map(&[("aws:username", &["a", "b"])]),
            map(&[("aws:UserName", &["a"]), ("aws:username", &["a"])]),
            map(&[("aws:nonsense", &["a"])]),
        ] {
            assert!(Context::new(&supplied).is_err(), "{supplied:?}");
        }
    }

    #[test]
    fn contradicting_a_derived_value_is_refused() {
        let mut context = match Context::new(&map(&[("aws:PrincipalAccount", &["1"])])) {
            Ok(context) => context,
            Err(error) => panic!("{error}"),
        };
        assert!(context.derive("aws:PrincipalAccount", "1").is_ok());
        assert!(context.derive("aws:PrincipalAccount", "2").is_err());
        assert!(context.derive("aws:PrincipalType", "AssumedRole").is_ok());
    }

    #[test]
    fn a_key_without_values_is_absent() {
        let context = Context::new(&map(&[("aws:TagKeys", &[])]));
        let key = Key::parse("aws:tagkeys");
        assert!(matches!((context, key), (Ok(c), Ok(k)) if c.get(&k).is_none()));
    }
}
