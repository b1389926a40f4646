//! Random policies and requests, reproducible by seed.
//!
//! Values come from small overlapping sets, so that about a third of the requests are granted.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub(super) const HERE: &str = "111111111111";
const THERE: &str = "222222222222";

/// A request, and the policies that apply to it.
#[derive(Clone, Debug)]
pub(super) struct Generated {
    /// The calling service; `None` stands for the session `run` of the role `app`.
    pub(super) service: Option<&'static str>,
    pub(super) action: &'static str,
    pub(super) resource: String,
    pub(super) account: &'static str,
    pub(super) context: BTreeMap<String, Vec<String>>,
    pub(super) identity: Vec<Value>,
    pub(super) session: Option<Value>,
    pub(super) resource_policy: Option<Value>,
}

/// Actions of one kind, with the patterns, resources and condition keys to generate for them.
struct Kind {
    actions: &'static [&'static str],
    patterns: &'static [&'static str],
    resources: &'static [&'static str],
    reach: &'static [&'static str],
    keys: &'static [&'static str],
}

const OBJECTS: &[&str] = &[
    "arn:aws:s3:::pl-1/17578/a.txt",
    "arn:aws:s3:::pl-1/175781/a.txt",
    "arn:aws:s3:::pl-1/17578/dir/b c",
    "arn:aws:s3:::pl-2/17578/a.txt",
    "arn:aws:s3:::pl-1/17578/ñ$?",
];

const OBJECT_REACH: &[&str] = &[
    "*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::pl-1/*",
    "arn:aws:s3:::pl-?/17578/*",
    "arn:aws:s3:::pl-1/17578/*",
    "arn:aws:s3:::pl-1/17578*",
    "arn:aws:s3:::pl-1/${aws:PrincipalTag/home}/*",
    "arn:aws:s3:::pl-1/${aws:PrincipalTag/home, '17578'}/*",
    "arn:aws:s3:::${aws:PrincipalTag/bucket}/${aws:PrincipalTag/home}/a.txt",
    "arn:aws:s3:::pl-1/${*}/*",
    "arn:aws:s3:::pl-1/17578/ñ${$}${?}",
    "arn:aws:s3:::PL-1/*",
    "arn:aws:s3:::pl-1",
    "arn:aws:s3:::*/a.txt",
    "arn:*:s3:::pl-1/*",
];

const KINDS: &[Kind] = &[
    Kind {
        actions: &["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
        patterns: &[
            "s3:GetObject",
            "s3:Get*",
            "s3:*Object",
            "S3:putobject",
            "s3:???Object",
            "s3:DeleteObject",
            "s3:Put*",
        ],
        resources: OBJECTS,
        reach: OBJECT_REACH,
        keys: &[],
    },
    Kind {
        actions: &["s3:PutObject"],
        patterns: &["s3:PutObject", "s3:Put*"],
        resources: OBJECTS,
        reach: OBJECT_REACH,
        keys: &["s3:x-amz-acl", "s3:x-amz-server-side-encryption", "s3:x-amz-storage-class"],
    },
    Kind {
        actions: &["s3:ListBucket"],
        patterns: &["s3:ListBucket", "s3:List*", "s3:listbucket?", "s3:L*t"],
        resources: &["arn:aws:s3:::pl-1", "arn:aws:s3:::pl-2"],
        reach: &[
            "*",
            "arn:aws:s3:::pl-1",
            "arn:aws:s3:::pl-?",
            "arn:aws:s3:::pl-1/*",
            "arn:aws:s3:::${aws:PrincipalTag/bucket}",
        ],
        keys: &["s3:prefix", "s3:delimiter", "s3:max-keys"],
    },
    Kind {
        actions: &["s3:ListAllMyBuckets"],
        patterns: &["s3:ListAllMyBuckets", "s3:List*"],
        resources: &["*"],
        reach: &["*", "arn:aws:s3:::*", "arn:aws:s3:::pl-1"],
        keys: &[],
    },
    Kind {
        actions: &["execute-api:Invoke"],
        patterns: &["execute-api:Invoke", "execute-api:*", "execute-api:I*", "execute-api:ManageConnections"],
        resources: &[
            "arn:aws:execute-api:us-west-2:111111111111:abc/prod/GET/servers/s-1/users/u/config",
            "arn:aws:execute-api:us-east-2:111111111111:abc/test/GET/servers/s-1/users/u/config",
        ],
        reach: &[
            "*",
            "arn:aws:execute-api:us-west-2:111111111111:abc/prod/GET/*",
            "arn:aws:execute-api:*:111111111111:abc/*",
            "arn:aws:execute-api:us-west-2:111111111111:abc/*/GET/servers/*/users/*/config",
            "arn:aws:execute-api:us-west-2:111111111111:xyz/*",
            "arn:aws:execute-api:us-west-?:*:abc/prod/*",
        ],
        keys: &[],
    },
    Kind {
        actions: &["lambda:InvokeFunction"],
        patterns: &["lambda:InvokeFunction", "lambda:*", "lambda:Invoke*", "lambda:GetFunction"],
        resources: &[
            "arn:aws:lambda:us-west-2:111111111111:function:lambda-99-upload-us-west-2",
            "arn:aws:lambda:us-east-2:111111111111:function:lambda-99-upload-us-east-2",
        ],
        reach: &[
            "*",
            "arn:aws:lambda:us-west-2:111111111111:function:lambda-99-upload-us-west-2",
            "arn:aws:lambda:*:111111111111:function:lambda-99-*",
            "arn:aws:lambda:us-west-2:111111111111:function:*",
            "arn:aws:lambda:us-east-1:111111111111:function:*",
        ],
        keys: &[],
    },
];

/// A condition key, its operators, and the values that policies and requests use.
struct Key {
    name: &'static str,
    operators: &'static [&'static str],
    policy: &'static [&'static str],
    request: &'static [&'static str],
}

const TEXT: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
];
const ARN: &[&str] = &["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "StringLike", "StringEquals"];
const NUMBER: &[&str] = &[
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
];
const DATE: &[&str] =
    &["DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"];
const ADDRESS: &[&str] = &["IpAddress", "NotIpAddress"];

const KEYS: &[Key] = &[
    Key {
        name: "aws:PrincipalTag/home",
        operators: TEXT,
        policy: &["17578", "1757*", "17578?", "A b", "a*"],
        request: &["17578", "175781", "a B", "*", "a*"],
    },
    Key {
        name: "aws:PrincipalTag/bucket",
        operators: TEXT,
        policy: &["pl-1", "PL-1", "pl-?", "${aws:PrincipalTag/home}"],
        request: &["pl-1", "pl-2", "17578"],
    },
    Key { name: "aws:UserAgent", operators: TEXT, policy: &["sftp*", "*", "SFTP/3"], request: &["sftp/3", "scp"] },
    Key { name: "aws:PrincipalOrgID", operators: TEXT, policy: &["o-1", "o-*"], request: &["o-1", "o-2"] },
    Key {
        name: "aws:SourceArn",
        operators: ARN,
        policy: &[
            "arn:aws:execute-api:*:111111111111:abc/*",
            "arn:aws:execute-api:us-west-2:111111111111:abc/prod/GET/x",
            "arn:aws:s3:::pl-?",
        ],
        request: &[
            "arn:aws:execute-api:us-west-2:111111111111:abc/prod/GET/x",
            "arn:aws:execute-api:us-east-2:222222222222:abc/prod/GET/x",
            "arn:aws:s3:::pl-1",
        ],
    },
    Key {
        name: "aws:SourceAccount",
        operators: TEXT,
        policy: &["111111111111", "2*"],
        request: &["111111111111", "222222222222"],
    },
    Key {
        name: "aws:SourceIp",
        operators: ADDRESS,
        policy: &["192.0.2.0/24", "10.0.0.0/8", "192.0.2.7", "2001:db8::/32"],
        request: &["192.0.2.7", "192.0.3.7", "10.255.255.255", "2001:db8::1", "2001:db9::1"],
    },
    Key { name: "aws:SecureTransport", operators: &["Bool"], policy: &["true", "false"], request: &["true", "false"] },
    Key {
        name: "aws:MultiFactorAuthPresent",
        operators: &["Bool"],
        policy: &["true", "false"],
        request: &["true", "false"],
    },
    Key {
        name: "aws:CurrentTime",
        operators: DATE,
        policy: &["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2026-06-01T12:00:00Z"],
        request: &["2026-06-01T12:00:00Z", "2026-12-31T23:59:59Z", "2025-01-01T00:00:00Z"],
    },
    Key {
        name: "aws:MultiFactorAuthAge",
        operators: NUMBER,
        policy: &["300", "3600", "42"],
        request: &["42", "300", "86400"],
    },
    Key { name: "s3:max-keys", operators: NUMBER, policy: &["10", "100", "1000"], request: &["10", "99", "1000"] },
    Key {
        name: "s3:prefix",
        operators: TEXT,
        policy: &["17578/", "17578/*", "${aws:PrincipalTag/home}/*", ""],
        request: &["17578/", "17578/a", "175781/", ""],
    },
    Key { name: "s3:delimiter", operators: TEXT, policy: &["/", "*"], request: &["/", "|"] },
    Key { name: "s3:x-amz-acl", operators: TEXT, policy: &["private", "p*"], request: &["private", "public-read"] },
    Key {
        name: "s3:x-amz-server-side-encryption",
        operators: TEXT,
        policy: &["AES256", "aws:kms"],
        request: &["AES256", "aws:kms"],
    },
    Key {
        name: "s3:x-amz-storage-class",
        operators: TEXT,
        policy: &["STANDARD", "standard"],
        request: &["STANDARD", "GLACIER"],
    },
];

/// A key with several values in a request.
const TAG_KEYS: Key = Key {
    name: "aws:TagKeys",
    operators: TEXT,
    policy: &["team", "stage", "t*"],
    request: &["team", "stage", "owner"],
};

pub(super) struct Generator(fastrand::Rng);

impl Generator {
    pub(super) fn seeded(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.0.u32(..100) < percent
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.0.usize(..from.len())]
    }

    /// One or several values of a list, as a string or an array, as policies have them.
    fn some(&mut self, from: &[&str]) -> Value {
        if self.chance(60) {
            return self.pick(from).into();
        }
        let count = self.0.usize(1..=3);
        (0..count).map(|_| Value::from(self.pick(from))).collect()
    }

    /// A request with its policies.
    pub(super) fn case(&mut self) -> Generated {
        let kind = &KINDS[self.0.usize(..KINDS.len())];
        let lambda = kind.actions[0].starts_with("lambda:");
        let service = (lambda && self.chance(50)).then_some("apigateway.amazonaws.com");
        let s3 = kind.actions[0].starts_with("s3:");
        let bucket = s3 && kind.resources[0] != "*";
        let account = if bucket && self.chance(15) { THERE } else { HERE };
        let keys: Vec<&Key> =
            KEYS.iter().filter(|key| !key.name.starts_with("s3:") || kind.keys.contains(&key.name)).collect();
        let context = self.context(&keys, service, account);
        let identity = match service {
            Some(_) => Vec::new(),
            None => (0..self.0.usize(0..=2)).map(|_| self.policy(kind, &keys, false)).collect(),
        };
        let session = (service.is_none() && self.chance(35)).then(|| self.policy(kind, &keys, false));
        let attached = if service.is_some() { 95 } else { 40 };
        let resource_policy =
            (kind.resources[0] != "*" && self.chance(attached)).then(|| self.policy(kind, &keys, true));
        Generated {
            service,
            action: self.pick(kind.actions),
            resource: self.pick(kind.resources).to_owned(),
            account,
            context,
            identity,
            session,
            resource_policy,
        }
    }

    /// The context of a request: some random keys, and always those that follow from the caller.
    fn context(&mut self, keys: &[&Key], service: Option<&str>, account: &str) -> BTreeMap<String, Vec<String>> {
        let mut context = BTreeMap::new();
        let mut put = |name: &str, value: &str| drop(context.insert(name.to_owned(), vec![value.to_owned()]));
        put("aws:ResourceAccount", account);
        match service {
            Some(service) => {
                put("aws:PrincipalServiceName", service);
                put("aws:PrincipalIsAWSService", "true");
            }
            None => {
                put("aws:PrincipalAccount", HERE);
                put("aws:PrincipalArn", "arn:aws:iam::111111111111:role/app");
                put("aws:PrincipalType", "AssumedRole");
                put("aws:PrincipalIsAWSService", "false");
            }
        }
        for key in keys {
            if self.chance(70) {
                context.insert(key.name.to_owned(), vec![self.pick(key.request).to_owned()]);
            }
        }
        if self.chance(50) {
            let count = self.0.usize(1..=3);
            let mut values: Vec<String> = TAG_KEYS.request.iter().take(count).map(|&value| value.to_owned()).collect();
            self.0.shuffle(&mut values);
            context.insert(TAG_KEYS.name.to_owned(), values);
        }
        context
    }

    fn policy(&mut self, kind: &Kind, keys: &[&Key], principal: bool) -> Value {
        let count = self.0.usize(1..=3);
        let statements: Vec<Value> = (0..count).map(|_| self.statement(kind, keys, principal)).collect();
        let version = if self.chance(90) { "2012-10-17" } else { "2008-10-17" };
        json!({ "Version": version, "Statement": statements })
    }

    fn statement(&mut self, kind: &Kind, keys: &[&Key], principal: bool) -> Value {
        let mut statement = Map::new();
        let deny = self.chance(25);
        statement.insert("Effect".into(), if deny { "Deny" } else { "Allow" }.into());
        let negated = self.chance(10);
        let actions = if self.chance(35) { json!("*") } else { self.some(kind.patterns) };
        statement.insert(if negated { "NotAction" } else { "Action" }.into(), actions);
        let negated = self.chance(10);
        let resources = self.some(kind.reach);
        statement.insert(if negated { "NotResource" } else { "Resource" }.into(), resources);
        if principal {
            let negated = deny && self.chance(15);
            let names = if negated { self.exception() } else { self.principal() };
            statement.insert(if negated { "NotPrincipal" } else { "Principal" }.into(), names);
        }
        if self.chance(45) {
            let mut conditions = Map::new();
            for _ in 0..self.0.usize(1..=2) {
                let (operator, name, values) = self.condition(keys);
                let entry = conditions.entry(operator).or_insert_with(|| json!({}));
                let entry = entry.as_object_mut().unwrap();
                // The same key in two spellings is one key twice, which AWS refuses.
                if !entry.keys().any(|known| known.eq_ignore_ascii_case(&name)) {
                    entry.insert(name, values);
                }
            }
            statement.insert("Condition".into(), conditions.into());
        }
        Value::Object(statement)
    }

    fn principal(&mut self) -> Value {
        let names = [
            "*",
            "111111111111",
            "222222222222",
            "arn:aws:iam::111111111111:root",
            "arn:aws:iam::111111111111:role/app",
            "arn:aws:iam::111111111111:role/other",
            "arn:aws:sts::111111111111:assumed-role/app/run",
            "arn:aws:sts::111111111111:assumed-role/app/other",
        ];
        match self.0.u32(..10) {
            0 => json!("*"),
            1 => json!({ "Service": "apigateway.amazonaws.com", "AWS": self.some(&names) }),
            2 | 3 => json!({ "Service": self.some(&["apigateway.amazonaws.com", "s3.amazonaws.com"]) }),
            _ => json!({ "AWS": self.some(&names) }),
        }
    }

    /// The principals that a denial excepts: all names of the session, or another account.
    fn exception(&mut self) -> Value {
        let all = json!([
            "111111111111",
            "arn:aws:iam::111111111111:role/app",
            "arn:aws:sts::111111111111:assumed-role/app/run"
        ]);
        if self.chance(50) { json!({ "AWS": all }) } else { json!({ "AWS": "222222222222" }) }
    }

    fn condition(&mut self, keys: &[&Key]) -> (String, String, Value) {
        if self.chance(10) {
            let quantifier = self.pick(&["ForAllValues:", "ForAnyValue:"]);
            let operator = format!("{quantifier}{}", self.pick(TAG_KEYS.operators));
            return (operator, TAG_KEYS.name.to_owned(), self.some(TAG_KEYS.policy));
        }
        let key = self.pick(keys);
        // Key names are compared without case.
        let name = if self.chance(15) { key.name.to_uppercase() } else { key.name.to_owned() };
        if self.chance(8) {
            return ("Null".to_owned(), name, self.pick(&["true", "false"]).into());
        }
        let operator = self.pick(key.operators);
        if operator == "Bool" {
            return (operator.to_owned(), name, self.pick(key.policy).into());
        }
        let exists = if self.chance(20) { "IfExists" } else { "" };
        (format!("{operator}{exists}"), name, self.some(key.policy))
    }

    /// A case with one invalid element, and a description of that element.
    pub(super) fn invalid_case(&mut self) -> (Generated, &'static str) {
        let mut case = loop {
            let case = self.case();
            if !case.identity.is_empty() {
                break case;
            }
        };
        let statement = case.identity[0]["Statement"][0].as_object_mut().unwrap();
        let mut set = |name: &str, value: Value| drop(statement.insert(name.to_owned(), value));
        let what = self.pick(&[
            "a misspelt element",
            "an element in another case",
            "an operator that does not exist",
            "a key that does not exist",
            "a variable that does not exist",
            "a principal in an identity policy",
            "an effect that does not exist",
            "an empty list",
            "a number",
            "a resource that is not an ARN",
            "a variable that is not closed",
            "a multivalued key without a quantifier",
        ]);
        match what {
            "a misspelt element" => set("Conditions", json!({})),
            "an element in another case" => set("condition", json!({ "Bool": { "aws:SecureTransport": "true" } })),
            "an operator that does not exist" => {
                let name = self.pick(&[
                    "StringEqual",
                    "stringEquals",
                    "StringLikes",
                    "NullIfExists",
                    "BoolIfExist",
                    "BinaryLike",
                ]);
                set("Condition", json!({ name: { "aws:SourceAccount": "1" } }));
            }
            "a key that does not exist" => set("Condition", json!({ "StringNotEquals": { "aws:SourceAcount": "1" } })),
            "a variable that does not exist" => {
                set("Condition", json!({ "StringLike": { "aws:UserAgent": "${aws:Usrname}*" } }))
            }
            "a principal in an identity policy" => set("Principal", json!("*")),
            "an effect that does not exist" => set("Effect", json!("allow")),
            "an empty list" => set("Sid", json!([])),
            "a number" => set("Sid", json!(1)),
            "a resource that is not an ARN" => {
                statement.remove("NotResource");
                statement.insert("Resource".into(), json!("pl-1/*"));
            }
            "a variable that is not closed" => {
                case.identity[0]["Version"] = json!("2012-10-17");
                let statement = case.identity[0]["Statement"][0].as_object_mut().unwrap();
                statement.remove("NotResource");
                statement.insert("Resource".into(), json!("arn:aws:s3:::pl-1/${aws:username/*"));
            }
            _ => set("Condition", json!({ "StringEquals": { "aws:TagKeys": "team" } })),
        }
        if what.starts_with("a variable") {
            // The old version of the language has no variables.
            case.identity[0]["Version"] = json!("2012-10-17");
        }
        (case, what)
    }
}
