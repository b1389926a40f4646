use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A part of the API method that sftpctl deploys.
pub(super) fn deployed(pointer: &str) -> String {
    let integration = "/Resources/ApiMethod/Properties/Integration";
    let template = sftpctl_core::template::source().unwrap();
    template.pointer(&format!("{integration}{pointer}")).and_then(Value::as_str).unwrap().to_owned()
}

/// The request template that sftpctl deploys.
pub(super) fn ours() -> String {
    deployed("/RequestTemplates/application~1json")
}

fn text(template: &str, inputs: &Inputs) -> Result<String, String> {
    let template = Template::parse(template).map_err(|error| error.to_string())?;
    template.render(inputs).map(|rendered| rendered.text).map_err(|error| error.to_string())
}

pub(super) fn request(username: &str, password: &str) -> Inputs {
    use base64::Engine as _;
    let encode =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let password = base64::engine::general_purpose::STANDARD.encode(password);
    Inputs {
        path: BTreeMap::from([("username".into(), encode(username)), ("serverId".into(), "s-1".into())]),
        query: BTreeMap::from([("protocol".into(), "SFTP".into()), ("sourceIp".into(), "192.0.2.1".into())]),
        headers: BTreeMap::from([("passwordbase64".into(), password)]),
        ..Inputs::default()
    }
}

#[test]
fn documented_functions_are_evaluated() {
    let inputs = Inputs {
        body: r#"{"a":{"b":[1,"x"]},"q":"it's"}"#.into(),
        query: BTreeMap::from([("p".into(), "v".into())]),
        context: json!({"stage": "prod", "identity": {"sourceIp": "192.0.2.1"}}),
        ..Inputs::default()
    };
    for (template, expected) in [
        ("plain", "plain"),
        ("$input.params('p')|$input.params('none')|", "v||"),
        ("$input.params().querystring.get('p')", "v"),
        ("$input.json('$.a')", r#"{"b":[1,"x"]}"#),
        ("$input.path('$.a.b[1]')$input.path('$').q", "xit's"),
        ("$context.stage $context.identity.sourceIp", "prod 192.0.2.1"),
        ("#set($x = 'a$b')$x ${x}y $!x", "a$b a$by a$b"),
        ("#set($x = 1)#set($y = \"v$x\")$y", "v1"),
        ("$none $!none ${none}", "$none  ${none}"),
        ("#if(1 == 1 && !false)yes#{else}no#end", "yes"),
        ("#if($none)a#elseif('')b#else c#end", "b"),
        ("#foreach($i in [1, 2, 3])$i#if($foreach.hasNext),#end#end", "1,2,3"),
        ("#set($m = {'k': 'v'})$m.k$m.get('k')$m.size()", "vv1"),
        ("a ## rest\nb #* x *# c", "a b  c"),
        ("\\$x \\#if costs $5 #1 a.b", "$x #if costs $5 #1 a.b"),
        ("$util.escapeJavaScript($input.path('$.q'))", "it\\'s"),
        ("#set($s = 'a-b-c')$s.replaceAll('-', '+')$s.split('-').size()$s.substring(2, 3)", "a+b+c3b"),
        ("#set($s = 'x1y')$s.replaceAll('([0-9])', '<$1>')", "x<1>y"),
        ("#set($n = 7)#if($n >= 3 + 4)$util.urlEncode('a b@')#end", "a+b%40"),
        ("#if(true)\nline\n#end\nnext", "line\nnext"),
    ] {
        assert_eq!(text(template, &inputs).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn unmodelled_parts_are_errors_with_a_line() {
    let inputs = Inputs::default();
    for template in [
        "\n#macro(x)#end",
        "\n#parse('x')",
        "\n$util.nothing('x')",
        "\n$input.nothing",
        "\n$context.none",
        "\n$!context.authorizer.claims.sub",
        "\n$stageVariables.x",
        "\n$input.json('$..a')",
        "\n#set($x = 'a')$x.getClass()",
        "\n#set($input = 1)",
        "\n#set($context.requestOverride.header.x = 1)",
        "\n#if(true)",
        "\n#end",
        "\n#set($x = )",
        "\n$util.base64Decode('*')",
    ] {
        let error = text(template, &inputs).unwrap_err();
        assert!(error.starts_with("line 2"), "{template}: {error}");
    }
}

#[test]
fn status_can_be_overridden_once() {
    let set = "#set($context.responseOverride.status = 403)";
    let status = |template: &str| Template::parse(template).unwrap().render(&Inputs::default()).map(|r| r.status);
    assert_eq!(status(set), Ok(Some(403)));
    assert_eq!(status("x"), Ok(None));
    assert!(status(&format!("{set}{set}")).is_err());
    assert!(status("#set($context.responseOverride.status = 'x')").is_err());
}

#[test]
fn nesting_is_limited() {
    assert!(text(&"#if(true)".repeat(10_000), &Inputs::default()).is_err());
    assert!(text(&format!("#set($x = {}1)", "(".repeat(10_000)), &Inputs::default()).is_err());
    assert!(text(&format!("#if({}true)#end", "!".repeat(10_000)), &Inputs::default()).is_err());
}

#[test]
fn special_characters_reach_the_function_unchanged() {
    for password in [
        "it's \"quoted\"",
        "back\\slash\\",
        "\\'",
        "\\\\'",
        "${x}",
        "$input.params('x')",
        "#set($x = 1)",
        "#end",
        "😀 ñ",
        " leading",
        "a/b</script>",
        "\u{7f}\u{1}\n\t",
        "{\"role\": 1}",
        "'\"'\"",
        "%41+b",
    ] {
        let rendered = text(&ours(), &request("a.b@c-d_e", password)).unwrap();
        let event: Value = serde_json::from_str(&rendered).unwrap_or_else(|error| panic!("{rendered}: {error}"));
        assert_eq!(event["password"], password);
        assert_eq!(event["username"], "a.b@c-d_e");
        assert_eq!(event["sourceIp"], "192.0.2.1");
    }
    let without: Value =
        serde_json::from_str(&text(&ours(), &Inputs { headers: BTreeMap::new(), ..request("u", "") }).unwrap())
            .unwrap();
    assert_eq!(without["password"], "");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_name_and_password_reach_the_function(name in any::<String>(), password in any::<String>()) {
        let rendered = text(&ours(), &request(&name, &password)).unwrap();
        let event: Value = serde_json::from_str(&rendered).unwrap();
        prop_assert_eq!(event["password"].as_str(), Some(password.as_str()));
        prop_assert_eq!(event["username"].as_str(), Some(name.as_str()));
    }

    #[test]
    fn no_template_panics(template in "[$#{}()a-z.\\\\\"' \\[\\]=!<\n]{0,40}") {
        let _ = text(&template, &Inputs::default());
    }
}
