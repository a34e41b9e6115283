"""Sharing a trained model: as a folder or a repository of the Hugging Face Hub, with a card, or as an ONNX file."""

from aelib.sharing.hub import Shared, share

__all__ = ["Shared", "share"]
