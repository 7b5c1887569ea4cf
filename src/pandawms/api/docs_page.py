"""Renders the API's description as one page of HTML, with its style inside: no script, nothing fetched from elsewhere. Pure."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

STYLE = """
:root { --ink: #1c2430; --soft: #5a6676; --line: #dfe4ea; --back: #ffffff; --panel: #f6f8fa; --link: #0b5cad; color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6ebf1; --soft: #9aa7b6; --line: #2c3641; --back: #11161c; --panel: #182029; --link: #6db3f2; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.55 system-ui, sans-serif; display: grid; grid-template-columns: 15rem 1fr; }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1.5rem 1rem; border-right: 1px solid var(--line); background: var(--panel); }
nav h1 { font-size: 1.1rem; margin: 0 0 1rem; } nav a { display: block; padding: .2rem .4rem; border-radius: .3rem; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
main { padding: 1.5rem 2.5rem 4rem; max-width: 62rem; min-width: 0; }
h2 { margin: 2.2rem 0 .6rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .5rem 0; background: var(--panel); }
summary { cursor: pointer; padding: .55rem .8rem; display: flex; gap: .8rem; align-items: baseline; flex-wrap: wrap; }
details > div { padding: .2rem 1rem 1rem; border-top: 1px solid var(--line); background: var(--back); border-radius: 0 0 .5rem .5rem; overflow-x: auto; }
code { font: .9em ui-monospace, monospace; } .path { font-weight: 600; overflow-wrap: anywhere; } .soft { color: var(--soft); }
.verb { font: 700 .75rem ui-monospace, monospace; color: #fff; border-radius: .3rem; padding: .15rem .45rem; min-width: 4.2rem; text-align: center; }
.get, .head { background: #2a7d4f; } .post { background: #0b5cad; } .put, .patch { background: #9a6700; } .delete { background: #b3261e; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 .8rem; } h4 { margin: 1rem 0 .2rem; }
td, th { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); } th { font-weight: 600; }
@media (max-width: 50rem) { body { display: block; } nav { position: static; height: auto; } main { padding: 1rem; } }
"""


def render(document: Mapping[str, Any]) -> str:
    """Returns the page."""
    by_tag = _by_tag(document)
    links = "".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in by_tag)
    sections = "".join(_section(tag, operations) for tag, operations in by_tag.items())
    types = "".join(_type(name, schema) for name, schema in document["components"]["schemas"].items())
    title = escape(f"{document['info']['title']} API, version {document['info']['version']}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><nav><h1>{title}</h1>{links}<a href='#types'>types</a></nav>"
        f"<main>{_introduction(document)}{sections}<h2 id='types'>types</h2>{types}</main></body></html>"
    )


def _introduction(document: Mapping[str, Any]) -> str:
    return (
        f"<p>{escape(document['info']['description'])} Send <code>Authorization: Bearer &lt;token&gt;</code>; <code>panda token create</code> makes a token. "
        "Errors are problem documents (RFC 9457) with <code>code</code>, <code>field</code>, <code>value</code>, <code>allowed</code> and <code>hint</code>. "
        'For programs: <a href="openapi.json">openapi.json</a>.</p>'
    )


def _by_tag(document: Mapping[str, Any]) -> dict[str, list[tuple[str, str, Mapping[str, Any]]]]:
    found: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            found.setdefault(operation["tags"][0], []).append((path, verb, operation))
    return dict(sorted(found.items()))


def _section(tag: str, operations: list[tuple[str, str, Mapping[str, Any]]]) -> str:
    return f'<h2 id="{escape(tag)}">{escape(tag)}</h2>' + "".join(_operation(*operation) for operation in operations)


def _operation(path: str, verb: str, operation: Mapping[str, Any]) -> str:
    parts = "".join(_parts(operation))
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><span class="verb {verb}">{verb.upper()}</span>'
        f'<code class="path">{escape(path)}</code><span class="soft">{_inline(operation["summary"])}</span></summary><div>{parts}</div></details>'
    )


def _parts(operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<p>{_inline(operation['description'])}</p>"
    if operation["parameters"]:
        rows = "".join(_parameter(parameter) for parameter in operation["parameters"])
        yield f"<h4>Parameters</h4><table>{rows}</table>"
    if "requestBody" in operation:
        yield f"<h4>Body</h4><p>{_content(operation['requestBody']['content'])}</p>"
    yield "<h4>Answers</h4><table>"
    for code, answer in operation["responses"].items():
        if "$ref" not in answer:
            yield f"<tr><td><code>{code}</code></td><td>{_content(answer.get('content', {})) or 'no content'}</td></tr>"
    yield '<tr><td class="soft">else</td><td><a href="#type-Problem">Problem</a></td></tr></table>'


def _parameter(parameter: Mapping[str, Any]) -> str:
    schema = parameter["schema"]
    text = parameter.get("description") or schema.get("description", "")
    need = "required" if parameter["required"] else "optional"
    return (
        f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{_kind(schema)}</td><td class='soft'>{parameter['in']}, {need}</td>"
        f"<td>{_inline(text)}</td></tr>"
    )


def _content(content: Mapping[str, Any]) -> str:
    return "; ".join(f"{_kind(value['schema'])} <span class='soft'>as {escape(media_type)}</span>" for media_type, value in content.items())


def _type(name: str, schema: Mapping[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code></td><td>{_kind(kind)}</td><td class='soft'>{'required' if field in required else 'optional'}</td>"
        f"<td>{_inline(kind.get('description', ''))}</td></tr>"
        for field, kind in schema.get("properties", {}).items()
    )
    about = _inline(schema.get("description", ""))
    head = f'<details id="type-{escape(name)}"><summary><code class="path">{escape(name)}</code></summary>'
    return f"{head}<div><p>{about}</p><table>{rows}</table></div></details>"


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in words, with links to the types that it names."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f'<a href="#type-{escape(name)}">{escape(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"<code>{escape(str(word))}</code>" for word in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items') or {})}" if schema.get("items") else "list"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"mapping to {_kind(schema['additionalProperties'])}"
    return escape(str(schema.get("format") or schema.get("type", "anything"))) + _bounds(schema)


def _bounds(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum", schema.get("minLength")), schema.get("maximum", schema.get("maxLength"))
    if low is None and high is None:
        return ""
    return f" <span class='soft'>({'' if low is None else low}…{'' if high is None else high})</span>"


def _inline(text: str) -> str:
    """Text with its `code` marked."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
