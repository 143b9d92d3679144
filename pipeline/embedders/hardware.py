"""What this machine can compute with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from joblib import cpu_count

if TYPE_CHECKING:
    import torch


def torch_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16; emulated, it is slower than float32."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    get_capabilities = getattr(torch.cpu, "get_capabilities", dict[str, Any])  # older releases lack it
    capabilities = get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def limit_torch_threads() -> None:
    """Use at most as many threads as this process has cores; fewer if torch is set to fewer.

    Torch starts a thread per core of the machine. In a container limited to 2 of 64 cores this is several
    times slower than two threads.
    """
    import torch

    torch.set_num_threads(min(torch.get_num_threads(), cpu_count()))
