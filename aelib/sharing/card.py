"""The card of a shared model, made from its claims: paper value, ours, target, verdict, and how it was measured."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from torch import nn

from aelib import __version__
from aelib.nets import count_parameters
from aelib.records.claims import Claim, beside_paper, bound, number, with_spread

TEMPLATE = """---
{{ card_data }}
---

# {{ name }}

{{ article }} `{{ model }}` with {{ parameters }} parameters, made with `aelib` {{ aelib }}.

```python
from aelib.sharing import Shared

model = Shared.from_pretrained("where this card is").model  # in evaluation mode
z = model.encode(x)
```

Arguments of the class: `{{ arguments }}`
{% if claims %}
## Measured

| | paper | ours | against the paper | target | against the target |
| --- | --- | --- | --- | --- | --- |
{% for c in claims -%}
| {{ c.model }}: {{ c.claim }} ({{ c.dataset }}, {{ c.metric }}, {{ c.unit }}) | {{ c.paper }} | {{ c.ours }} \
| {{ c.beside_paper }} | {{ c.target }} | {{ c.against_target }} |
{% endfor %}
The verdicts are computed from the numbers. How they were measured:
{% for c in claims %}
- {{ c.model }}: {{ c.claim }}. {{ c.how }}
{%- endfor %}
{% else %}
No number was recorded for this model.
{% endif %}"""


def model_card(
    data: ModelCardData, name: str, arguments: Mapping[str, Any], model: nn.Module, claims: Sequence[Claim]
) -> ModelCard:
    """The card, with the same numbers once for readers and once, in its head, for the Hub.

    Args:
        data: what is the same for all models: library, license, tags.
        name: the full name of the class.
        arguments: those that it is called with, as JSON.
        model: for the number of its parameters.
        claims: the rows of the table.
    """
    short = name.rsplit(".", 1)[1]
    results = [
        EvalResult("feature-extraction", c.dataset, c.dataset, c.metric, c.ours, metric_name=f"{c.claim}, {c.unit}")
        for c in claims
    ]
    return ModelCard.from_template(
        ModelCardData(**data.to_dict(), model_name=short, eval_results=results or None),
        template_str=TEMPLATE,
        name=short,
        article="An" if short[0] in "AEIOU" else "A",
        model=name,
        parameters=f"{count_parameters(model):,}",
        arguments=json.dumps(arguments, sort_keys=True),
        aelib=__version__,
        claims=[_cells(claim) for claim in claims],
    )


def _cells(c: Claim) -> dict[str, str]:
    """A claim as the cells of a table in Markdown."""
    cells = {key: str(getattr(c, key)) for key in ("claim", "model", "dataset", "metric", "unit")}
    cells |= {
        "paper": number(c.paper) + (f" ({c.paper_source})" if c.paper is not None else ""),
        "ours": f"{with_spread(c.ours, c.ours_std)}, {len(c.seeds)} seed{'s' * (len(c.seeds) > 1)}",
        "beside_paper": beside_paper(c),
        "target": bound(c),
        "against_target": c.against_target or "–",
        "how": f"{c.protocol} {c.hardware}, {c.date}, commit {c.commit or 'unknown'}, profile {c.profile}.",
    }
    return {key: value.replace("|", "\\|").replace("\n", " ") for key, value in cells.items()}
