"""Which numbers the networks compute with. Losses, sums and weights stay float32."""

from __future__ import annotations

import torch

from .settings import Settings


def autocast(settings: Settings, device: torch.device) -> torch.autocast:
    """Context in which the networks run: 16 bits where the settings ask for them, else float32."""
    if settings.precision == "fp16":
        return torch.autocast(device.type, torch.float16)
    return torch.autocast(device.type, torch.bfloat16, enabled=uses_bf16(settings, device))


def uses_bf16(settings: Settings, device: torch.device) -> bool:
    """``auto`` takes bfloat16 where the hardware computes it; where it does not, it is many times slower."""
    if settings.precision != "auto":
        return settings.precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
