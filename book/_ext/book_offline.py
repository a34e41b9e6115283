"""What a page that is read from disk must not ask of the network."""

import sphinx_thebe
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform


class RemoteImages(SphinxTransform):
    """Put an image's alt text in its place where the image is on the network, as the notebooks' badges are."""

    default_priority = 200

    def apply(self) -> None:
        for image in list(self.document.findall(nodes.image)):
            if image["uri"].startswith(("http://", "https://")):
                image.replace_self(nodes.Text(image["alt"]))


def no_thebe(app: Sphinx) -> None:
    """Keep Thebe's loader out: this book launches no kernels, and its script logs an error on every page."""
    for listener in list(app.events.listeners["env-before-read-docs"]):
        if listener.handler is sphinx_thebe.init_thebe_core:
            app.disconnect(listener.id)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_transform(RemoteImages)
    app.connect("builder-inited", no_thebe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
