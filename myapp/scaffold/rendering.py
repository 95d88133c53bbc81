"""The templates, under the paths and with the texts of one feature.

They lie as what they make lies in the checkout, `thing` in their paths standing for its name.
"""

import re
from pathlib import Path
from string import Template

from myapp.scaffold.names import Names
from myapp.scaffold.refusal import Refused
from myapp.scaffold.registration import identifiers

TEMPLATES = Path(__file__).parent / "templates"
SUFFIX = ".tmpl"
THING = re.compile("things?")
NEUTRAL = Names("zzz", "zzzs")  # means nothing anywhere


def render(names: Names) -> dict[Path, str]:
    """The feature's own files, by their paths in the checkout. Ruff has still to shape them."""
    return {
        path_of(template, names): Template(template.read_text("utf-8")).substitute(
            names.placeholders
        )
        for template in sorted(TEMPLATES.rglob(f"*{SUFFIX}"))
    }


def path_of(template: Path, names: Names) -> Path:
    path = str(template.relative_to(TEMPLATES)).removesuffix(SUFFIX)
    return Path(THING.sub(lambda found: names.placeholders[found[0]], path))


def check_distinct(names: Names) -> None:
    """Raises Refused where the name would coincide with another one of the same file."""
    rendered = zip(render(names).items(), render(NEUTRAL).values(), strict=True)
    for (path, text), neutral in rendered:
        if len(set(identifiers(text))) < len(set(identifiers(neutral))):
            raise Refused(f"{names.one!r} would mean two things in {path}: take another name")
