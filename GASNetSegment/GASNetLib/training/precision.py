"""Which numbers the networks compute with. Losses, sums and weights stay float32."""

from __future__ import annotations

import torch

from .settings import Settings


def autocast(settings: Settings, device: torch.device) -> torch.autocast:
    """Context in which the networks run: bfloat16 where the settings ask for it, else float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=uses_bf16(settings, device))


def uses_bf16(settings: Settings, device: torch.device) -> bool:
    """``auto`` takes bfloat16 on a GPU that computes it. On a CPU it must be asked for: without hardware for
    it, it is many times slower.
    """
    if settings.precision != "auto":
        return settings.precision == "bf16"
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
