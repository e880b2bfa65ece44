"""HTML from the templates that lie beside the code."""

from __future__ import annotations

from importlib.resources import files


def filled(package: str, template: str, **values: object) -> str:
    """Returns a template of a package with the values in their places, where no text can become HTML."""
    import jinja2  # here, since only those who write a page need it

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    text = files(package).joinpath(template).read_text(encoding="utf-8")
    return environment.from_string(text).render(values)
