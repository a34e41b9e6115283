"""The models of the book: a paper is a module here, its objective beside it.

Import from the module, ``from aelib.models.boltzmann import RBM``: to add a paper is to add a file.
"""
