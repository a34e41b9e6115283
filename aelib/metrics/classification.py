"""How often a trained classifier is right."""

import torch

from aelib.data import ImageSet
from aelib.interfaces import Classifier
from aelib.metrics.probes import Accuracy
from aelib.metrics.reconstruction import image_batches
from aelib.nets import evaluating


def accuracy(classifier: Classifier, images: ImageSet, batch_size: int = 2000) -> Accuracy:
    """Percentage of the images whose largest logit is their label's, in evaluation mode.

    Raises:
        ValueError: there is no image.
    """
    with evaluating(classifier) as device:
        found = [classifier(x).logits.argmax(1).cpu() for x in image_batches(images, batch_size, device)]
    p = int((torch.cat(found) == images.y.cpu()).sum()) / len(images)
    return Accuracy(100 * p, 100 * (p * (1 - p) / len(images)) ** 0.5)
