"""Run by test_vqvae.py in two processes: codebooks that see halves of each batch."""

import torch
import torch.distributed as dist
from safetensors.torch import save_file

from aelib.models.quantizers import EMAQuantizer, VectorQuantizer


def answers(batch: int) -> torch.Tensor:
    return torch.randn(8, 2, 3, 3, generator=torch.Generator().manual_seed(batch))


def quantizers() -> dict[str, VectorQuantizer]:
    torch.manual_seed(0)
    found = {
        "ema": EMAQuantizer(6, 2, restart=0.0, decay=0.8),
        "ema, restart": EMAQuantizer(6, 2, restart=0.5),
        "gradient, restart": VectorQuantizer(6, 2, restart=0.5),
    }
    for quantizer in found.values():
        with torch.no_grad():
            quantizer.vectors.normal_()
    return found


def work(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    found = quantizers()
    torch.manual_seed(rank)  # the processes draw different vectors for their dead codes
    for batch in range(4):
        for quantizer in found.values():
            quantizer.train()(answers(batch)[rank::2])
    state = {f"{name}/{k}": v.clone() for name, q in found.items() for k, v in q.state_dict().items()}
    save_file(state, f"{folder}/{rank}.safetensors")
    dist.destroy_process_group()
