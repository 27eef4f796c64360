"""PyTorch and torchaudio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.doctor.finding import Finding

if TYPE_CHECKING:
    from mashup_worker.settings import Settings

REMEDY = "install torch and torchaudio of one version from one index (pip install mashup-worker)"


def check(_settings: Settings) -> Finding:
    """Whether both import, and what they can use of this machine."""
    try:
        import torch
        import torchaudio
    except (ImportError, OSError) as error:
        # torchaudio's libraries don't load beside a torch built for something else.
        reason = str(error).partition("\n")[0]
        return Finding("torch", "error", f"can't be imported ({reason})", REMEDY)
    built_for = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU only"
    details = {
        "torch": str(torch.__version__),
        "torchaudio": str(torchaudio.__version__),
        "built_for": built_for,
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "mps": torch.backends.mps.is_available(),
    }
    message = f"{torch.__version__} ({built_for}), {details['threads']} threads, " + str(
        details["cpu_capability"]
    )
    return Finding("torch", "ok", message, details=details)
