"""HTML from the templates that lie beside the code; those of `drawing/pages` are for every page."""

from __future__ import annotations


def filled(package: str, template: str, **values: object) -> str:
    """Returns a template of a package with the values in their places, where no text can become HTML. It may
    extend and include what lies in `drawing/pages`."""
    import jinja2  # here, since only those who write a page need it

    places = [jinja2.PackageLoader(package, "."), jinja2.PackageLoader(__package__, "pages")]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(places),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(values)


def embedded_json(value: object) -> str:
    """Returns a value as JSON that may stand in a script element: no text of it can end that."""
    import json

    from markupsafe import Markup

    text = json.dumps(value, separators=(",", ":"))
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)  # noqa: S704  nothing in it means anything to HTML any more
