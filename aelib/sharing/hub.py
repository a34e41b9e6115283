"""Sharing: a trained model as a folder or a repository of the Hugging Face Hub, with a card made from its claims.

The folder holds three files: ``model.safetensors`` (the weights), ``config.json`` (the class and its arguments) and
``README.md`` (the card). Nothing in it is code: the class must be one of this package's or of ``torch.nn``.
"""

import contextlib
import functools
import importlib
import inspect
import json
import os
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import ModelCard, PyTorchModelHubMixin, hf_hub_download
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_model, save_model
from torch import nn

from aelib import __version__
from aelib.data import Columns, Scaling
from aelib.records.claims import Claim, from_row
from aelib.sharing.card import TEMPLATE, model_card

FORMAT = "aelib model 1"
WEIGHTS = "model.safetensors"
LIKELIHOODS = "aelib.likelihoods."
# What a caller can say of the download; the last two to huggingface_hub before 1.0 only.
DOWNLOAD = ("revision", "cache_dir", "force_download", "local_files_only", "token", "proxies", "resume_download")


def share(
    model: nn.Module,
    arguments: Mapping[str, Any],
    claims: Sequence[Claim] = (),
    made_by: Callable[..., nn.Module] | None = None,
    transform: Columns | Scaling | None = None,
) -> "Shared":
    """Make a trained model ready to be shared.

    ``share(vae, {"widths": (784, 200, 50), "activation": nn.Tanh}, claims).push_to_hub("me/vae")``

    Args:
        model: an instance of a class of ``aelib.models``. It is not copied.
        arguments: those that the class, or *made_by*, was called with. Layers are given by their class, or, with
            arguments of their own, as ``functools.partial(TopK, k=8)``; models, as what this function makes of them.
        claims: numbers for the card, e.g. ``load(RESULTS / "04_variational.full.json")`` or some of them.
        made_by: the function of ``aelib.models`` that made the model, if its class alone did not.
        transform: what leads from raw data to the model, of a table or of series; it is kept beside the model.

    Raises:
        ValueError: the class or function is not one of ``aelib.models``, an argument cannot be written down as JSON,
            or the arguments make another model than this one; the message names the layer that differs.
    """
    maker = made_by or type(model)
    name = f"{maker.__module__}.{maker.__qualname__}"
    rows = [asdict(claim) for claim in claims]
    kept = None if transform is None else {"class": type(transform).__name__, "state": transform.state()}
    shared = Shared(name, {key: _encode(key, value) for key, value in arguments.items()}, rows, transform=kept)
    made, here = _layers(shared.model), _layers(model)
    for layer in [*here, *(layer for layer in made if layer not in here)]:
        if made.get(layer) != here.get(layer):
            raise ValueError(
                f"These arguments make another {type(model).__name__} than this one: {layer or 'the model itself'} is "
                f"{here.get(layer, 'absent')} in it and {made.get(layer, 'absent')} by the arguments."
            )
    shared.model = model
    return shared


class Shared(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="aelib",
    license="mit",
    tags=["autoencoder"],
    model_card_template=TEMPLATE,
):
    """A model that can be saved, loaded and sent to the Hub: made by :func:`share`, or by ``from_pretrained``.

    ``save_pretrained(folder)``, ``push_to_hub("owner/name")`` and ``Shared.from_pretrained(folder or "owner/name")``
    are those of huggingface_hub's ``PyTorchModelHubMixin``. A card that a folder already has is not written over.

    Args:
        model: the full name of the class, or of the function, that makes the model.
        arguments: its arguments, as JSON.
        claims: rows of claims, as in a record under ``results/``.
        format, aelib: what wrote the files; left to their defaults.
        transform: the data's transform, its class and state as JSON; :attr:`transform` is the thing itself.

    Raises:
        ValueError: the class or its arguments are not among what can be shared, or another format; in
            ``from_pretrained`` also weights that are damaged or another model's.
    """

    def __init__(
        self,
        model: str,
        arguments: dict[str, Any],
        claims: Sequence[Mapping[str, Any]] = (),
        format: str = FORMAT,
        aelib: str = __version__,
        transform: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if format != FORMAT:
            raise ValueError(
                f"This model was saved by aelib {aelib} as {format!r}; aelib {__version__} reads {FORMAT!r}. "
                f"Install aelib {aelib} to load it."
            )
        self.name, self.arguments = model, arguments
        self.claims = [from_row(row) for row in claims]
        self.kept = transform
        self.transform = None if transform is None else _transform(transform)
        made = _maker(model, ("aelib.models.",))
        try:
            with torch.random.fork_rng([]):  # its first weights are drawn for nothing
                self.model = made(**{key: _decode(value) for key, value in arguments.items()})
        except (TypeError, AttributeError) as error:
            raise ValueError(
                f"{model} of aelib {__version__} cannot be called with {json.dumps(arguments)}: {error}. "
                f"The arguments are those of aelib {aelib}."
            ) from error

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the model itself gives."""
        return self.model(*inputs, **options)

    def _identity(self) -> str:
        told: dict[str, Any] = {"model": self.name, "arguments": self.arguments}
        return json.dumps(told | ({"transform": self.kept} if self.kept else {}), sort_keys=True)

    def _save_pretrained(self, save_directory: Path) -> None:
        # The weights say for themselves whose they are: a file that was exchanged is found out.
        save_model(self.model, str(save_directory / WEIGHTS), {"format": "pt", "aelib": self._identity()})

    @classmethod
    def _from_pretrained(cls, *, model_id: str, map_location: str = "cpu", **options: Any) -> "Shared":
        where = {key: options.pop(key) for key in DOWNLOAD if key in options}
        if missing := {"model", "arguments", "format"} - set(options):
            raise ValueError(
                f"{model_id} holds no model of aelib: its config.json is missing or has no {sorted(missing)}. "
                "Give a folder that save_pretrained wrote, or a repository that push_to_hub made."
            )
        shared = cls(**options)
        local = os.path.isdir(model_id)
        file = os.path.join(model_id, WEIGHTS) if local else hf_hub_download(model_id, WEIGHTS, **where)
        try:
            with safe_open(file, framework="pt") as header:
                identity = (header.metadata() or {}).get("aelib", "another program's model")
            if identity != shared._identity():
                raise ValueError(f"it holds the weights of {identity}")
            load_model(shared.model, file, strict=True, device=map_location)
        except (SafetensorError, OSError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"{WEIGHTS} of {model_id} is not that of the {shared._identity()} in its config.json: {error}. "
                "Save the model again, or load another revision."
            ) from error
        return shared.to(map_location).eval()

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
        """The card: what the model is, how to load it, and its claims with paper, ours, target, verdict, protocol."""
        return model_card(self._hub_mixin_info.model_card_data, self.name, self.arguments, self.model, self.claims)


def _encode(name: str, value: Any) -> Any:
    """An argument as JSON: numbers, texts, lists, layers by their class, partials of those, likelihoods, models."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_encode(name, item) for item in value]
    if isinstance(value, Shared):
        return {"model": value.name, "arguments": value.arguments}
    if is_dataclass(value) and not isinstance(value, type) and type(value).__module__.startswith(LIKELIHOODS):
        options = {field.name: _encode(field.name, getattr(value, field.name)) for field in fields(value)}
        return {"likelihood": f"{type(value).__module__}.{type(value).__qualname__}", "arguments": options}
    made = value.func if isinstance(value, functools.partial) and not value.args else value
    if isinstance(made, type) and issubclass(made, nn.Module):
        package = "torch.nn" if getattr(nn, made.__name__, None) is made else made.__module__
        options = value.keywords if isinstance(value, functools.partial) else {}
        return {"class": f"{package}.{made.__name__}", "arguments": {k: _encode(k, v) for k, v in options.items()}}
    raise ValueError(
        f"The argument {name!r} cannot be written down as JSON: {value!r}. Give numbers, texts, lists, a layer's class "
        "such as nn.ReLU, or functools.partial(TopK, k=8) in place of a lambda."
    )


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decode(item) for item in value)
    if not isinstance(value, dict):
        return value
    if "model" in value:
        return Shared(value["model"], value.get("arguments", {})).model
    if "likelihood" in value:
        return _likelihood(str(value["likelihood"]))(**value.get("arguments", {}))
    made = _maker(str(value.get("class")), ("aelib.models.", "torch.nn."))
    options = {key: _decode(item) for key, item in value.get("arguments", {}).items()}
    return functools.partial(made, **options) if options else made


def _maker(name: str, packages: tuple[str, ...]) -> Callable[..., nn.Module]:
    """The class or function of a full name: a module's class, or what is defined there to return a module."""
    package, _, called = name.rpartition(".")
    found = None
    if f"{package}.".startswith(packages):
        with contextlib.suppress(ImportError):
            found = getattr(importlib.import_module(package), called, None)
    if inspect.isfunction(found) and found.__module__ == package:  # not one that is only imported there
        returned = typing.get_type_hints(found).get("return")
    else:
        returned = found
    if not callable(found) or not isinstance(returned, type) or not issubclass(returned, nn.Module):
        raise ValueError(
            f"{name} makes no model of {' or '.join(p.rstrip('.') for p in packages)} in aelib {__version__}. "
            "Only their classes and functions can be shared and loaded; nothing else is ever called."
        )
    return found


def _transform(kept: Mapping[str, Any]) -> Columns | Scaling:
    """What leads from raw data to a model, from its class and state."""
    made: dict[str, type[Columns] | type[Scaling]] = {"Columns": Columns, "Scaling": Scaling}
    if kept.get("class") not in made:
        raise ValueError(
            f"A shared model has the transform of a Columns or a Scaling; this one is {kept.get('class')!r}."
        )
    return made[kept["class"]].from_state(kept["state"])


def _likelihood(name: str) -> Callable[..., Any]:
    """The likelihood of a full name: a dataclass that is defined in a module of ``aelib.likelihoods``."""
    package, _, called = name.rpartition(".")
    found = None
    if package.startswith(LIKELIHOODS):
        with contextlib.suppress(ImportError):
            found = getattr(importlib.import_module(package), called, None)
    if not isinstance(found, type) or not is_dataclass(found) or found.__module__ != package:
        raise ValueError(f"{name} is no likelihood of aelib {__version__}; nothing else is ever called.")
    return found


def _layers(model: nn.Module) -> dict[str, str]:
    """Each layer in words: its class, its settings, and the shapes of its own parameters and buffers."""

    def setting(value: Any) -> bool:
        simple = isinstance(value, bool | int | float | str) or value is None
        simple = simple or type(value).__module__.startswith(LIKELIHOODS)
        return simple or (isinstance(value, tuple) and all(map(setting, value)))

    told = {}
    for name, layer in model.named_modules():
        settings = {k: v for k, v in vars(layer).items() if k != "training" and not k.startswith("_") and setting(v)}
        tensors = [*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)]
        shapes = {key: tuple(tensor.shape) for key, tensor in tensors}
        told[name] = f"{type(layer).__name__}({', '.join(f'{k}={v}' for k, v in (settings | shapes).items())})"
    return told
