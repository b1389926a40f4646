//! XML that reads the same with and without a parser: tags without attributes, prefixes, comments and the like, as SDKs
//! write it. Permissions are read from nothing else.

/// The text of a document whose elements can be found by their tags.
///
/// # Errors
/// It is not one.
pub(in crate::front) fn plain(bytes: &[u8]) -> Result<&str, &'static str> {
    const OTHER: &str = "the local cloud reads XML without attributes, comments and prefixes only";
    let all = std::str::from_utf8(bytes).map_err(|_| OTHER)?.trim();
    let xml = match all.strip_prefix("<?xml ").and_then(|rest| rest.split_once("?>")) {
        Some((declaration, rest)) if !declaration.contains("encoding") || declaration.contains("UTF-8") => rest.trim(),
        Some(_) => return Err(OTHER),
        None => all,
    };
    let mut tags = xml.strip_prefix('<').ok_or(OTHER)?.split('<').map(|rest| rest.split_once('>').map(|(tag, _)| tag));
    // The root has its namespace.
    let root = tags.next().flatten().ok_or(OTHER)?;
    let root = root.split_once(" xmlns=\"").map_or(root, |(name, space)| match space.split_once('"') {
        Some((_, "" | "/")) => name,
        _ => space,
    });
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_tag = |tag: &str| is_name(tag.strip_prefix('/').or_else(|| tag.strip_suffix('/')).unwrap_or(tag));
    if is_name(root) && tags.all(|tag| tag.is_some_and(is_tag)) { Ok(xml) } else { Err(OTHER) }
}

/// The contents of all elements of a name, as they are.
pub(in crate::front) fn elements<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(open.as_str())
        .skip(1)
        .map(|rest| rest.split_once(close.as_str()).map_or(rest, |(text, _)| text))
        .collect()
}

/// A text without its references.
///
/// # Errors
/// It is not a text, or refers to something else than a character.
pub(in crate::front) fn text(content: &str) -> Result<String, &'static str> {
    const OTHER: &str = "the local cloud cannot read a text of the request";
    if content.contains('<') {
        return Err(OTHER);
    }
    let mut parts = content.split('&');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';').ok_or(OTHER)?;
        text.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let number = name.strip_prefix('#').ok_or(OTHER)?;
                let number = match number.strip_prefix('x') {
                    Some(digits) => u32::from_str_radix(digits, 16),
                    None => number.parse(),
                };
                number.ok().and_then(char::from_u32).ok_or(OTHER)?
            }
        });
        text += rest;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_xml_is_refused() {
        for xml in [
            "<Delete><Object><Key>a</Key></Object></Delete>",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n<Quiet/></Delete>",
        ] {
            assert!(plain(xml.as_bytes()).unwrap().starts_with("<Delete"), "{xml}");
        }
        for xml in [
            "",
            "5;chunk-signature=0\r\n<Delete></Delete>",
            "<Delete><Object ><Key>a</Key></Object></Delete>",
            "<Delete><Object a=\"1\"></Object></Delete>",
            "<Delete xmlns=\"a\" xmlns:b=\"c\"></Delete>",
            "<a:Delete></a:Delete>",
            "<Delete><!-- <Object> --></Delete>",
            "<Delete><![CDATA[<Object>]]></Delete>",
            "<!DOCTYPE d [<!ENTITY e \"x\">]><Delete></Delete>",
            "<?xml version=\"1.0\" encoding=\"UTF-7\"?><Delete></Delete>",
            "<Delete><?x y?></Delete>",
            "<Delete",
        ] {
            assert!(plain(xml.as_bytes()).is_err(), "{xml}");
        }
        assert!(plain(b"<Delete>\xff</Delete>").is_err());
    }

    #[test]
    fn texts_are_without_references() {
        assert_eq!(text("a&amp;lt;&#97;&#x42;&quot;").unwrap(), "a&lt;aB\"");
        for other in ["a<b/>", "&other;", "& b", "&#xD800;"] {
            assert!(text(other).is_err(), "{other}");
        }
        assert_eq!(elements("<A>1</A><B/><A>2</A>", "A"), ["1", "2"]);
    }
}
