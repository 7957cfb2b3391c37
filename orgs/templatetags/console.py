"""Parts of pages: `{% load console %}`. docs/console.md shows each with an example."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import template
from django.template.base import FilterExpression, NodeList, Parser, Token, token_kwargs
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

register = template.Library()

SPRITE = "vendor/tabler-icons-3.51.0/sprite.svg"
ID_SHOWN = 12
# A word of state, always with its icon: (icon, Tabler's color).
STATES: Mapping[str, tuple[str, str]] = {
    "ok": ("circle-check", "green"),
    "waiting": ("hourglass", "azure"),
    "running": ("loader-2", "blue"),
    "warning": ("alert-triangle", "yellow"),
    "failed": ("circle-x", "red"),
    "off": ("ban", "secondary"),
    "test": ("test-pipe", "orange"),
}
ROLE_NAMES: Mapping[str, Promise] = {
    "owner": gettext_lazy("Owner"),
    "admin": gettext_lazy("Admin"),
    "developer": gettext_lazy("Developer"),
    "billing": pgettext_lazy("role", "Billing"),
    "viewer": gettext_lazy("Viewer"),
}


@register.filter
def role_name(role: str) -> str:
    """Return what a role is called in the reader's language."""
    return str(ROLE_NAMES[role])


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """Return an icon of the sprite, hidden from screen readers: a word stands beside it."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        css,
        static(SPRITE),
        name,
    )


@register.simple_tag
def state(kind: str, word: str) -> SafeString:
    """Return a state as an icon and a word; `kind` is one of `STATES`."""
    name, color = STATES[kind]
    return format_html(
        '<span class="state text-nowrap"><span class="text-{}">{}</span> {}</span>',
        color,
        icon(name),
        word,
    )


@register.simple_tag
def moment(value: datetime | None, style: str = "relative") -> SafeString:
    """Return a time in the organization's zone: relative, or `absolute`; the other as a tooltip."""
    if value is None:
        return mark_safe("—")
    local = timezone.localtime(value)
    absolute = f"{formats.date_format(local, 'SHORT_DATETIME_FORMAT')} {local.tzname()}"
    shown, hint = (absolute, "") if style == "absolute" else (_relative(value), absolute)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', value.isoformat(), hint or shown, shown
    )


@register.simple_tag
def ident(value: object, label: str = "") -> SafeString:
    """Return an id in monospace, shortened, that is copied on a click."""
    text = str(value)
    shown = text if len(text) <= ID_SHOWN + 4 else f"{text[:ID_SHOWN]}…"
    return format_html(
        '<button type="button" class="ident" data-copy="{}" title="{}"><code>{}</code>'
        '<span class="visually-hidden">{}</span>{}</button>',
        text,
        text,
        shown,
        label or _("Copy %(id)s") % {"id": text},
        icon("copy"),
    )


@register.simple_tag
def share(part: Decimal | float) -> str:
    """Return a fraction in percent, with one decimal: 0.9876 is 98.8 %."""
    text = formats.number_format(round(Decimal(part) * 100, 1), decimal_pos=1, use_l10n=True)
    # A minus sign is as wide as a digit; a hyphen is not.
    return f"{text}\u00a0%".replace("-", "\u2212")


@register.filter
def initials(name: str) -> str:
    """Return up to two letters of a name."""
    return "".join(word[0] for word in name.split()[:2]).upper()


@register.simple_tag
def field(bound: Any, **extra: object) -> SafeString:  # noqa: ANN401 - a BoundField
    """Return a field of a form: label above, help below, errors at the field."""
    control = bound.field.widget
    kind = str(getattr(control, "input_type", "")) or type(control).__name__
    css = {
        "checkbox": "form-check-input",
        "radio": "form-check-input",
        "select": "form-select",
    }.get(kind, "form-control")
    attrs = {"class": f"{css} is-invalid" if bound.errors else css}
    if bound.errors:
        attrs["aria-invalid"] = "true"
    described = [f"{bound.auto_id}_help"] if bound.help_text else []
    described += [f"{bound.auto_id}_error"] if bound.errors else []
    if described:
        attrs["aria-describedby"] = " ".join(described)
    # As text: a widget of choices is iterable.
    widget = str(bound.as_widget(attrs=attrs))
    is_check = kind == "checkbox" and not getattr(control, "allow_multiple_selected", False)
    context = {"field": bound, "widget": widget, "is_check": is_check, **extra}
    return mark_safe(render_to_string("components/field.html", context))  # noqa: S308 - rendered


class SlotNode(template.Node):
    """Content of a component that has a place of its own; drawn by the component alone."""

    def __init__(self, name: str, nodelist: NodeList) -> None:
        self.name = name
        self.nodelist = nodelist

    def render(self, context: template.Context) -> SafeString:
        """Draw nothing where it stands."""
        return SafeString("")


class ComponentNode(template.Node):
    """A template of `components/` around what stands within the tag."""

    def __init__(
        self, name: str, values: Mapping[str, FilterExpression], nodelist: NodeList
    ) -> None:
        self.name = name
        self.values = values
        self.nodelist = nodelist

    def render(self, context: template.Context) -> SafeString:
        """Draw the body and the slots, then the component's own template around them."""
        values = {name: value.resolve(context) for name, value in self.values.items()}
        slots = {
            node.name: mark_safe(node.nodelist.render(context).strip())  # noqa: S308 - rendered
            for node in self.nodelist
            if isinstance(node, SlotNode)
        }
        body = self.nodelist.render(context)
        engine = context.template.engine if context.template else template.Engine.get_default()
        part = engine.get_template(f"components/{self.name}.html")
        with context.push(**values, **slots, body=body):
            return part.render(context)


@register.tag
def component(parser: Parser, token: Token) -> ComponentNode:
    """Draw `components/<name>.html` around the tag's content, with slots.

    `{% component "empty" icon="key" %}…{% slot actions %}…{% endslot %}{% endcomponent %}`
    """
    _tag, name, *rest = token.split_contents()
    values = token_kwargs(rest, parser)
    if rest:
        raise template.TemplateSyntaxError(f"component {name}: write name=value, not {rest}.")
    nodelist = parser.parse(("endcomponent",))
    parser.delete_first_token()
    return ComponentNode(name.strip("\"'"), values, nodelist)


@register.tag
def slot(parser: Parser, token: Token) -> SlotNode:
    """Give the surrounding component a named part."""
    _tag, name = token.split_contents()
    nodelist = parser.parse(("endslot",))
    parser.delete_first_token()
    return SlotNode(name.strip("\"'"), nodelist)


@register.simple_tag(takes_context=True)
def with_query(context: template.Context, **changes: object) -> str:
    """Return the page's query string with some parameters set, or without those that are None."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None and value != "":
            query[name] = str(value)
    text = query.urlencode()
    return f"?{text}" if text else context["request"].path


def _relative(value: datetime) -> str:
    now = timezone.now()
    if abs((now - value).total_seconds()) < 60:  # noqa: PLR2004 - a minute
        return _("just now")
    if value > now:
        return _("in %(time)s") % {"time": timeuntil(value, now, depth=1)}
    return _("%(time)s ago") % {"time": timesince(value, now, depth=1)}
