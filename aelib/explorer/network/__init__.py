"""A network as a page runs it: read from PyTorch's layers, rounded to bytes, packed into text."""
