"""A fake CUDA device, so that the code for GPUs is tested on machines without one.

`with pretend():` makes the process see one CUDA device. Operators on it run on the CPU with real
numbers, while the fake device checks what a CPU cannot show:

- devices: an operator on tensors of both devices, a CPU generator for numbers on the device, and an
  operator without a CUDA kernel raise `FakeCudaError`;
- the host: every read that waits for the device, every copy that blocks or comes from pageable
  memory, and every algorithm search of cuDNN is recorded with the line that caused it;
- streams: vector clocks find memory used before another stream has surely written it, memory freed
  while another stream may use it (a missing `record_stream`), and host code that reads a copy which
  may not have arrived. Streams come from a pool of 32 in turn, as torch's do: two in use that turn
  out to be the same are found;
- CUDA graphs: a recording is the list of its launches, and a replay repeats them into the same
  memory. Host reads, copies and pinned allocations raise while one is made;
- arithmetic: fp32 products while TF32 is allowed are found.

Invisible to it: kernels and their accuracy, cuDNN and cuBLAS, the arithmetic of TF32, real memory
consumption, and speed. `torch.compile` runs the function uncompiled. Only a GPU shows those.

It needs a CUDA build of torch, and no GPU or driver. `device.py` lists what it replaces in torch,
`plugin.py` runs pytest on it: `pytest -p tests.fake_cuda.plugin -m gpu`.
"""

from __future__ import annotations

from tests.fake_cuda.device import pretend
from tests.fake_cuda.findings import FakeCudaError
from tests.fake_cuda.memory import Launch, out_of_memory

__all__ = ["FakeCudaError", "Launch", "out_of_memory", "pretend"]
