"""What this machine can compute with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(quota_file: Path = _CGROUP_QUOTA) -> int:
    """Cores that this process may really use, at least 1.

    The affinity mask, and below it the container's quota (cgroup v2): a process that starts a thread for
    each of a server's 64 cores inside a 2-core container runs several times slower than with two.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, round(int(quota) / int(period))))


def torch_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 runs on circuits of its own; emulated, it is slower than float32."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    tell = getattr(torch.cpu, "get_capabilities", dict[str, Any])  # older releases of torch cannot say
    capabilities = tell()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def limit_torch_threads() -> None:
    """Never more threads than usable cores; fewer where the user asked torch for fewer."""
    import torch

    torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))
