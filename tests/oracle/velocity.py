"""Renders mapping templates with airspeed-ext, Velocity for Python: reads a template and its inputs as one line of
JSON, writes the rendered text as one line of JSON.

The engine is airspeed's; `$input`, `$util` and `$context` are those of API Gateway's developer guide ("Mapping template
and access logging variable reference"), put together from Python's own library.
"""
import base64
import json
import sys
import urllib.parse

import airspeed

# Apache Commons Lang's StringEscapeUtils.escapeJavaScript, which is what `$util.escapeJavaScript` is.
NAMED = {"\b": "\\b", "\n": "\\n", "\t": "\\t", "\f": "\\f", "\r": "\\r", "'": "\\'", '"': '\\"', "\\": "\\\\", "/": "\\/"}


def escape(text):
    out = []
    for unit in units(str(text)):
        character = chr(unit)
        if character in NAMED:
            out.append(NAMED[character])
        elif unit < 32 or unit > 0x7F:
            out.append(f"\\u{unit:04X}")
        else:
            out.append(character)
    return "".join(out)


def units(text):
    """Java's characters, which are UTF-16 code units."""
    data = text.encode("utf-16-be", "surrogatepass")
    return [data[at] << 8 | data[at + 1] for at in range(0, len(data), 2)]


class Util:
    def escapeJavaScript(self, text):
        return escape(text)

    def urlDecode(self, text):
        return urllib.parse.unquote_plus(text)

    def urlEncode(self, text):
        # Java's encoder leaves the asterisk unencoded and encodes the tilde.
        return urllib.parse.quote_plus(text, safe="*").replace("~", "%7E")

    def base64Decode(self, text):
        return base64.b64decode(text).decode()

    def base64Encode(self, text):
        return base64.b64encode(text.encode()).decode()

    def parseJson(self, text):
        return json.loads(text)


class Input:
    def __init__(self, inputs):
        self.inputs = inputs

    def params(self, name):
        for place in ("path", "query"):
            if name in self.inputs[place]:
                return self.inputs[place][name]
        for header, value in self.inputs["headers"].items():
            if header.lower() == name.lower():
                return value
        return ""

    def path(self, path):
        value = json.loads(self.inputs["body"])
        for part in path.removeprefix("$").split("."):
            value = value.get(part) if part else value
        return value

    def json(self, path):
        return json.dumps(self.path(path), separators=(",", ":"), ensure_ascii=False)


for line in sys.stdin:
    ask = json.loads(line)
    inputs = ask["inputs"]
    context = {**(inputs["context"] or {}), "responseOverride": {}}
    scope = {"util": Util(), "input": Input(inputs), "context": context}
    try:
        text = airspeed.Template(ask["template"]).merge(scope)
        answer = {"text": text, "status": context["responseOverride"].get("status")}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
